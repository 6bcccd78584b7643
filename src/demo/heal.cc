#include <fmt/format.h>

#include <map>

#include "demo/story.h"

namespace miroir::demo {
namespace {

// The light pass runs every 5 s; two of them, and the time that their repairs take.
constexpr Milliseconds kLightTime{30'000};

std::string text(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  if (value == nullptr || value->is_null()) return "-";
  return value->is_string() ? value->as_string() : to_text(*value);
}

// "b2 stale": what was wrong, and where.
std::string wrong_copies(const Json& repair) {
  std::string wrong;
  const Json* copies = repair.find("copies");
  if (copies == nullptr || !copies->is_array()) return wrong;
  for (const Json& copy : copies->as_array()) {
    if (text(copy, "treatment") == "leave") continue;
    wrong += (wrong.empty() ? "" : ", ") + text(copy, "node") + " " + text(copy, "finding");
  }
  return wrong;
}

using Repairs = std::map<std::string, Json>;  // by document: its newest repair that succeeded

Result<Repairs> repaired_documents(Stage& stage) {
  MIROIR_TRY(const auto rows, stage.repairs());
  Repairs repairs;
  for (const Json& row : rows) {
    const Json* done = row.find("repaired");
    if (done != nullptr && done->is_bool() && done->as_bool())
      repairs.emplace(text(row, "id"), row);
  }
  return repairs;
}

std::size_t missing_from(const Repairs& repairs, const std::set<std::string>& ids) {
  std::size_t missing = 0;
  for (const std::string& id : ids) missing += repairs.contains(id) ? 0 : 1;
  return missing;
}

void show_table(const Repairs& repairs, const Damage& damage) {
  say(fmt::format("  {:<26} {:<28} {:<7} {:<9} {}", "DOCUMENT", "WHAT WAS WRONG", "WINNER", "DONE",
                  "WHY"));
  const std::pair<const char*, const std::set<std::string>*> kinds[] = {
      {"deleted on b2", &damage.deleted},
      {"stale on b2", &damage.stale},
      {"resurrected on b2", &damage.resurrected},
      {"changed on b2", &damage.changed}};
  for (const auto& [title, ids] : kinds) {
    for (const std::string& id : *ids) {
      const auto found = repairs.find(id);
      if (found == repairs.end()) continue;
      const Json& row = found->second;
      say(fmt::format("  {:<26} {:<28} {:<7} {:<9} {}", id.substr(0, 26),
                      wrong_copies(row).substr(0, 28), text(row, "winner"), text(row, "action"),
                      text(row, "why")));
    }
  }
}

// Those that a digest can show: all but contents under an unchanged stamp.
Result<Repairs> wait_for_light(Stage& stage, const Damage& damage) {
  SystemClock clock;
  const Instant start = clock.now();
  std::size_t missing = 0;
  while (clock.now() < start + kLightTime) {
    MIROIR_TRY(Repairs repairs, repaired_documents(stage));
    missing = missing_from(repairs, damage.deleted) + missing_from(repairs, damage.stale) +
              missing_from(repairs, damage.resurrected);
    if (missing == 0) {
      say(fmt::format("  the light pass repaired {} documents within {:.1f} s",
                      damage.deleted.size() + damage.stale.size() + damage.resurrected.size(),
                      std::chrono::duration<double>(clock.now() - start).count()));
      return repairs;
    }
    pause(Milliseconds(200));
  }
  return fail(ErrorCode::kTimeout,
              fmt::format("{} documents were not repaired by the light pass", missing));
}

}  // namespace

Result<void> heal(Stage& stage, const Damage& damage) {
  MIROIR_TRY(const Repairs by_light, wait_for_light(stage, damage));
  MIROIR_CHECK(stage.wait_equal());
  say("  node " + damage.restored_node + " is in sync again");
  if (missing_from(by_light, damage.changed) != damage.changed.size()) {
    return fail(ErrorCode::kInternal, "the light pass cannot see contents, and yet repaired them");
  }
  MIROIR_TRY(const Json deep, stage.run_pass("deep"));
  say(fmt::format("  the deep pass found {}, repaired {}", text(deep, "mismatches"),
                  text(deep, "repaired")));
  MIROIR_TRY(const Repairs repairs, repaired_documents(stage));
  if (const std::size_t missing = missing_from(repairs, damage.changed); missing > 0) {
    return fail(ErrorCode::kInternal,
                fmt::format("{} changed documents were not repaired", missing));
  }
  show_table(repairs, damage);
  MIROIR_CHECK(stage.wait_equal());
  return {};
}

Result<void> prove(Stage& stage) {
  MIROIR_TRY(const Proof proof, check(stage.checked_nodes(), kIndex, stage.model()));
  say(fmt::format("  {} documents acknowledged, {} copies read directly from {} nodes",
                  stage.model().documents().size(), proof.documents_read, stage.nodes().size()));
  for (const std::string& sentence : proof.wrong) say("  WRONG: " + sentence);
  if (proof.wrong_count > 0) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the proof failed: {} documents are wrong", proof.wrong_count));
  }
  say("  all equal; nothing acknowledged is missing; nothing deleted is back");
  return {};
}

}  // namespace miroir::demo
