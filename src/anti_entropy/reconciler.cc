#include "anti_entropy/reconciler.h"

#include <algorithm>

#include "anti_entropy/collection.h"
#include "anti_entropy/reconciler_state.h"
#include "anti_entropy/sweep.h"
#include "base/logging.h"

namespace miroir {

using anti_entropy::Breaker;
using anti_entropy::PassOrder;
using anti_entropy::PassReport;
using anti_entropy::PassState;

namespace {
constexpr std::size_t kOrdersMax = 16;
constexpr std::size_t kReportsKept = 32;
constexpr Microseconds kPauseLooks = Seconds(60);
const std::string kPausedRow = "reconciler paused";
const std::string kCompletedRow = "reconciler completed";
constexpr Microseconds kLeaseRetry = Milliseconds(500);
}  // namespace

Async<Result<void>> Reconciler::State::recall_completed() {
  MIROIR_CO_TRY(const auto row, co_await store.get(Table::kMeta, kCompletedRow));
  if (!row) co_return Result<void>{};
  MIROIR_CO_TRY(const Json json, parse_json(*row));
  const auto time = [&](std::string_view name) {
    const Json* value = json.find(name);
    return value == nullptr || !value->is_int64() ? WallTime()
                                                  : WallTime(Microseconds(value->as_int64()));
  };
  completed = time("pass");
  deep_completed = time("deepScan");
  instruments.show_completed(completed, deep_completed);
  co_return Result<void>{};
}

Async<Result<void>> Reconciler::State::recall_paused() {
  MIROIR_CO_TRY(const auto row, co_await store.get(Table::kMeta, kPausedRow));
  if (!pause_known) paused = row.has_value();
  pause_known = true;
  co_return Result<void>{};
}

Json Reconciler::State::nothing_compared() {
  Json indexes = Json::array();
  for (const auto& [uid, index] : tools.log.catalogue().indexes()) {
    const auto report =
        anti_entropy::IndexReport::not_compared(index, tools.cluster.topology().shard_count());
    instruments.show(report);
    indexes.push_back(report.to_json());
  }
  return indexes;
}

// Passes that a crash cut off are marked so, and end now; the schedule goes on from the last deep
// pass.
Async<Result<void>> Reconciler::State::recover() {
  MIROIR_CO_CHECK(co_await recall_paused());
  MIROIR_CO_CHECK(co_await breaker.load());
  MIROIR_CO_CHECK(co_await quarantine.load());
  MIROIR_CO_CHECK(co_await recall_completed());
  MIROIR_CO_TRY(std::vector<Json> passes,
                co_await anti_entropy::load_passes(store, kReportsKept * 4));
  // The last deep pass may be behind more light ones than are read here.
  deep_due = (deep_completed == WallTime() ? clock.wall_now() : deep_completed) + options.schedule;
  light_due = clock.wall_now() + options.light_interval;
  // Of one whose beginning could not be written there may be repairs.
  MIROIR_CO_TRY(const auto repair, co_await store.scan(Table::kRepair, "", "", 1, true));
  if (!repair.empty()) next_number = number_of(repair.front().key) + 1;
  // …or what it had read.
  MIROIR_CO_TRY(const anti_entropy::Sweep sweep,
                co_await anti_entropy::Sweep::load(store, true, 0, 0, {}));
  next_number = std::max(next_number, sweep.pass() + 1);
  Batch batch;
  for (auto pass = passes.rbegin(); pass != passes.rend(); ++pass) {
    const Json* number = pass->find("pass");
    const Json* kind = pass->find("kind");
    const Json* began = pass->find("startedMicroseconds");
    if (number == nullptr || kind == nullptr || began == nullptr) continue;
    next_number = std::max(next_number, number->as_uint64() + 1);
    if (const Json* state = pass->find("state"); state != nullptr && *state == Json("running")) {
      const WallTime now = clock.wall_now();
      pass->set("state", name(PassState::kCutOff));
      pass->set("endedAt", to_rfc3339(now));
      pass->set("endedMicroseconds", now.time_since_epoch().count());
      pass->set("indexes", nothing_compared());
      batch.put(Table::kPass, key_of(number->as_uint64()), to_text(*pass));
    }
    const bool deep = *kind == Json("deep");
    last[deep ? PassKind::kDeep : PassKind::kLight] = *pass;
    if (!deep) continue;
    deep_due = WallTime(Microseconds(began->as_int64())) + options.schedule;
    if (*pass->find("state") == Json("cut_off")) deep_due = clock.wall_now();
  }
  show_again(passes);
  if (batch.empty()) co_return Result<void>{};
  co_return co_await store.commit(std::move(batch));
}

// What the last pass knew holds until another one knows better, in the metrics too.
void Reconciler::State::show_again(const std::vector<Json>& passes) {
  if (passes.empty()) return;
  const Json* its = passes.front().find("indexes");
  if (its == nullptr || !its->is_array()) return;
  for (const Json& index : its->as_array()) {
    const Json* uid = index.find("index");
    if (uid != nullptr && uid->is_string() && tools.log.catalogue().index(uid->as_string()))
      instruments.show_again(index);
  }
}

Async<void> Reconciler::State::wait_until_due() {
  while (!stopping && orders.empty()) {
    // A wall clock that was set back puts nothing off.
    light_due = std::min(light_due, clock.wall_now() + options.light_interval);
    deep_due = std::min(deep_due, clock.wall_now() + options.schedule);
    const Microseconds left = next_due() - clock.wall_now();
    if (left <= Microseconds::zero()) co_return;
    TaskGroup alarm(executor);
    alarm.spawn("reconciler's alarm",
                [](Clock& its_clock, Microseconds delay, Signal& signal) -> Async<void> {
                  co_await its_clock.sleep_for(delay);
                  signal.notify_all();
                }(clock, left, wake));
    co_await wake.wait();
    co_await alarm.stop();
  }
}

std::optional<PassOrder> Reconciler::State::next_order() {
  if (!orders.empty()) {
    const PassOrder order = orders.front();
    orders.pop_front();
    return order;
  }
  const WallTime now = clock.wall_now();
  if (paused) return std::nullopt;
  if (now >= deep_due && open(options.windows, now))
    return PassOrder{next_number++, PassKind::kDeep, options.auto_repair, true};
  if (now >= light_due)
    return PassOrder{next_number++, PassKind::kLight, options.auto_repair, true};
  return std::nullopt;
}

WallTime Reconciler::State::next_due() const {
  if (paused) return clock.wall_now() + kPauseLooks;  // resume() wakes before
  return std::min(light_due, next_opening(options.windows, std::max(deep_due, clock.wall_now())));
}

// Why the pass that runs is to end for now; empty: it is not.
std::string_view Reconciler::State::interruption() const {
  if (!current) return "";
  if (cut_current) return "passes were paused";
  const bool bound = current->scheduled && current->kind == PassKind::kDeep;
  return bound && !open(options.windows, clock.wall_now()) ? "its window closed" : "";
}

Async<Result<void>> Reconciler::State::set_paused(bool to) {
  Batch batch;
  if (to) {
    batch.put(Table::kMeta, kPausedRow, to_rfc3339(clock.wall_now()));
  } else {
    batch.erase(Table::kMeta, kPausedRow);
  }
  MIROIR_CO_CHECK(co_await store.commit(std::move(batch)));
  paused = to;
  pause_known = true;
  cut_current = to && current.has_value();
  wake.notify_all();
  co_return Result<void>{};
}

Json Reconciler::State::describe(const PassOrder& order) const {
  return Json::object({{"pass", order.number},
                       {"kind", anti_entropy::name(order.kind)},
                       {"repair", order.repairs}});
}

// A pass that cannot be written down is logged and shown all the same, and written with the next.
Async<Result<void>> Reconciler::State::keep(PassReport report) {
  const bool quiet_one = report.kind == PassKind::kLight && report.clean && report.mismatches == 0;
  unwritten[report.number] = to_text(report.to_json());
  while (unwritten.size() > kReportsKept) unwritten.erase(unwritten.begin());
  Batch batch;
  for (const auto& [number, row] : unwritten) batch.put(Table::kPass, key_of(number), row);
  batch.put(Table::kMeta, kCompletedRow,
            to_text(Json::object({{"pass", completed.time_since_epoch().count()},
                                  {"deepScan", deep_completed.time_since_epoch().count()}})));
  // Of light passes that found nothing only the last is kept.
  if (quiet && quiet_one) batch.erase(Table::kPass, key_of(*quiet));
  MIROIR_CO_CHECK(co_await store.commit(std::move(batch)));
  unwritten.clear();
  quiet = quiet_one ? std::optional(report.number) : std::nullopt;
  // As of its own end: it stays, and the next one's number is above it.
  MIROIR_CO_CHECK(
      co_await anti_entropy::forget_passes(store, *report.ended, options.audit_retention));
  co_return co_await anti_entropy::collect_tombstones(tools, std::move(report));
}

Async<void> Reconciler::State::execute(PassOrder order) {
  current = order;
  PassReport begun;
  begun.number = order.number;
  begun.kind = order.kind;
  begun.repairs = order.repairs;
  begun.started = clock.wall_now();
  if (auto saved = co_await anti_entropy::save_pass(store, begun); !saved) {
    log_warning("cannot record a pass", {{"pass", order.number}, {"error", saved.error().message}});
  }
  PassReport report = co_await anti_entropy::run_pass(tools, order);
  if (report.state == PassState::kCutOff && !interruption().empty()) report.error = interruption();
  if (report.state == PassState::kCompleted) {
    completed = clock.wall_now();
    if (report.whole) deep_completed = completed;
    instruments.show_completed(completed, deep_completed);
  }
  if (report.mismatches > 0 || report.state != PassState::kCompleted) {
    log_warning("pass found differences", {{"pass", report.number},
                                           {"kind", anti_entropy::name(report.kind)},
                                           {"state", anti_entropy::name(report.state)},
                                           {"mismatches", report.mismatches},
                                           {"repaired", report.repaired},
                                           {"unresolved", report.unresolved},
                                           {"error", report.error}});
  }
  const WallTime now = clock.wall_now();
  light_due = now + options.light_interval;
  if (order.kind == PassKind::kDeep)
    deep_due = report.state == PassState::kCutOff ? now : report.started + options.schedule;
  Json json = report.to_json();
  if (auto kept = co_await keep(std::move(report)); !kept) {
    log_warning("cannot record a pass", {{"pass", order.number}, {"error", kept.error().message}});
  }
  last[order.kind] = json;
  reports[order.number] = std::move(json);
  while (reports.size() > kReportsKept) reports.erase(reports.begin());
  current.reset();
  cut_current = false;
  ended.notify_all();
}

Reconciler::Reconciler(Log& log, Store& store, Cluster& cluster, Forwarders& forwarders,
                       Clock& clock, Random& random, Metrics& metrics, Executor executor,
                       AntiEntropyOptions options)
    : state_(std::make_unique<State>(log, store, cluster, forwarders, clock, random, metrics,
                                     executor, std::move(options))) {}

Reconciler::~Reconciler() = default;

Async<void> Reconciler::run() {
  State& state = *state_;
  if (state.stopping) co_return;
  state.running = true;
  if (!state.options.enabled) {
    for (auto known = co_await state.recall_paused(); !known && !state.stopping;
         known = co_await state.recall_paused()) {
      log_warning("cannot read whether passes are paused", {{"error", known.error().message}});
      co_await state.clock.sleep_for(Seconds(1));
    }
    state.running = false;
    state.ended.notify_all();
    co_return;
  }
  state.instruments.show_completed(state.completed, state.deep_completed);
  TaskGroup renewal(state.executor);
  renewal.spawn("reconciler's lease", state.lease.run());
  for (auto recovered = co_await state.recover(); !recovered;
       recovered = co_await state.recover()) {
    log_warning("cannot read the passes", {{"error", recovered.error().message}});
    co_await state.clock.sleep_for(Seconds(1));
  }
  state.started = true;
  while (!state.stopping) {
    co_await state.wait_until_due();
    if (state.stopping) break;
    if (!state.lease.held()) {
      co_await state.clock.sleep_for(kLeaseRetry);
      continue;
    }
    if (std::optional<PassOrder> order = state.next_order()) co_await state.execute(*order);
  }
  co_await renewal.stop();
  if (auto released = co_await state.lease.release(); !released) {
    log_warning("cannot release the lease", {{"error", released.error().message}});
  }
  state.running = false;
  state.ended.notify_all();
}

Async<void> Reconciler::stop() {
  State& state = *state_;
  state.stopping = true;
  state.wake.notify_all();
  while (state.running) co_await state.ended.wait();
}

Result<std::uint64_t> Reconciler::start(PassKind kind, std::optional<bool> repair) {
  State& state = *state_;
  if (!state.options.enabled) return fail(ErrorCode::kUnsupported, "anti_entropy.enabled is false");
  if (!state.started || state.stopping)
    return fail(ErrorCode::kUnavailable, "the reconciler is not running");
  if (state.orders.size() >= kOrdersMax)
    return fail(ErrorCode::kUnavailable, "too many passes are waiting");
  state.orders.push_back({state.next_number++, kind, repair.value_or(state.options.auto_repair)});
  state.wake.notify_all();
  return state.orders.back().number;
}

Async<Result<Json>> Reconciler::pass(PassKind kind, std::optional<bool> repair) {
  MIROIR_CO_TRY(const std::uint64_t number, start(kind, repair));
  co_return co_await report(number);
}

Async<Result<Json>> Reconciler::report(std::uint64_t pass) {
  State& state = *state_;
  while (!state.reports.contains(pass)) {
    if (!state.running) co_return fail(ErrorCode::kCancelled, "the reconciler stopped");
    co_await state.ended.wait();
  }
  co_return state.reports.at(pass);
}

Async<Result<void>> Reconciler::pause() { co_return co_await state_->set_paused(true); }

bool Reconciler::paused() const { return state_->paused || !state_->pause_known; }

Semaphore& Reconciler::reads() { return state_->reads; }

Async<Result<void>> Reconciler::resume() { co_return co_await state_->set_paused(false); }

Async<Result<Json>> Reconciler::approve(std::uint64_t pass) {
  State& state = *state_;
  if (!state.started || state.stopping)
    co_return fail(ErrorCode::kUnavailable, "the reconciler is not running");
  const std::vector<Breaker::Trip> trips = state.breaker.trips();
  const bool deep = std::ranges::any_of(
      trips, [&](const Breaker::Trip& trip) { return trip.pass == pass && trip.deep; });
  MIROIR_CO_TRY(const std::uint64_t documents, co_await state.breaker.approve(pass));
  if (documents == 0) {
    co_return fail(ErrorCode::kNotFound, "nothing waits because of pass " + std::to_string(pass));
  }
  MIROIR_CO_TRY(const std::uint64_t next, start(deep ? PassKind::kDeep : PassKind::kLight, true));
  co_return Json::object({{"approved", documents}, {"pass", next}});
}

}  // namespace miroir
