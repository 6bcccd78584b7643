#include "anti_entropy/collection.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

const std::string kRow = "tombstone collection";
constexpr int kParts = 64;  // to how much of itself an age is told

// Where the log's head was when, the oldest first.
class PastHeads {
 public:
  static Result<PastHeads> parse(const Json* json) {
    PastHeads heads;
    if (json == nullptr || !json->is_array())
      return fail(ErrorCode::kCorrupt, "the row of the collection of tombstones is incomplete");
    for (const Json& each : json->as_array()) {
      const Json::Array& numbers = each.as_array();
      heads.heads_.push_back(
          {numbers.at(0).as_uint64(), WallTime(Microseconds(numbers.at(1).as_int64()))});
    }
    return heads;
  }
  Json to_json() const {
    Json json = Json::array();
    for (const auto& [head, at] : heads_)
      json.push_back(Json::array({head, at.time_since_epoch().count()}));
    return json;
  }

  // The newest is always there, and of those before it some.
  void add(Position head, WallTime at, Microseconds age) {
    const std::size_t count = heads_.size();
    if (count > 1 && at - heads_[count - 2].at < age / kParts) heads_.pop_back();
    heads_.push_back({head, at});
  }
  // The newest that is of that age; 0: none is. What is not needed for it any more goes.
  Position of_age(Microseconds age, WallTime now) {
    while (heads_.size() > 1 && now - heads_[1].at >= age) heads_.erase(heads_.begin());
    return heads_.empty() || now - heads_.front().at < age ? 0 : heads_.front().head;
  }
  // Noted by a clock that was ahead.
  void forget_after(WallTime now) {
    std::erase_if(heads_, [&](const PastHead& one) { return one.at > now; });
  }

 private:
  struct PastHead {
    Position head = 0;
    WallTime at;
  };
  std::vector<PastHead> heads_;
};

}  // namespace

Async<Result<void>> collect_tombstones(const Tools& tools, PassReport report) {
  PastHeads passes;
  PastHeads clean_sweeps;
  MIROIR_CO_TRY(const auto row, co_await tools.store.get(Table::kMeta, kRow));
  if (row) {
    MIROIR_CO_TRY(const Json json, parse_json(*row));
    MIROIR_CO_TRY(passes, PastHeads::parse(json.find("passes")));
    MIROIR_CO_TRY(clean_sweeps, PastHeads::parse(json.find("cleanSweeps")));
  }
  const WallTime now = tools.clock.wall_now();
  passes.forget_after(now);
  clean_sweeps.forget_after(now);
  const Microseconds retention = tools.options.tombstone_retention;
  const Microseconds age_min = tools.options.tombstone_age_min;
  passes.add(report.head, report.started, retention);
  if (report.whole && report.sweep_clean)
    clean_sweeps.add(report.sweep_head, report.sweep_started, age_min);
  const Position before =
      std::max(passes.of_age(retention, now), clean_sweeps.of_age(age_min, now));
  Batch batch;
  batch.put(Table::kMeta, kRow,
            to_text(Json::object(
                {{"passes", passes.to_json()}, {"cleanSweeps", clean_sweeps.to_json()}})));
  MIROIR_CO_CHECK(co_await tools.store.commit(std::move(batch)));
  if (before == 0 || !report.clean || report.kind != PassKind::kDeep) co_return Result<void>{};
  std::vector<Position> incarnations;
  for (const auto& [uid, index] : tools.log.catalogue().indexes())
    incarnations.push_back(index.incarnation);
  for (Position incarnation : incarnations) {
    MIROIR_CO_CHECK(co_await tools.log.collect_tombstones(incarnation, before));
  }
  co_return Result<void>{};
}

}  // namespace miroir::anti_entropy
