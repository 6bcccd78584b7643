#pragma once

#include <vector>

#include "node_api/stored_fields.h"

namespace miroir::anti_entropy {

// Sets of slots as rising, disjoint ranges.
using SlotRanges = std::vector<SlotRange>;

SlotRanges complement(const SlotRanges& ranges);
SlotRanges intersection(const SlotRanges& a, const SlotRanges& b);
bool contains(const SlotRanges& ranges, Slot slot);
std::uint32_t size(const SlotRange& range);
std::uint32_t size(const SlotRanges& ranges);

// The first `slots` of them from `from` on, in at most `ranges_max` ranges; fewer where there are
// no more.
SlotRanges portion(const SlotRanges& ranges, std::uint32_t from, std::uint32_t slots,
                   std::size_t ranges_max);

// At most `parts` sets of about equal size that together are `ranges`. One slot cannot be split.
std::vector<SlotRanges> split(const SlotRanges& ranges, std::uint32_t parts);

}  // namespace miroir::anti_entropy
