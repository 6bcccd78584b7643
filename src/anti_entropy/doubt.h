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

// Whether it changes nothing but what nodes read back: settings, and keys.
bool is_read_back(const Entry& entry);

// What of a node's index may be another's.
struct InDoubt {
  // The node's shards, but those in which nothing else failed than settings, and what did so on all
  // of their owners and leaves no other index: delete-alls and creations.
  std::set<ShardId> shards;
  // Of those left out: whether what is older than the index may be there, for a creation failed.
  bool older = false;
};
Async<Result<InDoubt>> what_is_in_doubt(const Tools& tools, Taint doubt);
// Whether each of those shards has such an owner.
Async<Result<bool>> is_comparable(const Tools& tools, const Roster& roster, Taint doubt);

// Which documents of such an index another one of its name left, or were merged into one of those.
// All owners may hold them alike.
DocumentQuery older_documents(const IndexState& index, const FieldNames& names);

// Of a node in doubt all documents were compared with those of a peer that is not, where there is
// to be one, and it holds nothing any more that none of them does, nor that is older than the
// index. What failed after `head` is not over: settings were read before.
Async<Result<void>> end_doubts(const Tools& tools, const Roster& roster, const IndexReport& its,
                               std::vector<Taint> doubts, Position head);

}  // namespace miroir::anti_entropy
