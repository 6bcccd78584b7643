#include "anti_entropy/reports.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kUnresolvedRemembered = 100'000;
constexpr std::size_t kForgottenAtOnce = 1'000;

Json or_null(const std::optional<Stamp>& stamp) { return stamp ? Json(*stamp) : Json(); }

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

std::string documents(std::uint64_t count) {
  return count == 1 ? "1 document" : std::to_string(count) + " documents";
}

constexpr std::pair<std::string_view, std::string_view> kEqual{"in_sync", "equal"};
constexpr std::pair<std::string_view, std::string_view> kNotCompared{"unknown", "not_compared"};

std::string audit_key(std::uint64_t pass, const std::string& index, const std::string& id) {
  return key_of(pass) + key_join(index, id);
}

}  // namespace

bool IndexReport::clean() const {
  if (!complete || unresolved > 0 || !problems.empty() || shards_compared < shards) return false;
  for (const auto& [shard, note] : notes) {
    if (!note.unknown.empty() || !note.problem.empty() || note.unresolved > 0) return false;
  }
  return true;
}

ShardState state_of(const ShardNote& note) {
  const std::uint64_t quarantined = note.looping + note.undecided;
  const std::uint64_t diverged =
      note.unresolved - std::min(note.unresolved, quarantined + note.waiting + note.reported);
  if (!note.unknown.empty()) return {"unknown", "replica", note.unknown, note.unresolved};
  if (!note.problem.empty()) return {"diverged", "no_source", note.problem, note.unresolved};
  if (note.waiting > 0)
    return {"repair_pending", "breaker", "breaker: " + documents(note.waiting), note.waiting};
  if (diverged > 0) return {"diverged", "documents", documents(diverged), diverged};
  if (note.reported > 0)
    return {"repair_pending", "repairs_off", "repairs are off: " + documents(note.reported),
            note.reported};
  if (quarantined > 0) return {"quarantined", "documents", documents(quarantined), quarantined};
  return {"in_sync", "repaired", documents(note.repaired) + " repaired", note.repaired};
}

const std::vector<std::pair<std::string_view, std::string_view>>& shard_states() {
  static const std::vector<std::pair<std::string_view, std::string_view>> all = {
      kEqual,
      {"in_sync", "repaired"},
      {"unknown", "replica"},
      kNotCompared,
      {"diverged", "documents"},
      {"diverged", "no_source"},
      {"repair_pending", "breaker"},
      {"repair_pending", "repairs_off"},
      {"quarantined", "documents"}};
  return all;
}

std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> IndexReport::states() const {
  std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> counts;
  if (shards > notes.size()) counts[complete ? kEqual : kNotCompared] += shards - notes.size();
  for (const auto& [shard, note] : notes) {
    const ShardState state = state_of(note);
    ++counts[{state.state, state.code}];
  }
  return counts;
}

Json IndexReport::to_json() const {
  Json list = Json::array();
  for (const auto& [state, count] : states()) {
    list.push_back(
        Json::object({{"state", state.first}, {"reason", state.second}, {"shards", count}}));
  }
  Json unlike = Json::array();
  for (const auto& [shard, note] : notes) {
    const ShardState state = state_of(note);
    if (state.state == "in_sync") continue;
    unlike.push_back(Json::object({{"shard", std::uint64_t{shard}},
                                   {"state", state.state},
                                   {"reason", state.code},
                                   {"why", state.text},
                                   {"documents", state.documents}}));
  }
  Json texts = Json::array();
  for (const std::string& problem : problems) texts.push_back(problem);
  return Json::object({{"index", uid},
                       {"shards", std::uint64_t{shards}},
                       {"shardsCompared", std::uint64_t{shards_compared}},
                       {"states", std::move(list)},
                       {"divergence", std::move(unlike)},
                       {"divergent", divergent},
                       {"repaired", repaired},
                       {"unresolved", unresolved},
                       {"moving", moving},
                       {"clean", clean()},
                       {"problems", std::move(texts)}});
}

std::string_view name(PassState state) {
  switch (state) {
    case PassState::kRunning:
      return "running";
    case PassState::kCompleted:
      return "completed";
    case PassState::kFailed:
      return "failed";
    case PassState::kCutOff:
      return "cut_off";
  }
  return "";
}

