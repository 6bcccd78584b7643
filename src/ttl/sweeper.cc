#include "ttl/sweeper.h"

#include <map>

#include "base/logging.h"
#include "log/lease.h"
#include "ttl/policies.h"
#include "ttl/sweep.h"

namespace miroir {
namespace {

constexpr Microseconds kLook = Milliseconds(500);
constexpr std::size_t kIndexLabelsMax = 200;
constexpr const char* kOther = "other";

}  // namespace

struct Sweeper::State {
  State(SweeperParts parts_, TtlOptions options)
      : parts(std::move(parts_)),
        policies(parts.store, std::move(options)),
        lease(parts.store, parts.clock, "sweeper", parts.random.uuid_v4()),
        tools{.log = parts.log,
              .cluster = parts.cluster,
              .clock = parts.clock,
              .names = parts.names,
              .reads = parts.reads,
              .may_go_on = [this] { return lease.held() && !parts.paused(); }},
        tasks(parts.executor) {
    counter_of(kOther);
  }

  Counter& counter_of(const std::string& index_uid) {
    const bool room = counters.size() <= kIndexLabelsMax || counters.contains(index_uid);
    const std::string label = room ? index_uid : kOther;
    auto [found, fresh] = counters.try_emplace(label);
    if (fresh) {
      found->second =
          parts.metrics.counter("miroir_ttl_documents_expired_total",
                                "Documents that expired and were swept.", {{"index", label}});
    }
    return found->second;
  }

  bool due(const IndexState& index) const {
    const auto last = swept.find(index.incarnation);
    return last == swept.end() ||
           parts.clock.now() >= last->second + policies.of(index.uid).sweep_interval;
  }

  Async<void> look();
  Async<void> sweeps();

  SweeperParts parts;
  ttl::Policies policies;
  Lease lease;
  ttl::SweepTools tools;
  TaskGroup tasks;
  std::map<std::string, Counter> counters;
  std::map<Position, Instant> swept;  // incarnation → when its last sweep began
};

Async<void> Sweeper::State::look() {
  std::map<Position, Instant> still;
  std::vector<IndexState> these;
  for (const auto& [uid, index] : parts.log.catalogue().indexes()) {
    counter_of(uid);
    if (const auto last = swept.find(index.incarnation); last != swept.end()) still.insert(*last);
    if (due(index)) these.push_back(index);
  }
  swept = std::move(still);
  for (IndexState& index : these) {
    if (!tools.may_go_on()) co_return;
    const std::string uid = index.uid;
    swept[index.incarnation] = parts.clock.now();
    const auto deleted =
        co_await ttl::sweep(tools, std::move(index), policies.of(uid).deletes_max, counter_of(uid));
    if (!deleted) {
      log_warning("cannot sweep an index", {{"index", uid}, {"error", deleted.error().message}});
    } else if (*deleted > 0) {
      log_info("swept", {{"index", uid}, {"documents", *deleted}});
    }
  }
}

Async<void> Sweeper::State::sweeps() {
  while (true) {
    if (tools.may_go_on()) co_await look();
    co_await parts.clock.sleep_for(kLook);
  }
}

Sweeper::Sweeper(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sweeper::~Sweeper() = default;

Async<Result<std::unique_ptr<Sweeper>>> Sweeper::open(SweeperParts parts, TtlOptions options) {
  auto state = std::make_unique<State>(std::move(parts), std::move(options));
  MIROIR_CO_CHECK(co_await state->policies.load());
  co_return std::unique_ptr<Sweeper>(new Sweeper(std::move(state)));
}

Async<void> Sweeper::run() {
  state_->tasks.spawn("sweeper's lease", state_->lease.run());
  state_->tasks.spawn("sweeps", state_->sweeps());
  co_await state_->tasks.join();
}

Async<void> Sweeper::stop() {
  co_await state_->tasks.stop();
  co_await state_->lease.release();
}

TtlPolicy Sweeper::policy(const std::string& index_uid) const {
  return state_->policies.of(index_uid);
}

Async<Result<void>> Sweeper::set_policy(std::string index_uid, TtlOverride change) {
  co_return co_await state_->policies.set(std::move(index_uid), change);
}

}  // namespace miroir
