#include "anti_entropy/breaker.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

constexpr std::string_view kRows = "breaker";
constexpr std::size_t kTripsMax = 100'000;

std::string row_key(Position incarnation, ShardId shard) {
  return key_join(kRows, key_of(incarnation) + key_of(shard));
}

Json to_json(const Breaker::Trip& trip) {
  return Json::object({{"index", trip.index},
                       {"incarnation", trip.incarnation},
                       {"exchangedAt", trip.exchanged_at},
                       {"shard", std::uint64_t{trip.shard}},
                       {"pass", trip.pass},
                       {"deep", trip.deep},
                       {"documents", trip.documents},
                       {"limit", trip.limit},
                       {"approved", trip.approved}});
}

Result<Breaker::Trip> trip_of(const std::string& row) {
  MIROIR_TRY(const Json json, parse_json(row));
  const auto number = [&](std::string_view name) {
    const Json* value = json.find(name);
    return value != nullptr && value->is_integer() ? value->as_uint64() : std::uint64_t{0};
  };
  const auto flag = [&](std::string_view name) {
    const Json* value = json.find(name);
    return value != nullptr && *value == Json(true);
  };
  const Json* index = json.find("index");
  if (index == nullptr || !index->is_string())
    return fail(ErrorCode::kCorrupt, "a row of the breaker names no index");
  return Breaker::Trip{.index = index->as_string(),
                       .incarnation = number("incarnation"),
                       .exchanged_at = number("exchangedAt"),
                       .shard = static_cast<ShardId>(number("shard")),
                       .pass = number("pass"),
                       .deep = flag("deep"),
                       .documents = number("documents"),
                       .limit = number("limit"),
                       .approved = flag("approved")};
}

}  // namespace

bool needs_agreement(const Judged& judged) {
  const auto& [copies, knowledge, decision] = judged;
  const bool tie = decision.reason == Reason::kGreaterBase ||
                   decision.reason == Reason::kMajority || decision.reason == Reason::kTieHash;
  const auto counts = [&](const Copy& copy, const Verdict& verdict) {
    if (copy.in_doubt) return false;
    return verdict.treatment == Treatment::kDelete ||
           (tie && verdict.treatment != Treatment::kLeave && copy.present() && copy.in_sync);
  };
  for (std::size_t i = 0; i < copies.owners.size(); ++i)
    if (counts(copies.owners[i], decision.owners[i])) return true;
  for (std::size_t i = 0; i < copies.strays.size(); ++i)
    if (counts(copies.strays[i], decision.strays[i])) return true;
  return false;
}

Async<Result<void>> Breaker::load() {
  const std::string first = key_join(kRows, "");
  MIROIR_CO_TRY(const auto rows,
                co_await store_.scan(Table::kMeta, first, prefix_end(first), kTripsMax));
  trips_.clear();
  for (const Row& row : rows) {
    MIROIR_CO_TRY(Trip trip, trip_of(row.value));
    trips_[{trip.incarnation, trip.shard}] = std::move(trip);
  }
  co_return Result<void>{};
}

void Breaker::begin(std::uint64_t pass, bool deep) {
  pass_ = pass;
  deep_ = deep;
  tallies_.clear();
}

bool Breaker::depends_on_size(const Place& place, std::uint64_t documents) const {
  const Key key{place.incarnation, place.shard};
  const auto tally = tallies_.find(key);
  const std::uint64_t before = tally == tallies_.end() ? 0 : tally->second.admitted;
  return before + documents > options_.min_documents;
}

const Breaker::Trip* Breaker::find(const Place& place) const {
  const auto trip = trips_.find({place.incarnation, place.shard});
  return trip != trips_.end() && trip->second.exchanged_at == place.exchanged_at ? &trip->second
                                                                                 : nullptr;
}

bool Breaker::awaits(const Place& place) {
  const Trip* trip = find(place);
  if (trip == nullptr || trip->approved) return false;
  return tallies_[{place.incarnation, place.shard}].more = true;
}

