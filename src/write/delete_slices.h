#pragma once

#include <cstddef>

#include "write/write_context.h"

namespace miroir {

// How many entries a delete by filter becomes (forward/filter_slice.h), so that about
// `deleted_per_entry` documents match one: by how many match now on a node, and what the log holds
// for the index that the node has not done. One too many costs a number and a look at the nodes.
Async<std::size_t> slices_of_delete(WriteContext context, IndexState index, Json filter);

}  // namespace miroir
