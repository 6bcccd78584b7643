#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cluster/cluster.h"
#include "log/log.h"
#include "node_api/stored_fields.h"
#include "store/store.h"
#include "ttl/options.h"

namespace miroir {

// What the sweeper works with; all of it outlives it.
struct SweeperParts {
  Log& log;
  Store& store;
  Cluster& cluster;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  Executor executor;
  FieldNames names;
  Semaphore& reads;  // a permit for each read of a node
  std::function<bool()> paused = [] { return false; };
};

// Deletes what has expired (docs/design.md, "Expiry"): each index by its own policy, one after
// another, while this process holds the sweeper's lease and nobody paused it. A document is there
// for all to see until it is swept.
class Sweeper {
 public:
  // Reads the policies back.
  static Async<Result<std::unique_ptr<Sweeper>>> open(SweeperParts parts, TtlOptions options);
  ~Sweeper();
  Async<void> run();
  Async<void> stop();

  TtlPolicy policy(const std::string& index_uid) const;
  // Durable when it returns; takes effect at once.
  Async<Result<void>> set_policy(std::string index_uid, TtlOverride change);

 private:
  struct State;
  explicit Sweeper(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace miroir
