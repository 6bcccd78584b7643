#include "anti_entropy/audit.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kUnresolvedRemembered = 100'000;
constexpr std::string_view kAnnounced = "being sent, and not read again yet";

// What is lost with the copy: a content that is another than the winner's, or the only one.
bool loses_content(const Copy& copy, const Verdict& verdict, const Copy* winner) {
  switch (verdict.treatment) {
    case Treatment::kLeave:
      return false;
    case Treatment::kReplace:
      return true;
    case Treatment::kAdopt:
      return winner != nullptr && copy.content != winner->content;
    case Treatment::kDelete:
      return !copy.stored.stamp;
  }
  return false;
}

Json copy_to_json(const DocumentCopies& copies, const Copy& copy, const Verdict& verdict,
                  const Copy* winner, bool stray) {
  static constexpr std::string_view kPresence[] = {"present", "absent", "unknown"};
  Json json = Json::object({{"node", copy.node},
                            {"presence", kPresence[static_cast<int>(copy.presence)]},
                            {"finding", name(verdict.finding)},
                            {"treatment", name(verdict.treatment)},
                            {"inSync", copy.in_sync}});
  if (stray) json.set("stray", true);
  if (copy.tainted) json.set("tainted", true);
  if (copy.in_doubt) json.set("inDoubt", true);
  if (!copy.present()) return json;
  json.set("stamp", or_null(copy.stored.stamp));
  json.set("base", or_null(copy.stored.base));
  json.set("content", copy.content.hex());
  json.set("checksumCounts", copy.checksum_counts());
  if (copy.checksum_counts()) json.set("checksumHolds", copy.checksum_holds());
  json.set("contradictsItself", copy.contradicts_itself(copies.id));
  if (loses_content(copy, verdict, winner)) json.set("document", copy.text);
  return json;
}

}  // namespace

// Before the last row of what is unresolved is forgotten there is another.
Audit::Audit(Store& store, Microseconds retention)
    : store_(store),
      again_after_(std::min<Microseconds>(std::chrono::days(1), retention / 2 + Microseconds(1))) {}

// What a row says on that day, whichever pass says it.
Hash128 Audit::meaning_of(Json row, WallTime now) const {
  row.set("day", now.time_since_epoch() / again_after_);
  for (const std::string_view of_the_pass : {"pass", "at", "readAt"}) row.erase(of_the_pass);
  return xxh3_128(to_text(row));
}

void Audit::begin(std::uint64_t pass) {
  pass_ = pass;
  rows_ = 0;
  announced_.clear();
  unresolved_before_ = std::move(unresolved_);
  unresolved_.clear();
}

void Audit::announce_one(Batch& batch, const std::string& of, const Json& row) {
  announced_[of] = rows_;
  batch.put(Table::kRepair, key_of_row(rows_++), to_text(row));
}

void Audit::take_away_announced(Batch& batch) {
  for (const auto& [id, row] : announced_) batch.erase(Table::kRepair, key_of_row(row));
  announced_.clear();
}

Async<Result<void>> Audit::announce(std::string index, std::vector<const Judged*> documents,
                                    Position read_at, WallTime now) {
  Batch batch;
  for (const Judged* judged : documents) {
    const Handled sent{.judged = *judged,
                       .read_at = read_at,
                       .repaired = false,
                       .outcome = std::string(kAnnounced)};
    announce_one(batch, judged->copies.id, to_json(sent, index, pass_, now));
  }
  co_return co_await store_.commit(std::move(batch));
}

Async<Result<void>> Audit::announce(std::vector<StateDifference> differences, WallTime now) {
  Batch batch;
  for (StateDifference& difference : differences) {
    const HandledState sent{
        .difference = std::move(difference), .healed = false, .outcome = std::string(kAnnounced)};
    announce_one(batch, sent.difference.sentence, to_json(sent, pass_, now));
  }
  co_return co_await store_.commit(std::move(batch));
}

Async<Result<void>> Audit::withdraw() {
  Batch batch;
  take_away_announced(batch);
  co_return co_await store_.commit(std::move(batch));
}

