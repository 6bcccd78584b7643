#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "forward/context.h"
#include "forward/forwarder.h"
#include "forward/outcomes.h"
#include "forward/voiding.h"

namespace miroir {

// Ends the clients' tasks (DESIGN.md, "Writing" 7): an entry is over when every owner that is not
// away has ended it, and at least one owner of each shard has; a task is over with the last of its
// entries, and failed if one of them failed on all owners of a shard. What failed wherever it ended
// waits for owners that are away, as they may still apply it; no longer than a minute for one that
// was not sent it, and then it is kept from it. An owner that skipped an entry has nothing more to
// say of it.
class TaskEnds {
 public:
  TaskEnds(ForwardContext context, Outcomes& outcomes, Voiding& voiding,
           const std::vector<std::unique_ptr<Forwarder>>& forwarders, Metrics& metrics);
  Async<void> run();
  // Ends a task that was made void.
  void drop(Position task) { dropped_.push_back(task); }
  Async<Result<void>> end_canceled(std::vector<Voiding::Part> parts, Position by);

 private:
  // The owners of a shard, one per group, as places in topology().nodes().
  using Owners = std::vector<std::size_t>;
  // What a node made of an entry.
  using Ends = std::map<std::size_t, EndedTask>;
  struct OpenEntry {
    std::shared_ptr<const Entry> entry;
    std::set<Owners> owners = {};  // of the shards that it touches
    Ends ends = {};  // as far as it was asked for
    bool decided = false;
    std::optional<Instant> undecided_since = std::nullopt;
  };
  struct OpenTask {
    std::set<Position> parts;  // its entries, as far as they were read
    std::optional<std::uint64_t> documents;
    EntryStamp started = 0;
    EntryStamp finished = 0;
    Json error;
    TaskEnd::FailedParts failed_parts = {};
  };

  Async<void> find_start();
  Async<Result<void>> read_new();
  Owners owners_of(ShardId shard) const;
  OpenEntry open_entry(std::shared_ptr<const Entry> entry) const;
  enum class Looked { kNothingOver, kNoProgress, kProgress };
  Async<Looked> look();
  Async<bool> all_decided(const OpenTask& task);
  bool is_over(const OpenEntry& open) const;
  bool is_past(const Forwarder& forwarder, Position position) const;
  bool is_kept_from(const std::string& node, Position position,
                    const std::map<std::string, Json>& failures) const;
  Async<bool> is_void(std::shared_ptr<const Entry> entry) const;
  Async<void> raise_newest_ended(std::shared_ptr<const Entry> entry, Position position);
  std::set<std::size_t> undecided(const OpenEntry& open) const;
  static bool applied_somewhere(const Ends& ends);
  Async<Result<bool>> decide(OpenEntry& open);
  void forget_dropped();
  Async<Result<void>> learn_ends(OpenEntry& open);
  void count(const OpenEntry& open, OpenTask& task) const;
  Async<Result<void>> end_task(const Entry& last, OpenTask task);

  ForwardContext context_;
  Outcomes& outcomes_;
  Voiding& voiding_;
  const std::vector<std::unique_ptr<Forwarder>>& forwarders_;
  std::map<Position, OpenEntry> entries_;
  std::map<Position, OpenTask> tasks_;
  Position read_ = 0;        // entries up to here were read
  Counter succeeded_;
  Counter failed_;
  std::vector<Position> dropped_;  // and not yet taken out of the above
};

}  // namespace miroir
