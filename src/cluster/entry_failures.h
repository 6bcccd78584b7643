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
// "Writing" 6). The one place that says what did not happen.
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
  // Whether it failed on each of these owners, but for those that joined after it was decided or
  // skipped it, and so did not happen: never where nobody is known to have failed.
  bool on_all(const std::vector<std::string>& owners) const;
  bool everywhere() const;

  // What became of it on these owners together: it happened where one applied it, and did not where
  // it failed on all of them.
  enum class Fate { kHappened, kDidNot, kUnknown };
  Fate fate(const std::vector<std::string>& owners) const;
  // Whether one of them answers and has not ended it yet.
  bool awaited(const std::vector<std::string>& owners) const;

 private:
  EntryFailures(const Cluster& cluster, Position position, std::set<std::string> ended,
                std::map<std::string, Json> failures)
      : cluster_(&cluster),
        position_(position),
        ended_(std::move(ended)),
        failures_(std::move(failures)) {}

  const Cluster* cluster_;
  Position position_;
  std::set<std::string> ended_;  // nodes that had ended it before the failures were read
  std::map<std::string, Json> failures_;
};

// In which shards the entry did not happen as far as its client was told; nullopt: its task has not
// ended, or that is not known any more.
Async<Result<std::optional<std::vector<ShardId>>>> told_to_have_failed(
    Log& log, std::shared_ptr<const Entry> entry);

// Whether an operation on an index that failed wherever it is known did not happen: not where its
// client was told that it did, whoever has lost it since. What no client asked for is done again.
Async<Result<bool>> did_not_happen(Log& log, std::shared_ptr<const Entry> entry);

}  // namespace miroir