Async<Result<bool>> Breaker::admit(Place place, std::uint64_t documents, std::uint64_t size) {
  const Key key{place.incarnation, place.shard};
  Tally& tally = tallies_[key];
  const auto share = static_cast<std::uint64_t>(options_.share * static_cast<double>(size));
  const std::uint64_t limit = std::max(options_.min_documents, share);
  const Trip* trip = find(place);
  const bool tripped = trip != nullptr;
  const bool approved = tripped && trip->approved;
  const std::uint64_t agreed = approved ? std::min(documents, trip->documents) : 0;
  const std::uint64_t allowed = tripped && !approved ? 0 : limit + agreed;
  if (tally.admitted + documents <= allowed) {
    tally.admitted += documents - agreed;
    if (agreed == 0) co_return true;
    // Used up, also where the pass does not come to its end.
    Trip left = *trip;
    left.documents -= agreed;
    MIROIR_CO_CHECK(co_await (left.documents == 0 ? erase(key) : save(std::move(left))));
    co_return true;
  }
  tally.waiting += documents;
  if (tripped && !approved) co_return false;
  const Trip next{.index = place.index,
                  .incarnation = place.incarnation,
                  .exchanged_at = place.exchanged_at,
                  .shard = place.shard,
                  .pass = pass_,
                  .deep = deep_,
                  .documents = tally.waiting,
                  .limit = limit,
                  .approved = false};
  MIROIR_CO_CHECK(co_await save(next));
  co_return false;
}

Async<Result<void>> Breaker::compared(Position incarnation, std::set<ShardId> shards,
                                      std::set<ShardId> by_content) {
  for (const ShardId shard : shards) {
    const auto found = trips_.find({incarnation, shard});
    if (found == trips_.end()) continue;
    const Tally& tally = tallies_[found->first];
    const std::uint64_t waiting =
        tally.more ? std::max(tally.waiting, found->second.documents) : tally.waiting;
    if (waiting == found->second.documents && waiting > 0) continue;
    if (waiting > 0) {
      Trip trip = found->second;
      trip.documents = waiting;
      MIROIR_CO_CHECK(co_await save(std::move(trip)));
    } else if (!found->second.deep || by_content.contains(shard)) {
      MIROIR_CO_CHECK(co_await erase(found->first));
    }
  }
  co_return Result<void>{};
}

Async<Result<std::uint64_t>> Breaker::approve(std::uint64_t pass) {
  std::uint64_t documents = 0;
  for (Trip trip : trips()) {
    if (trip.pass != pass || trip.approved) continue;
    trip.approved = true;
    documents += trip.documents;
    MIROIR_CO_CHECK(co_await save(std::move(trip)));
  }
  co_return documents;
}

std::vector<Breaker::Trip> Breaker::trips() const {
  std::vector<Trip> all;
  for (const auto& [key, trip] : trips_) all.push_back(trip);
  return all;
}

Async<Result<void>> Breaker::forget_all_but(std::set<Position> incarnations) {
  for (const Trip& trip : trips()) {
    if (!incarnations.contains(trip.incarnation))
      MIROIR_CO_CHECK(co_await erase({trip.incarnation, trip.shard}));
  }
  co_return Result<void>{};
}

Async<Result<void>> Breaker::erase(Key key) {
  Batch batch;
  batch.erase(Table::kMeta, row_key(key.first, key.second));
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  trips_.erase(key);
  co_return Result<void>{};
}

// In memory only once it is durable.
Async<Result<void>> Breaker::save(Trip trip) {
  Batch batch;
  batch.put(Table::kMeta, row_key(trip.incarnation, trip.shard), to_text(to_json(trip)));
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  trips_[{trip.incarnation, trip.shard}] = std::move(trip);
  co_return Result<void>{};
}

}  // namespace miroir::anti_entropy
