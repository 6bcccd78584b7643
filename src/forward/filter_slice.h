#pragma once

#include <cstddef>

#include "log/entry.h"
#include "node_api/stored_fields.h"

namespace miroir {

// A delete by filter of many documents is several entries of one task, one right behind another,
// each for a range of the slots: so what matches one of them has a bound, in memory and in what a
// node is sent. As nothing lies between them, and no document is in two, what matches each is the
// same before the first of them and at its own place.
struct FilterSlice {
  SlotRange slots;
  Position first = 0;  // of them
};
FilterSlice slice_of(const Entry& entry);

// The arguments of one of so many; of the only one, just the filter.
Json slice_arguments(const Json& filter, std::size_t slice, std::size_t slices);

}  // namespace miroir
