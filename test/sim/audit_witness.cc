#include "sim/audit_witness.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "sim/json_at.h"

namespace miroir::sim {
namespace {

// From when something is decided until it is written.
constexpr Microseconds kWritten = Seconds(1);
constexpr std::string_view kAnnounced = "being sent, and not read again yet";

// Of either table's rows.
std::uint64_t pass_of(const std::string& key) { return number_of(key); }

bool is_quiet(const Json& pass) {
  return at(pass, "kind") == Json("light") && at(pass, "clean") == Json(true) &&
         number(pass, "mismatches") == 0;
}

}  // namespace

AuditWitness::Time AuditWitness::time() const {
  Time time{clock_.wall_now(), clock_.wall_now()};
  for (const auto& [noted, was] : noted_) {
    if (noted + kWritten < clock_.now()) continue;
    time.from = std::min(time.from, was);
    time.to = std::max(time.to, was);
  }
  return time;
}

void AuditWitness::committed(const Batch& batch) {
  for (const Batch::Change& change : batch.changes()) {
    if (change.table != Table::kPass && change.table != Table::kRepair) continue;
    ++changes_;
    if (change.kind == Batch::Change::Kind::kPut) put(change);
    if (change.kind == Batch::Change::Kind::kErase) erased(change);
    if (change.kind == Batch::Change::Kind::kEraseRange) forgotten(change);
  }
}

void AuditWitness::put(const Batch::Change& change) {
  if (change.table == Table::kRepair) {
    kept_.repairs[change.key] = kept_.all_repairs[change.key] = change.value;
    return;
  }
  const std::uint64_t its = pass_of(change.key);
  const Json pass = *parse_json(change.value);
  const auto newest = [](const Rows& rows) {
    return rows.empty() ? 0 : pass_of(rows.rbegin()->first);
  };
  if (at(pass, "state") == Json("running")) {
    kept_.looked_at = kept_.last_end;
    if (its <= std::max(newest(kept_.passes), newest(kept_.all_repairs)))
      wrong_.push_back(fmt::format("there was a pass {} before", its));
  }
  kept_.passes[change.key] = change.value;
  if (at(pass, "endedAt").is_null()) return;
  Time end = time();
  // It may be written with a later one only.
  if (const std::uint64_t said = number(pass, "endedMicroseconds"); said > 0) {
    const WallTime then{Microseconds(static_cast<std::int64_t>(said))};
    end = {std::min(end.from, then), std::max(end.to, then)};
  }
  kept_.last_end = kept_.ends[its] = end;
}

// One by one: what was announced and is not done, and light passes that found nothing.
void AuditWitness::erased(const Batch::Change& change) {
  Rows& rows = change.table == Table::kPass ? kept_.passes : kept_.repairs;
  const auto found = rows.find(change.key);
  if (found == rows.end()) return;
  const Json row = *parse_json(found->second);
  if (change.table == Table::kPass ? !is_quiet(row) : at(row, "outcome") != Json(kAnnounced))
    wrong_.push_back("a row of the audit was taken away: " + found->second);
  rows.erase(found);
  if (change.table == Table::kRepair) kept_.all_repairs.erase(change.key);
}

void AuditWitness::forgotten(const Batch::Change& change) {
  Rows& rows = change.table == Table::kPass ? kept_.passes : kept_.repairs;
  const auto end = change.value.empty() ? rows.end() : rows.lower_bound(change.value);
  for (auto row = rows.lower_bound(change.key); row != end; row = rows.erase(row)) {
    if (!may_go(pass_of(row->first)))
      wrong_.push_back("a row of the audit was forgotten too early: " + row->second);
  }
}

bool AuditWitness::may_go(std::uint64_t pass) const {
  return std::any_of(kept_.ends.lower_bound(pass), kept_.ends.end(), [&](const auto& end) {
    return time().to - end.second.from >= retention_ - kWritten;
  });
}

// What ended by a clock that was ahead may hold up what ended since.
bool AuditWitness::must_be_gone(std::uint64_t pass) const {
  WallTime latest{};
  for (const auto& [its, end] : kept_.ends) {
    latest = std::max(latest, end.to);
    if (its >= pass && latest + retention_ + kWritten <= kept_.looked_at.from) return true;
  }
  return false;
}

void AuditWitness::check(const std::string& what, const Rows& rows, const Json& read) {
  std::vector<std::string> texts;
  for (const Json& row : read.as_array()) texts.push_back(to_text(row));
  std::vector<std::string> wanted;
  for (const auto& [key, text] : std::views::reverse(rows)) {
    wanted.push_back(to_text(*parse_json(text)));
    if (must_be_gone(pass_of(key))) wrong_.push_back("a " + what + " is still there: " + text);
  }
  if (texts != wanted)
    wrong_.push_back(fmt::format("of each {} one row is to be read, {} in all; there are {}", what,
                                 wanted.size(), texts.size()));
}

std::vector<Json> AuditWitness::repairs() const {
  std::vector<Json> all;
  for (const auto& [key, text] : std::views::reverse(kept_.all_repairs))
    all.push_back(*parse_json(text));
  return all;
}

}  // namespace miroir::sim
