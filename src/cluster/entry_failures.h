#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/cluster.h"

namespace miroir {

// On which nodes an entry failed, or was kept from them, and what follows from that (DESIGN.md,
// "Writing" 6). The one place that says what did not happen: once its client was told, what that
// says, whoever has lost it since.
class EntryFailures {
 public:
  static Async<Result<EntryFailures>> of(Log& log, const Cluster& cluster, Position position);

  bool none() const { return failures_.empty(); }
  // nullptr: it did not fail there.
  const Json* on(const std::string& node) const;
  // One that it failed with somewhere; nullptr: none is such.
  template <class Predicate>
  const Json* first(Predicate such) const {
    for (const auto& [node, error] : failures_)
      if (such(error)) return &error;
    return nullptr;
  }
  bool all_are(std::string_view code) const;
  // Whether its part in the shard did not happen. Where nobody was told yet: whether it failed on
  // each of the owners, but for those that joined after it was decided or skipped it; never where
  // nobody is known to have failed.
  bool on_all(ShardId shard) const;
  bool on_all(ShardId shard, const std::vector<std::string>& owners) const;
  bool everywhere() const;

  // What became of it in the shard: it happened where one owner applied it, and did not where it
  // failed on all of them.
  enum class Fate { kHappened, kDidNot, kUnknown };
  Fate fate(ShardId shard) const;
  // Whether one of its owners answers and has not ended it yet.
  bool awaited(ShardId shard) const;

 private:
  EntryFailures(const Cluster& cluster, Position position, std::set<std::string> ended,
                std::map<std::string, Json> failures)
      : cluster_(&cluster),
        position_(position),
        ended_(std::move(ended)),
        failures_(std::move(failures)) {}
  bool on_each(const std::vector<std::string>& nodes) const;

  const Cluster* cluster_;
  Position position_;
  std::set<std::string> ended_;  // nodes that had ended it before the failures were read
  std::map<std::string, Json> failures_;
  std::optional<std::vector<ShardId>> told_ = std::nullopt;
};

bool is_error(const Json& error, std::string_view code);

// In which shards the entry did not happen as far as its client was told; nullopt: its task has not
// ended, or that is not known any more.
Async<Result<std::optional<std::vector<ShardId>>>> told_to_have_failed(
    Log& log, std::shared_ptr<const Entry> entry);

}  // namespace miroir
