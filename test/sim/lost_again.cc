#include "sim/lost_again.h"

#include <fmt/format.h>

#include <algorithm>

#include "node_api/stored_fields.h"
#include "sim/json_at.h"

namespace miroir::sim {
namespace {

// As docs/admin.md says; a deep pass that finds it right in between begins the count again.
constexpr int kRepairs = 3;
constexpr int kTimesMax = 4 * kRepairs;

struct Victim {
  std::string node;
  std::string index;
  std::string id;
};

// On the last node, which may be alone with its group's slots; of what does not expire.
std::optional<Victim> choose(World& world) {
  for (const auto& [uid, index] : world.nodes().rbegin()->second->disk().indexes) {
    for (const auto& [id, document] : index.documents) {
      if (document.find(FieldNames().updated_at) != nullptr && document.find(kExpiresAt) == nullptr)
        return Victim{world.nodes().rbegin()->first, uid, id};
    }
  }
  return std::nullopt;
}

bool is_there(World& world, const Victim& victim) {
  const auto& indexes = world.nodes().at(victim.node)->disk().indexes;
  const auto index = indexes.find(victim.index);
  return index != indexes.end() && index->second.documents.contains(victim.id);
}

bool is_quarantined(World& world, const Victim& victim) {
  const Json status = world.process().reconciler().divergence();
  const auto is_it = [&](const Json& held) {
    return text_at(held, "index") == victim.index && text_at(held, "id") == victim.id;
  };
  return std::ranges::any_of(at(status, "quarantined").as_array(), is_it);
}

}  // namespace

std::vector<std::string> lose_again(World& world,
                                    const std::function<std::optional<Json>(PassKind)>& run_pass) {
  std::vector<std::string> wrong;
  const std::optional<Victim> victim = choose(world);
  if (!victim) return wrong;
  const std::string what = fmt::format("{}/{} on {}", victim->index, victim->id, victim->node);
  for (int repairs = 0; !is_quarantined(world, *victim); ++repairs) {
    if (repairs == kTimesMax) {
      wrong.push_back(what + " is repaired without an end");
      return wrong;
    }
    world.lose(victim->node, victim->index, victim->id);
    const auto pass = run_pass(repairs % 2 == 0 ? PassKind::kLight : PassKind::kDeep);
    if (!pass) return wrong;
    if (!is_there(world, *victim)) {
      wrong.push_back(what + " is not repaired: " + to_text(*pass));
      return wrong;
    }
    if (is_quarantined(world, *victim) && repairs + 1 < kRepairs)
      wrong.push_back(fmt::format("{} is quarantined after {} repairs", what, repairs + 1));
  }
  world.lose(victim->node, victim->index, victim->id);
  const auto pass = run_pass(PassKind::kLight);
  if (!pass) return wrong;
  if (is_there(world, *victim)) wrong.push_back(what + " is repaired, and quarantined");
  if (number(*pass, "unresolved") != 1 || at(*pass, "clean") == Json(true))
    wrong.push_back(what + " alone is quarantined: " + to_text(*pass));
  world.begin(Request{Act::kReplace, victim->index, {victim->id}, "found"}, true);
  return wrong;
}

}  // namespace miroir::sim
