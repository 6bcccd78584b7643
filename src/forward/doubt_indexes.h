#pragma once

#include <string>

#include "base/async.h"
#include "forward/context.h"
#include "log/log.h"

namespace miroir {

// A node was not sent entries up to `last`, and the log does not know any more whether indexes were
// swapped or renamed among them, or what an index was repaired by that had been in doubt there:
// what it holds under any name is in doubt until it was compared as a whole.
Async<Result<void>> doubt_indexes(Log& log, std::string node, Position last);

// The node's disk is one that held entries up to `held`, and took `taken` before anybody looked, so
// that what lies between is not sent again: another index may have each name where one was dropped,
// renamed or swapped among it, or nobody knows, or where one was in doubt on that disk. A drop or
// renaming counts as having failed there, so that the old name is looked for.
Async<Result<void>> doubt_if_renamed(ForwardContext context, std::string node, Position held,
                                     Position taken);

// A swap or a renaming failed on all nodes; who was taken away before that was known, and may come
// back, perhaps carried it out.
Async<Result<void>> doubt_indexes_of_others(ForwardContext context, Position position);

}  // namespace miroir