void Audit::remember(const std::vector<Hash128>& rows) {
  for (const Hash128& row : rows)
    if (unresolved_.size() < kUnresolvedRemembered) unresolved_.insert(row);
}

Async<Result<void>> Audit::record(std::string index, std::vector<Handled> handled, WallTime now) {
  std::vector<Outcome> rows;
  for (const Handled& one : handled)
    rows.push_back({one.judged.copies.id, to_json(one, index, pass_, now), one.repaired});
  return record(std::move(rows), now);
}

Async<Result<void>> Audit::record(std::vector<HandledState> handled, WallTime now) {
  std::vector<Outcome> rows;
  for (const HandledState& one : handled)
    rows.push_back({one.difference.sentence, to_json(one, pass_, now), one.healed});
  return record(std::move(rows), now);
}

// But for what the pass before this one wrote, or knew, on the same day (again_after_).
Async<Result<void>> Audit::record(std::vector<Outcome> rows, WallTime now) {
  Batch batch;
  std::vector<Hash128> unresolved;
  for (const Outcome& one : rows) {
    if (!one.repaired) {
      const Hash128 meaning = meaning_of(one.row, now);
      if (unresolved_before_.contains(meaning)) {
        remember({meaning});
        continue;
      }
      unresolved.push_back(meaning);
    }
    const auto announced = announced_.extract(one.of);
    batch.put(Table::kRepair, key_of_row(announced ? announced.mapped() : rows_++),
              to_text(one.row));
  }
  take_away_announced(batch);
  if (batch.empty()) co_return Result<void>{};
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  remember(unresolved);
  co_return Result<void>{};
}

Async<Result<std::vector<Json>>> Audit::load(std::optional<std::uint64_t> pass, std::size_t limit) {
  const std::string first = pass ? key_of(*pass) : "";
  const std::string end = pass ? prefix_end(key_of(*pass)) : "";
  MIROIR_CO_TRY(const auto rows, co_await store_.scan(Table::kRepair, first, end, limit, true));
  std::vector<Json> repairs;
  for (const Row& row : rows) {
    MIROIR_CO_TRY(Json repair, parse_json(row.value));
    repairs.push_back(std::move(repair));
  }
  co_return repairs;
}

Json to_json(const Handled& handled, const std::string& index, std::uint64_t pass, WallTime now) {
  const auto& [copies, knowledge, decision] = handled.judged;
  Json list = Json::array();
  const Copy* winner = winner_of(copies, decision);
  for (std::size_t i = 0; i < copies.owners.size(); ++i)
    list.push_back(copy_to_json(copies, copies.owners[i], decision.owners[i], winner, false));
  for (std::size_t i = 0; i < copies.strays.size(); ++i)
    list.push_back(copy_to_json(copies, copies.strays[i], decision.strays[i], winner, true));
  Json json = Json::object({{"pass", pass},
                            {"at", to_rfc3339(now)},
                            {"index", index},
                            {"id", copies.id},
                            {"action", name(decision.action)},
                            {"reason", code(decision.reason)},
                            {"why", sentence(decision.reason)},
                            {"winner", winner == nullptr ? Json() : Json(winner->node)},
                            {"repaired", handled.repaired},
                            {"outcome", handled.outcome},
                            {"readAt", handled.read_at},
                            {"deletedAtStamp", or_null(knowledge.deleted)}});
  json.set("copies", std::move(list));
  return json;
}

Json to_json(const HandledState& handled, std::uint64_t pass, WallTime now) {
  const StateDifference& difference = handled.difference;
  const bool key = difference.of_key();
  return Json::object({{"pass", pass},
                       {"at", to_rfc3339(now)},
                       {"index", key ? Json() : Json(difference.name)},
                       {"id", Json()},
                       {"key", key ? Json(difference.name) : Json()},
                       {"node", difference.node},
                       {"action", difference.healable() ? "heal" : "report"},
                       {"reason", code(difference.defect)},
                       {"why", difference.sentence},
                       {"held", difference.held},
                       {"wanted", difference.wanted},
                       {"repaired", handled.healed},
                       {"outcome", handled.outcome}});
}

}  // namespace miroir::anti_entropy
