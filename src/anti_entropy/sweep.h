#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "cluster/topology.h"
#include "log/entry.h"
#include "store/store.h"

namespace miroir::anti_entropy {

// One reading of every document of every replica. It may take several passes: some shards a pass
// (`shards_per_pass`), or what a pass that was cut off had not come to. One row of kMeta, saved
// after every few shards, so that it goes on after a restart; erased when it is whole.
class Sweep {
 public:
  // The one that was begun, if `resume` and there is one; otherwise a new one, from here on.
  static Async<Result<Sweep>> load(Store& store, bool resume, std::uint64_t pass, Position head,
                                   WallTime now);

  // As it was when it was read: with another's past it was not.
  struct Index {
    Position incarnation = 0;
    Position exchanged_at = 0;
    auto operator<=>(const Index&) const = default;
  };

  std::uint64_t pass() const { return pass_; }  // that began it
  Position head() const { return head_; }       // of the log then
  WallTime started() const { return started_; }
  // Nothing that was read was left unlike, and every replica of it was read.
  bool clean() const { return clean_; }

  // Of these shards the index's that are still to be read, the lowest first.
  std::vector<ShardId> left(Index index, std::uint32_t shards) const;
  Async<Result<void>> done(Index index, std::vector<ShardId> shards, bool clean);
  void spoil() { clean_ = false; }
  static std::vector<ShardId> all(std::uint32_t shards);
  Async<Result<void>> save() const;
  // Whole: another one begins next.
  Async<Result<void>> end();

 private:
  explicit Sweep(Store& store) : store_(&store) {}

  Store* store_;
  std::uint64_t pass_ = 0;
  Position head_ = 0;
  WallTime started_;
  bool clean_ = true;
  std::map<Index, std::set<ShardId>> done_;
};

}  // namespace miroir::anti_entropy
