#include "forward/forwarders.h"

#include <algorithm>

#include "forward/context.h"
#include "forward/filter_resolver.h"
#include "forward/forwarder.h"
#include "forward/outcomes.h"
#include "forward/queue_upkeep.h"
#include "forward/task_ends.h"

namespace miroir {
namespace {

constexpr Microseconds kTrimInterval = Seconds(10);
constexpr Microseconds kLagInterval = Seconds(1);

}  // namespace

struct Forwarders::State {
  State(Log& log, Cluster& cluster, Clock& clock, Random& random, Metrics& metrics,
        Executor executor, ForwardOptions options)
      : stirred(executor),
        settling(executor),
        context{log, cluster, clock, random, executor, std::move(options), stirred, settled,
                settling},
        outcomes(context),
        resolver(context, [this](std::string node) { return recheck(std::move(node)); }),
        group(executor),
        ends(context, forwarders, metrics),
        queues(context, forwarders) {
    for (const NodeConfig& node : cluster.topology().nodes()) {
      forwarders.push_back(
          std::make_unique<Forwarder>(context, outcomes, resolver, metrics, node.id));
      const Labels labels{{"node_id", node.id}};
      Lag& lag =
          lags.emplace(node.id, Lag{metrics.gauge("miroir_forwarder_lag_entries",
                                                  "Entries that the node has not done.", labels),
                                    metrics.gauge("miroir_forwarder_lag_seconds",
                                                  "Age of the oldest entry not done.", labels)})
              .first->second;
      lag.entries.set(0);
      lag.seconds.set(0);
    }
  }

  Async<Result<History>> recheck(std::string node) {
    return recheck(std::move(node), context.clock.now() + context.options.request_timeout);
  }
  Async<Result<History>> recheck(std::string node, Instant deadline);
  Async<void> pass_on_appends();
  Async<void> watch_health();
  Async<void> trim();
  Async<void> measure_lag();

  struct Lag {
    Gauge entries;
    Gauge seconds;
  };
  Signal stirred;
  Position settled = 0;
  Signal settling;
  ForwardContext context;
  Outcomes outcomes;
  FilterResolver resolver;
  std::vector<std::unique_ptr<Forwarder>> forwarders;
  std::map<std::string, Lag> lags;
  TaskGroup group;
  TaskEnds ends;
  QueueUpkeep queues;
};

Async<Result<History>> Forwarders::State::recheck(std::string node, Instant deadline) {
  for (const auto& forwarder : forwarders) {
    if (forwarder->node() == node) co_return co_await forwarder->recheck(deadline);
  }
  co_return fail(ErrorCode::kNotFound, "no node " + node);
}

Async<void> Forwarders::State::pass_on_appends() {
  for (;;) {
    co_await context.log.appended().wait();
    stirred.notify_all();
  }
}

// A node that stopped answering is looked at anew before its next use, and a node away no longer
// holds up tasks.
Async<void> Forwarders::State::watch_health() {
  std::map<std::string, bool> healthy;
  for (;;) {
    for (const auto& forwarder : forwarders) {
      const bool now = context.cluster.status(forwarder->node()).healthy;
      if (std::exchange(healthy[forwarder->node()], now) && !now) forwarder->doubt();
    }
    stirred.notify_all();
    co_await context.cluster.changed().wait();
  }
}

// What every node has done that is not being healed otherwise may go (DESIGN.md, "Trimming"); the
// log keeps it as long as it likes.
Async<void> Forwarders::State::trim() {
  for (;;) {
    co_await context.clock.sleep_for(kTrimInterval);
    std::optional<Position> everywhere;
    bool saved = true;
    for (const auto& forwarder : forwarders) {
      if (context.cluster.status(forwarder->node()).state == ReplicaState::kStale) continue;
      saved = saved && (co_await forwarder->save()).has_value();
      const Position done = context.cluster.progress(forwarder->node()).done;
      everywhere = std::min(everywhere.value_or(done), done);
    }
    if (!everywhere || !saved) continue;
    auto trimmed = co_await context.log.trim(*everywhere);
    if (!trimmed) log_warning("cannot trim the log", {{"error", trimmed.error().message}});
  }
}

Async<void> Forwarders::State::measure_lag() {
  for (;;) {
    const Position head = context.log.head();
    for (const auto& forwarder : forwarders) {
      const Position done = std::min(head, context.cluster.status(forwarder->node()).done);
      double seconds = 0;
      if (done < head) {
        auto oldest = co_await context.log.entry(done + 1);
        const auto now = static_cast<double>(context.clock.wall_now().time_since_epoch().count());
        if (oldest) seconds = std::max(0.0, (now - static_cast<double>((*oldest)->stamp)) / 1e6);
      }
      Lag& lag = lags.at(forwarder->node());
      lag.entries.set(static_cast<double>(head - done));
      lag.seconds.set(seconds);
    }
    co_await context.clock.sleep_for(kLagInterval);
  }
}

Forwarders::Forwarders(Log& log, Cluster& cluster, Clock& clock, Random& random, Metrics& metrics,
                       Executor executor, ForwardOptions options)
    : state_(std::make_unique<State>(log, cluster, clock, random, metrics, std::move(executor),
                                     std::move(options))) {}

Forwarders::~Forwarders() = default;

Async<void> Forwarders::run() {
  State& state = *state_;
  for (const auto& forwarder : state.forwarders) {
    const std::string& node = forwarder->node();
    state.group.spawn("forwarder of " + node, forwarder->run());
    state.group.spawn("tasks of " + node, forwarder->run_watch());
    state.group.spawn("progress of " + node, forwarder->run_saving());
  }
  state.group.spawn("delete by filter", state.resolver.run());
  state.group.spawn("task ends", state.ends.run());
  state.group.spawn("appends", state.pass_on_appends());
  state.group.spawn("health", state.watch_health());
  state.group.spawn("nodes' queues", state.queues.run());
  state.group.spawn("trimming", state.trim());
  state.group.spawn("lag", state.measure_lag());
  co_await state.group.join();
}

Async<void> Forwarders::stop() { co_await state_->group.stop(); }

bool Forwarders::processing(Position task) const {
  return std::ranges::any_of(state_->forwarders,
                             [&](const auto& f) { return f->tasks().has_begun(task); });
}

Position Forwarders::settled() const { return state_->settled; }

Signal& Forwarders::settling() { return state_->settling; }

Async<Result<History>> Forwarders::recheck(std::string node, Instant deadline) {
  return state_->recheck(std::move(node), deadline);
}

}  // namespace miroir
