#include "anti_entropy/state_difference.h"

#include <algorithm>
#include <optional>

#include "meili/api_key.h"

namespace miroir::anti_entropy {
namespace {

std::string say(const std::string& node, const std::string& what) {
  return "node " + node + ": " + what;
}

Json without(const Json& object, std::string_view member) {
  Json rest = Json::object();
  for (const auto& [name, value] : object.as_object())
    if (name != member) rest.set(name, value);
  return rest;
}

Json describe(const NodeIndex& index) {
  return Json::object({{"primaryKey", index.primary_key ? Json(*index.primary_key) : Json()},
                       {"createdAt", index.created_at}});
}

// The one thing of an index that is wrong, if anything is.
std::optional<StateDefect> defect_of(const IndexState& index, const NodeIndex* held, bool in_doubt,
                                     bool kept, Holds holds) {
  if (held == nullptr) return StateDefect::kIndexMissing;
  if (held->primary_key == index.primary_key) return std::nullopt;
  if (!held->primary_key) return StateDefect::kPrimaryKeyMissing;
  if (kept) return StateDefect::kIndexKept;
  if (holds == Holds::kForeign) return StateDefect::kDocumentsUnknown;
  if (in_doubt || !index.primary_key) return StateDefect::kIndexOther;
  // A node lets the key be changed as long as there is no document (docs/design.md).
  return holds == Holds::kNothing ? StateDefect::kPrimaryKeyOther : StateDefect::kDocumentsUnknown;
}

constexpr std::string_view kWhyKept =
    "is not what the log says, and may be the last of an index: no replica in sync holds that";

std::string other_key(const std::string& name, const IndexState& index, const NodeIndex& held) {
  return name + "has the primary key `" + *held.primary_key + "` instead of `" +
         *index.primary_key + "`";
}

std::string what_is_wrong(StateDefect defect, const IndexState& index, const NodeIndex* held) {
  std::string name = "index `" + index.uid + "` ";
  switch (defect) {
    case StateDefect::kIndexMissing:
      return name + "is missing";
    case StateDefect::kIndexOther:
      return name + "is another, or a stranger gave it a primary key";
    case StateDefect::kIndexKept:
      return name.append(kWhyKept);
    case StateDefect::kPrimaryKeyMissing:
      return name + "has no primary key";
    case StateDefect::kDocumentsUnknown:
      if (!index.primary_key)
        return name + "holds documents that were written behind Miroir's back";
      return other_key(name, index, *held) + ", and documents under it: drop it on that node";
    default:
      return other_key(name, index, *held);
  }
}

std::string why_it_is_none_of_ours(StateDefect defect, const std::string& uid) {
  std::string name = "index `" + uid + "` ";
  if (defect == StateDefect::kIndexKept) return name.append(kWhyKept);
  if (defect == StateDefect::kIndexLeft) return name + "is still there: its drop failed";
  return name + "was made behind Miroir's back";
}

void compare_indexes(const Catalogue& catalogue, const std::string& node, const NodeState& state,
                     const Expectations& expected, std::vector<StateDifference>& differences) {
  for (const auto& [uid, index] : catalogue.indexes()) {
    const auto found = state.indexes.find(uid);
    const NodeIndex* held = found == state.indexes.end() ? nullptr : &found->second;
    const auto holds = state.holds.find(uid);
    const auto defect = defect_of(index, held, expected.in_doubt.contains({node, uid}),
                                  expected.kept.contains({node, uid}),
                                  holds == state.holds.end() ? Holds::kForeign : holds->second);
    if (!defect) continue;
    const Json key = index.primary_key ? Json(*index.primary_key) : Json();
    differences.push_back({.node = node,
                           .defect = *defect,
                           .name = uid,
                           .sentence = say(node, what_is_wrong(*defect, index, held)),
                           .held = held == nullptr ? Json() : describe(*held),
                           .wanted = Json::object({{"primaryKey", key}})});
  }
  for (const auto& [uid, held] : state.indexes) {
    if (catalogue.index(uid) != nullptr) continue;
    const StateDefect defect = expected.kept.contains({node, uid})   ? StateDefect::kIndexKept
                               : expected.left.contains({node, uid}) ? StateDefect::kIndexLeft
                                                                     : StateDefect::kIndexUnknown;
    differences.push_back({.node = node,
                           .defect = defect,
                           .name = uid,
                           .sentence = say(node, why_it_is_none_of_ours(defect, uid)),
                           .held = describe(held)});
  }
}

// A key that has expired opens nothing, whether it is there or not.
void compare_keys(const Catalogue& catalogue, const std::string& node, const NodeState& state,
                  WallTime now, std::vector<StateDifference>& differences) {
  for (const auto& [uid, key] : catalogue.keys()) {
    const auto found = state.keys.find(uid);
    const bool missing = found == state.keys.end();
    if (!missing && meili::same_key(key.key, found->second)) continue;
    const bool opens = !missing && meili::is_alive(found->second, now);
    if (!opens && !meili::is_alive(key.key, now)) continue;
    differences.push_back(
        {.node = node,
         .defect = StateDefect::kKey,
         .name = uid,
         .sentence = say(node, "key " + uid + (missing ? " is missing" : " differs")),
         .held = missing ? Json() : without(found->second, "key"),  // the secret itself
         .wanted = without(key.key, "key")});
  }
  for (const auto& [uid, held] : state.keys) {
    if (!catalogue.deleted_key(uid)) continue;
    differences.push_back({.node = node,
                           .defect = StateDefect::kKeyLeft,
                           .name = uid,
                           .sentence = say(node, "key " + uid + " was deleted, and is there"),
                           .held = without(held, "key")});
  }
}

// The members of `all` that `other` does not have alike.
Json unlike(const Json& all, const Json* other) {
  Json members = Json::object();
  for (const auto& [name, value] : all.as_object()) {
    const Json* its = other == nullptr ? nullptr : other->find(name);
    if (its == nullptr || *its != value) members.set(name, value);
  }
  return members;
}

// What all nodes read back, or, once they were all given it again, more than half of those that did
// not fail it.
std::optional<Json> agreed(const std::map<std::string, NodeState>& nodes, const std::string& uid,
                           const Expectations& expected) {
  const bool given_again = expected.given_again.contains(uid);
  const bool spares_failed = given_again || expected.reports_only;
  std::map<std::string, std::pair<const Json*, std::size_t>> votes;
  std::size_t voters = 0;
  for (const auto& [node, state] : nodes) {
    const auto settings = state.settings.find(uid);
    if (settings == state.settings.end()) continue;
    if (spares_failed && expected.failed.contains({node, uid})) continue;
    auto& [value, count] = votes[to_text(settings->second)];
    value = &settings->second;
    ++count;
    ++voters;
  }
  for (const auto& [text, vote] : votes) {
    if (vote.second == voters || (given_again && vote.second * 2 > voters)) return *vote.first;
  }
  return std::nullopt;
}

std::string what_is_wrong_with_settings(const std::string& uid, bool known, bool failed) {
  const std::string name = "the settings of index `" + uid + "` ";
  if (failed) return name + "are not those of the log: it failed to apply them";
  if (known) return name + "are not those of the log";
  return name + "may not be those of the log: the nodes do not agree on them";
}

void compare_settings(const Catalogue& catalogue, const std::map<std::string, NodeState>& nodes,
                      const Expectations& expected, std::vector<StateDifference>& differences) {
  for (const auto& [uid, index] : catalogue.indexes()) {
    const auto remembered = expected.settings.find(uid);
    std::optional<Json> wanted;
    if (remembered != expected.settings.end()) {
      wanted = remembered->second;
    } else if (!expected.refused.contains(uid)) {
      wanted = agreed(nodes, uid, expected);
    }
    for (const auto& [node, state] : nodes) {
      const auto held = state.settings.find(uid);
      if (held == state.settings.end() || (wanted && held->second == *wanted)) continue;
      differences.push_back({.node = node,
                             .defect = StateDefect::kSettings,
                             .name = uid,
                             .sentence = say(node, what_is_wrong_with_settings(
                                                       uid, wanted.has_value(),
                                                       expected.failed.contains({node, uid}))),
                             .held = unlike(held->second, wanted ? &*wanted : nullptr),
                             .wanted = wanted ? unlike(*wanted, &held->second) : Json()});
    }
  }
}

}  // namespace

std::string_view code(StateDefect defect) {
  static constexpr std::string_view kCodes[] = {"index_missing",     "index_unknown",
                                                "index_left",        "index_other",
                                                "index_kept",        "primary_key_missing",
                                                "primary_key_other", "documents_unknown",
                                                "settings",          "key",
                                                "key_left"};
  return kCodes[static_cast<int>(defect)];
}

std::vector<StateDifference> compare_states(const Catalogue& catalogue,
                                            const std::map<std::string, NodeState>& nodes,
                                            const Expectations& expected) {
  std::vector<StateDifference> differences;
  for (const auto& [node, state] : nodes) {
    compare_indexes(catalogue, node, state, expected, differences);
    compare_keys(catalogue, node, state, expected.now, differences);
  }
  compare_settings(catalogue, nodes, expected, differences);
  return differences;
}

}  // namespace miroir::anti_entropy
