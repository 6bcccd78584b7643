#include "anti_entropy/reports.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

constexpr std::size_t kReadAtOnce = 1'000;

std::string documents(std::uint64_t count) {
  return count == 1 ? "1 document" : std::to_string(count) + " documents";
}

constexpr std::pair<std::string_view, std::string_view> kEqual{"in_sync", "equal"};
constexpr std::pair<std::string_view, std::string_view> kNotCompared{"unknown", "not_compared"};

Async<Result<std::optional<std::uint64_t>>> last_to_forget(Store& store, WallTime now,
                                                           Microseconds retention) {
  std::optional<std::uint64_t> last;
  for (std::string first;;) {
    MIROIR_CO_TRY(const auto rows, co_await store.scan(Table::kPass, first, "", kReadAtOnce));
    for (const Row& row : rows) {
      MIROIR_CO_TRY(const Json pass, parse_json(row.value));
      const Json* ended = pass.find("endedMicroseconds");
      if (ended == nullptr || !ended->is_int64()) continue;
      const WallTime end{Microseconds(ended->as_int64())};
      if (end > now) continue;  // by a clock that was ahead
      if (end + retention >= now) co_return last;
      last = number_of(row.key);
    }
    if (rows.size() < kReadAtOnce) co_return last;
    first = key_of(number_of(rows.back().key) + 1);
  }
}

}  // namespace

IndexReport IndexReport::not_compared(const IndexState& index, std::uint32_t shards) {
  IndexReport report;
  report.uid = index.uid;
  report.incarnation = index.incarnation;
  report.shards = shards;
  return report;
}

bool IndexReport::clean() const {
  if (!complete || unresolved > 0 || moving > 0 || !problems.empty() || shards_compared < shards)
    return false;
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
  if (!note.doubt.empty()) return {"unknown", "in_doubt", note.doubt};
  return {"in_sync", "repaired", documents(note.repaired) + " repaired", note.repaired};
}

const std::vector<std::pair<std::string_view, std::string_view>>& shard_states() {
  static const std::vector<std::pair<std::string_view, std::string_view>> all = {
      kEqual,
      {"in_sync", "repaired"},
      {"unknown", "replica"},
      kNotCompared,
      {"unknown", "in_doubt"},
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

void IndexReport::add_problem(std::string sentence) {
  hinders_all = true;
  if (std::ranges::count(problems, sentence) == 0) problems.push_back(std::move(sentence));
}

void IndexReport::add_problem_of(const std::string& node, std::string sentence) {
  hindered.insert(node);
  if (std::ranges::count(problems, sentence) == 0) problems.push_back(std::move(sentence));
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
  if (ended) json.set("endedMicroseconds", ended->time_since_epoch().count());
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

Async<Result<Position>> newest_clean_head(Store& store) {
  constexpr std::size_t kAtOnce = 8;  // most often the first is it
  for (std::string end;;) {
    MIROIR_CO_TRY(const auto rows, co_await store.scan(Table::kPass, "", end, kAtOnce, true));
    for (const Row& row : rows) {
      MIROIR_CO_TRY(const Json pass, parse_json(row.value));
      const Json* clean = pass.find("clean");
      const Json* head = pass.find("head");
      if (clean != nullptr && *clean == Json(true) && head != nullptr && head->is_int64())
        co_return head->as_uint64();
    }
    if (rows.size() < kAtOnce) co_return Position{0};
    end = rows.back().key;
  }
}

Async<Result<void>> forget_passes(Store& store, WallTime now, Microseconds retention) {
  MIROIR_CO_TRY(const auto last, co_await last_to_forget(store, now, retention));
  if (!last) co_return Result<void>{};
  Batch batch;
  batch.erase_range(Table::kPass, "", key_of(*last + 1));
  batch.erase_range(Table::kRepair, "", key_of(*last + 1));
  co_return co_await store.commit(std::move(batch));
}

}  // namespace miroir::anti_entropy
