#pragma once

#include <vector>

#include "anti_entropy/roster.h"
#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

// Where an operation on a whole index (a swap, a delete-all, a creation) failed on one node, the
// index there is in doubt: it may hold anything, another index's documents and settings included.
// No digest tells; everything in it is read and compared with what its peers hold.

// Of the nodes that can be read.
std::vector<Taint> indexes_in_doubt(const Tools& tools, const Roster& roster, Position incarnation);

// Whether every shard of the node has another owner that is in sync and not in doubt itself.
bool has_trusted_peers(const Tools& tools, const Roster& roster, const Taint& doubt);

}  // namespace miroir::anti_entropy
