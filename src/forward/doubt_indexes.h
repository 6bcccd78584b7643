#pragma once

#include <string>

#include "base/async.h"
#include "cluster/topology.h"
#include "log/log.h"

namespace miroir {

// A node was not sent entries up to `last`, and the log does not know any more whether indexes were
// swapped or renamed among them, or what an index was repaired by that had been in doubt there:
// what it holds under any name is in doubt until it was compared as a whole.
Async<Result<void>> doubt_indexes(Log& log, std::string node, Position last);

// What failed on all nodes was perhaps carried out by those of groups that were taken away, which
// may come back.
Async<Result<void>> doubt_indexes_of_others(Log& log, const Topology& topology, Position last);

}  // namespace miroir