std::string_view name(PassKind kind) { return kind == PassKind::kLight ? "light" : "deep"; }

Json PassReport::to_json() const {
  Json its_indexes = Json::array();
  for (const IndexReport& index : indexes) its_indexes.push_back(index.to_json());
  Json its_nodes = Json::object();
  for (const auto& [node, how] : nodes) its_nodes.set(node, how);
  Json texts = Json::array();
  for (const std::string& problem : problems) texts.push_back(problem);
  Json json = Json::object({{"pass", number},
                            {"kind", name(kind)},
                            {"state", name(state)},
                            {"repair", repairs},
                            {"head", head},
                            {"startedAt", to_rfc3339(started)},
                            {"endedAt", ended ? Json(to_rfc3339(*ended)) : Json()},
                            {"clean", clean},
                            {"mismatches", mismatches},
                            {"repaired", repaired},
                            {"unresolved", unresolved},
                            {"nodes", std::move(its_nodes)},
                            {"indexes", std::move(its_indexes)},
                            {"problems", std::move(texts)}});
  // For the passes that follow: times as numbers.
  json.set("startedMicroseconds", started.time_since_epoch().count());
  if (!error.empty()) json.set("error", error);
  if (kind != PassKind::kDeep) return json;
  json.set("resumes", resumes == 0 ? Json() : Json(resumes));
  json.set("whole", whole);
  if (whole && sweep_clean) {
    json.set("cleanSweep",
             Json::object({{"head", sweep_head},
                           {"startedMicroseconds", sweep_started.time_since_epoch().count()}}));
  }
  return json;
}

Async<Result<void>> save_pass(Store& store, PassReport report) {
  Batch batch;
  batch.put(Table::kPass, key_of(report.number), to_text(report.to_json()));
  co_return co_await store.commit(std::move(batch));
}

Async<Result<std::vector<Json>>> load_passes(Store& store, std::size_t limit) {
  MIROIR_CO_TRY(const auto rows, co_await store.scan(Table::kPass, "", "", limit, true));
  std::vector<Json> passes;
  for (const Row& row : rows) {
    MIROIR_CO_TRY(Json pass, parse_json(row.value));
    passes.push_back(std::move(pass));
  }
  co_return passes;
}

void Audit::begin(std::uint64_t pass) {
  pass_ = pass;
  unresolved_before_ = std::move(unresolved_);
  unresolved_.clear();
}

Async<Result<void>> Audit::record(std::string index, std::vector<Handled> handled, WallTime now) {
  Batch batch;
  for (const Handled& one : handled) {
    if (!one.repaired) {
      const std::string what = index + '\0' + one.judged.copies.id + '\0' +
                               std::string(code(one.judged.decision.reason)) + one.outcome;
      if (unresolved_.size() < kUnresolvedRemembered) unresolved_.insert(what);
      if (unresolved_before_.contains(what)) continue;
    }
    batch.put(Table::kRepair, audit_key(pass_, index, one.judged.copies.id),
              to_text(to_json(one, index, pass_, now)));
  }
  if (batch.empty()) co_return Result<void>{};
  co_return co_await store_.commit(std::move(batch));
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

Async<Result<void>> forget_passes(Store& store, WallTime before) {
  MIROIR_CO_TRY(const auto rows, co_await store.scan(Table::kPass, "", "", kForgottenAtOnce));
  std::optional<std::uint64_t> last;
  for (const Row& row : rows) {
    MIROIR_CO_TRY(const Json pass, parse_json(row.value));
    const Json* started = pass.find("startedMicroseconds");
    if (started == nullptr || !started->is_int64()) continue;
    if (WallTime(Microseconds(started->as_int64())) >= before) break;
    last = number_of(row.key);
  }
  if (!last) co_return Result<void>{};
  Batch batch;
  batch.erase_range(Table::kPass, "", key_of(*last + 1));
  batch.erase_range(Table::kRepair, "", key_of(*last + 1));
  co_return co_await store.commit(std::move(batch));
}

}  // namespace miroir::anti_entropy
