#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "anti_entropy/options.h"
#include "base/async.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cluster/cluster.h"
#include "forward/forwarders.h"
#include "log/log.h"

namespace miroir {

enum class PassKind { kLight, kDeep };

// Proves that the replicas are equal, and heals them where they are not (DESIGN.md, "The
// reconciler"). Runs a light pass every `light_interval` and a deep one by `schedule` while it
// holds the leader lease; its repairs are entries of the log. Stops between two requests; a pass
// cut off is reported as such, and a deep one goes on where it was.
class Reconciler {
 public:
  Reconciler(Log& log, Store& store, Cluster& cluster, Forwarders& forwarders, Clock& clock,
             Random& random, Metrics& metrics, Executor executor, AntiEntropyOptions options);
  ~Reconciler();
  Async<void> run();
  Async<void> stop();

  // One pass now, after the one that may be under way. Returns its number at once, or its report
  // when it ended. `repair` overrides `auto_repair`.
  Result<std::uint64_t> start(PassKind kind, std::optional<bool> repair);
  Async<Result<Json>> report(std::uint64_t pass);
  Async<Result<Json>> pass(PassKind kind, std::optional<bool> repair);

  // No pass begins by itself until resume(), over restarts; one that runs is cut off. A deep pass
  // goes on later where it was. What start() orders runs all the same.
  Async<Result<void>> pause();
  Async<Result<void>> resume();
  // True also while it is not known yet: where no passes run, only run() finds out.
  bool paused() const;

  // Lets the deletes and tie-breaks that the breaker stopped in that pass be carried out, by a pass
  // that begins now. kNotFound: nothing waits because of it.
  Async<Result<Json>> approve(std::uint64_t pass);

  // For the admin API (shapes in docs/admin.md): what runs now, the last pass of each kind, the
  // state of every index's shards with a reason, when the next pass is due.
  Json status() const;
  // What is not in sync, shard by shard, and what waits for a person.
  Json divergence() const;
  Async<Result<Json>> passes(std::size_t limit);
  Async<Result<Json>> repairs(std::optional<std::uint64_t> pass, std::size_t limit);

  // `max_read_concurrency`, for whoever else reads nodes in the background.
  Semaphore& reads();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace miroir
