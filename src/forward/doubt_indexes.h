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

// A swap or a renaming failed on all nodes; who was taken away before that was known, and may come
// back, perhaps carried it out.
Async<Result<void>> doubt_indexes_of_others(ForwardContext context, Position position);

}  // namespace miroir
