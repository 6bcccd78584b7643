// What the admin API shows of the reconciler.
#include "anti_entropy/reconciler_state.h"

namespace miroir {
namespace {
constexpr std::size_t kQuarantinedShown = 1'000;
}  // namespace

Json Reconciler::State::newest() const {
  Json newest;
  std::uint64_t number = 0;
  for (const auto& [kind, pass] : last) {
    const Json* its = pass.find("pass");
    if (its == nullptr || its->as_uint64() <= number) continue;
    number = its->as_uint64();
    newest = pass;
  }
  return newest;
}

Json Reconciler::status() const {
  const State& state = *state_;
  auto last = [&](PassKind kind) {
    const auto found = state.last.find(kind);
    return found == state.last.end() ? Json() : found->second;
  };
  Json waiting = Json::array();
  for (const anti_entropy::PassOrder& order : state.orders)
    waiting.push_back(state.describe(order));
  // The indexes as the newest pass saw them.
  const Json newest = state.newest();
  const Json* indexes = newest.find("indexes");
  return Json::object(
      {{"enabled", state.options.enabled},
       {"autoRepair", state.options.auto_repair},
       {"leader", state.lease.held()},
       {"paused", state.paused},
       {"running", state.current ? state.describe(*state.current) : Json()},
       {"waiting", std::move(waiting)},
       {"nextLightAt", state.started && !state.paused ? Json(to_rfc3339(state.light_due)) : Json()},
       {"nextDeepAt", state.started && !state.paused
                          ? Json(to_rfc3339(next_opening(state.options.windows, state.deep_due)))
                          : Json()},
       {"indexes", indexes == nullptr ? Json::array() : *indexes},
       {"lastLight", last(PassKind::kLight)},
       {"lastDeep", last(PassKind::kDeep)}});
}

Json Reconciler::divergence() const {
  const State& state = *state_;
  const Json newest = state.newest();
  Json indexes = Json::array();
  if (const Json* its = newest.find("indexes")) {
    for (const Json& index : its->as_array()) {
      const Json* uid = index.find("index");
      const Json* shards = index.find("divergence");
      const Json* problems = index.find("problems");
      if (uid == nullptr || shards == nullptr || problems == nullptr) continue;
      if (shards->size() == 0 && problems->size() == 0) continue;
      indexes.push_back(
          Json::object({{"index", *uid}, {"shards", *shards}, {"problems", *problems}}));
    }
  }
  Json breaker = Json::array();
  for (const anti_entropy::Breaker::Trip& trip : state.breaker.trips()) {
    breaker.push_back(Json::object({{"index", trip.index},
                                    {"shard", std::uint64_t{trip.shard}},
                                    {"pass", trip.pass},
                                    {"documents", trip.documents},
                                    {"limit", trip.limit},
                                    {"approved", trip.approved}}));
  }
  Json quarantined = Json::array();
  for (const auto& [key, held] : state.quarantine.held()) {
    if (quarantined.size() == kQuarantinedShown) break;
    quarantined.push_back(
        Json::object({{"index", held.index}, {"id", key.second}, {"pass", held.pass}}));
  }
  const Json* pass = newest.find("pass");
  const Json* problems = newest.find("problems");
  return Json::object({{"pass", pass == nullptr ? Json() : *pass},
                       {"indexes", std::move(indexes)},
                       {"breaker", std::move(breaker)},
                       {"quarantined", std::move(quarantined)},
                       {"problems", problems == nullptr ? Json::array() : *problems}});
}

Async<Result<Json>> Reconciler::passes(std::size_t limit) {
  MIROIR_CO_TRY(std::vector<Json> passes, co_await anti_entropy::load_passes(state_->store, limit));
  co_return Json::object({{"results", Json(std::move(passes))}});
}

Async<Result<Json>> Reconciler::repairs(std::optional<std::uint64_t> pass, std::size_t limit) {
  MIROIR_CO_TRY(std::vector<Json> repairs, co_await state_->audit.load(pass, limit));
  co_return Json::object({{"results", Json(std::move(repairs))}});
}

}  // namespace miroir
