#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/census.h"
#include "anti_entropy/merkle.h"
#include "anti_entropy/resolver.h"

namespace miroir::anti_entropy {

// What one scan of one node found.
struct ReplicaScan {
  std::map<ShardId, MerkleTree> trees;  // of the shards that it owns
  std::uint64_t documents = 0;
  std::set<std::string> unplaced;  // documents whose slot is none: no tree has a place for them
};

// The deep pass over one index: every document of every replica is read once and fingerprinted by
// content. Pages are runs of slots, sized by bytes and each one snapshot with a limit above its
// size; together they tile the slots that the node owns, and all texts between them, so nothing is
// left out but what the light comparison asks for (and the census counts). Runs of slots whose
// buckets differ, or hold a document whose slot, digest or checksum are not those of what it holds,
// are read again, and what differs in them goes to the resolver. Memory: pages, trees and the ids
// of a run, whatever the index holds and however much of it differs.
class DeepComparison {
 public:
  DeepComparison(const Tools& tools, IndexUnderTest index, Roster& roster, Resolver& resolver,
                 IndexReport& report);
  // Before and after all runs. Errors are the log's, the store's, or kConflict and kCancelled; a
  // node that fails is lost from the roster.
  Async<Result<void>> begin() { return census_.begin(); }
  Async<Result<void>> end(std::vector<ShardId> shards) { return census_.end(std::move(shards)); }
  // Reads these shards.
  Async<Result<void>> run(std::vector<ShardId> shards);

 private:
  using EachCopy = std::function<Result<void>(DocumentCopy copy, const Hash128& content)>;

  Async<Result<std::optional<ReplicaScan>>> scan(std::string node, std::vector<ShardId> shards);
  // Calls `each` for every document of the node in these slots; false: the node was lost.
  Async<Result<bool>> read_all(std::string node, SlotRanges slots, EachCopy each);
  // Reads these slots of a shard again on every owner and hands on what differs.
  Async<Result<void>> compare(ShardId shard, SlotRanges slots);

  const Tools& tools_;
  IndexUnderTest index_;
  Roster& roster_;
  Resolver& resolver_;
  IndexReport& report_;
  Census census_;
};

}  // namespace miroir::anti_entropy
