#include "forward/forwarders.h"

#include <algorithm>
#include <iterator>
#include <list>
#include <set>

#include "forward/context.h"
#include "forward/filter_resolver.h"
#include "forward/forwarder.h"
#include "forward/outcomes.h"
#include "forward/queue_upkeep.h"
#include "forward/task_ends.h"

namespace miroir {
namespace {

constexpr Microseconds kLagInterval = Seconds(1);
constexpr Microseconds kLookInterval = Milliseconds(5);

}  // namespace

struct Forwarders::State {
  State(Log& log, Cluster& cluster, Clock& clock, Random& random, Metrics& metrics,
        Executor executor, ForwardOptions options)
      : stirred(executor),
        settling(executor),
        context{log,        cluster, clock,    random,       executor,   std::move(options),
                stirred,    settled, settling, newest_ended, log.head(), backlog_read,
                standstills},
        outcomes(context),
        resolver(context, [this](std::string node) { return recheck(std::move(node)); }),
        group(executor),
        voiding(context, outcomes, forwarders),
        ends(context, outcomes, voiding, forwarders, metrics),
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
  Async<Result<void>> cancel(std::vector<Position> tasks, Announce announce);
  Async<void> pass_on_appends();
  Async<void> watch_health();
  std::optional<Position> done_by(const std::set<std::string>& nodes) const;
  Async<void> trim();
  Async<void> measure_lag();

  struct Lag {
    Gauge entries;
    Gauge seconds;
  };
  Signal stirred;
  Position settled = 0;
  Position newest_ended = 0;
  bool backlog_read = false;
  std::list<Standstill> standstills;
  Signal settling;
  ForwardContext context;
  Outcomes outcomes;
  FilterResolver resolver;
  std::vector<std::unique_ptr<Forwarder>> forwarders;
  std::map<std::string, Lag> lags;
  TaskGroup group;
  Voiding voiding;
  TaskEnds ends;
  QueueUpkeep queues;
};

Async<Result<History>> Forwarders::State::recheck(std::string node, Instant deadline) {
  for (const auto& forwarder : forwarders) {
    if (forwarder->node() == node) co_return co_await forwarder->recheck(deadline);
  }
  co_return fail(ErrorCode::kNotFound, "no node " + node);
}

Async<Result<void>> Forwarders::State::cancel(std::vector<Position> tasks, Announce announce) {
  std::map<Position, std::vector<Voiding::Part>> held;
  Voided voided{{}, canceled_by};
  const auto let_go = [&] {
    for (const auto& [task, parts] : held) voiding.let_go(parts);
  };
  for (Position task : tasks) {
    auto parts = co_await voiding.parts_of(task);
    if (!parts) {
      let_go();
      co_return std::unexpected(std::move(parts).error());
    }
    if (parts->empty() || !voiding.hold(*parts)) continue;
    std::ranges::copy(voiding.places_of(*parts), std::back_inserter(voided.where));
    held.emplace(task, std::move(*parts));
  }
  auto by = co_await announce(held.size(), std::move(voided));
  if (!by) {
    let_go();
    co_return std::unexpected(std::move(by).error());
  }
  for (const auto& [task, parts] : held) {
    co_await voiding.make_void(parts, canceled_by(*by));
    co_await insist(context.clock, "task's end", [&] { return ends.end_canceled(parts, *by); });
    ends.drop(task);  // not before: what is settled has ended durably
  }
  stirred.notify_all();
  co_return Result<void>();
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

// The newest entry that all of these nodes have done; nothing where a shard has no owner among
// them.
std::optional<Position> Forwarders::State::done_by(const std::set<std::string>& nodes) const {
  const Topology& topology = context.cluster.topology();
  for (ShardId shard = 0; shard < topology.shard_count(); ++shard) {
    const auto counts = [&](const std::string& owner) { return nodes.contains(owner); };
    if (std::ranges::none_of(topology.owners(shard), counts)) return std::nullopt;
  }
  Position done = context.log.head();
  for (const std::string& node : nodes) done = std::min(done, context.cluster.progress(node).done);
  return done;
}

// What every node has done that is not being healed otherwise may go, and in time what only those
// have done that are here: one that was away for longer is healed by comparison (DESIGN.md,
// "Trimming").
Async<void> Forwarders::State::trim() {
  for (;;) {
    co_await context.clock.sleep_for(context.options.trim_interval);
    std::set<std::string> trusted;
    std::set<std::string> here;
    bool saved = true;
    for (const auto& forwarder : forwarders) {
      const NodeStatus status = context.cluster.status(forwarder->node());
      const bool source = context.cluster.is_source(forwarder->node());
      if (status.state == ReplicaState::kStale && !source) continue;
      saved = saved && (co_await forwarder->save()).has_value();
      trusted.insert(forwarder->node());
      // A lane that is stopped takes no more than one that is away.
      if (status.healthy && !status.stopped && source) here.insert(forwarder->node());
    }
    const std::optional<Position> everywhere = saved ? done_by(trusted) : std::nullopt;
    // Bodies without an entry go all the same.
    const Position applied_here = everywhere ? done_by(here).value_or(*everywhere) : 0;
    auto trimmed = co_await context.log.trim(everywhere.value_or(0), applied_here, context.settled);
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
        // Its number may be one that was left out, or forgotten.
        const auto oldest = co_await context.log.entries(done + 1, 1);
        const auto now = static_cast<double>(context.clock.wall_now().time_since_epoch().count());
        if (oldest && !oldest->empty()) {
          const auto stamp = static_cast<double>(oldest->front()->stamp);
          seconds = std::max(0.0, (now - stamp) / 1e6);
        }
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

Async<void> Forwarders::look_at_all(Instant deadline) {
  ForwardContext& context = state_->context;
  const auto looked = [](const auto& forwarder) { return forwarder->has_looked(); };
  while (!std::ranges::all_of(state_->forwarders, looked) && context.clock.now() < deadline)
    co_await context.clock.sleep_for(kLookInterval);
}

bool Forwarders::processing(Position task) const {
  return std::ranges::any_of(state_->forwarders,
                             [&](const auto& f) { return f->tasks().has_begun(task); });
}

Async<Result<void>> Forwarders::cancel(std::vector<Position> tasks, Announce announce) {
  return state_->cancel(std::move(tasks), std::move(announce));
}

Semaphore::Permit Forwarders::stand_still(Milliseconds at_most) {
  std::list<Standstill>& all = state_->standstills;
  const auto its =
      all.insert(all.end(), {state_->context.log.head(), state_->context.clock.now() + at_most});
  return Semaphore::Permit([&all, its] { all.erase(its); });
}

Position Forwarders::settled() const { return state_->settled; }

Position Forwarders::newest_ended() const { return state_->newest_ended; }

Signal& Forwarders::settling() { return state_->settling; }

Async<Result<History>> Forwarders::recheck(std::string node, Instant deadline) {
  return state_->recheck(std::move(node), deadline);
}

}  // namespace miroir
