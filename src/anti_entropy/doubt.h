#pragma once

#include <set>
#include <vector>

#include "anti_entropy/reports.h"
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

// The node's shards, but those in which nothing failed but delete-alls that failed on all of their
// owners: they did not happen there, and what they leave is no other index.
Async<Result<std::set<ShardId>>> shards_in_doubt(const Tools& tools, Taint doubt);
// Whether each of those has such an owner.
Async<Result<bool>> is_comparable(const Tools& tools, const Roster& roster, Taint doubt);

// Of a node in doubt all documents were compared with those of a peer that is not, and it holds
// nothing any more that none of them does.
Async<Result<void>> end_doubts(const Tools& tools, const Roster& roster, const IndexReport& its,
                               std::vector<Taint> doubts);

}  // namespace miroir::anti_entropy
