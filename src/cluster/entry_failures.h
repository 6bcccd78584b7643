#pragma once

#include <map>
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
  // Whether it failed on each of these owners, but for those that joined after it was decided or
  // skipped it, and so did not happen: never where nobody is known to have failed.
  bool on_all(const std::vector<std::string>& owners) const;
  bool everywhere() const;

 private:
  EntryFailures(const Cluster& cluster, Position position, std::map<std::string, Json> failures)
      : cluster_(&cluster), position_(position), failures_(std::move(failures)) {}

  const Cluster* cluster_;
  Position position_;
  std::map<std::string, Json> failures_;
};

}  // namespace miroir
