#include "anti_entropy/quarantine.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

constexpr std::string_view kRows = "quarantine";
constexpr std::size_t kHeldMax = 100'000;
constexpr std::size_t kStreaksMax = 100'000;

std::string row_key(const Quarantine::Key& key) {
  return key_join(kRows, key_of(key.first) + key.second);
}

// Of a node that was in sync all the while: a replica that is being healed is expected to differ.
bool expected_right(const Copy& copy) { return copy.in_sync && !copy.in_doubt; }

Stamp version_of(const DocumentCopies& copies) {
  Stamp newest = 0;
  for (const auto* group : {&copies.owners, &copies.strays}) {
    for (const Copy& copy : *group) newest = std::max(newest, copy.stored.stamp.value_or(0));
  }
  return newest;
}

template <class Each>
void each_expected_right(const DocumentCopies& copies, Decision& decision, Each each) {
  for (std::size_t i = 0; i < copies.owners.size(); ++i)
    if (expected_right(copies.owners[i])) each(decision.owners[i]);
  for (std::size_t i = 0; i < copies.strays.size(); ++i)
    if (expected_right(copies.strays[i])) each(decision.strays[i]);
}

}  // namespace

Async<Result<void>> Quarantine::load() {
  const std::string first = key_join(kRows, "");
  MIROIR_CO_TRY(const auto rows,
                co_await store_.scan(Table::kMeta, first, prefix_end(first), kHeldMax));
  held_.clear();
  for (const Row& row : rows) {
    MIROIR_CO_TRY(const Json json, parse_json(row.value));
    const Json* index = json.find("index");
    const Json* version = json.find("version");
    const Json* pass = json.find("pass");
    const std::string key = row.key.substr(first.size());
    if (index == nullptr || version == nullptr || pass == nullptr || key.size() < 8)
      co_return fail(ErrorCode::kCorrupt, "a row of the quarantine is incomplete");
    held_[{number_of(key.substr(0, 8)), key.substr(8)}] = {index->as_string(), version->as_uint64(),
                                                           pass->as_uint64()};
  }
  co_return Result<void>{};
}

void Quarantine::begin(std::uint64_t pass) {
  pass_ = pass;
  seen_.clear();
}

Async<Result<bool>> Quarantine::restrain(const IndexUnderTest& index, Judged& judged) {
  const Key key{index.incarnation, judged.copies.id};
  const auto found = held_.find(key);
  if (found == held_.end()) co_return false;
  if (found->second.version != version_of(judged.copies)) {
    MIROIR_CO_CHECK(co_await free({key}));
    co_return false;
  }
  seen_.insert(key);
  bool taken = false;
  each_expected_right(judged.copies, judged.decision, [&](Verdict& verdict) {
    taken = taken || verdict.treatment != Treatment::kLeave;
    verdict.treatment = Treatment::kLeave;
  });
  co_return taken;
}

Async<Result<void>> Quarantine::repaired(IndexUnderTest index,
                                         std::vector<const Judged*> documents) {
  Batch batch;
  std::vector<std::pair<Key, Held>> caught;
  for (const Judged* judged : documents) {
    bool counts = false;
    Decision decision = judged->decision;
    each_expected_right(judged->copies, decision, [&](const Verdict& verdict) {
      counts = counts || verdict.treatment != Treatment::kLeave;
    });
    if (!counts) continue;
    const Key key{index.incarnation, judged->copies.id};
    const Stamp version = version_of(judged->copies);
    if (!streaks_.contains(key) && streaks_.size() >= kStreaksMax) continue;
    Streak& streak = streaks_[key];
    if (streak.version != version) streak = {.version = version, .pass = 0, .repairs = 0};
    if (streak.pass == pass_) continue;  // several rounds of one pass are one repair
    streak.pass = pass_;
    if (++streak.repairs < kRepairsMax || held_.size() + caught.size() >= kHeldMax) continue;
    Held held{.index = index.uid, .version = version, .pass = pass_};
    batch.put(Table::kMeta, row_key(key),
              to_text(Json::object(
                  {{"index", held.index}, {"version", held.version}, {"pass", held.pass}})));
    caught.emplace_back(key, std::move(held));
    streaks_.erase(key);
  }
  if (caught.empty()) co_return Result<void>{};
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  for (auto& [key, held] : caught) held_[key] = std::move(held);
  co_return Result<void>{};
}

Async<Result<void>> Quarantine::compared(Position incarnation,
                                         std::function<bool(const std::string& id)> includes) {
  const auto is_right = [&](const Key& key, std::uint64_t its_pass) {
    return key.first == incarnation && its_pass != pass_ && includes(key.second);
  };
  std::erase_if(streaks_,
                [&](const auto& entry) { return is_right(entry.first, entry.second.pass); });
  std::vector<Key> right;
  for (const auto& [key, held] : held_) {
    if (is_right(key, held.pass) && !seen_.contains(key)) right.push_back(key);
  }
  co_return co_await free(std::move(right));
}

Async<Result<void>> Quarantine::forget_all_but(std::set<Position> incarnations) {
  std::erase_if(streaks_,
                [&](const auto& entry) { return !incarnations.contains(entry.first.first); });
  std::vector<Key> gone;
  for (const auto& [key, held] : held_)
    if (!incarnations.contains(key.first)) gone.push_back(key);
  co_return co_await free(std::move(gone));
}

Async<Result<void>> Quarantine::free(std::vector<Key> keys) {
  if (keys.empty()) co_return Result<void>{};
  Batch batch;
  for (const Key& key : keys) batch.erase(Table::kMeta, row_key(key));
  MIROIR_CO_CHECK(co_await store_.commit(std::move(batch)));
  for (const Key& key : keys) held_.erase(key);
  co_return Result<void>{};
}

}  // namespace miroir::anti_entropy
