#include "anti_entropy/state_difference.h"

#include <algorithm>
#include <array>
#include <optional>

#include "meili/task.h"

namespace miroir::anti_entropy {
namespace {

std::string say(const std::string& node, const std::string& what) {
  return "node " + node + ": " + what;
}

// A node prints times its own way and lists in its own order.
Json comparable(const Json* value) {
  if (value == nullptr) return Json();
  if (value->is_string()) {
    const auto time = meili::parse_date_time(value->as_string(), false);
    return time ? Json(time->time_since_epoch().count()) : *value;
  }
  if (!value->is_array()) return *value;
  std::set<std::string> members;
  for (const Json& each : value->as_array()) members.insert(to_text(each));
  Json sorted = Json::array();
  for (const std::string& each : members) sorted.push_back(each);
  return sorted;
}

// Whether the node's key says what the catalogue's says; the node adds members of its own.
bool same_key(const Json& wanted, const Json& held) {
  return std::ranges::all_of(std::array{"name", "description", "actions", "indexes", "expiresAt"},
                             [&](const char* name) {
                               return comparable(wanted.find(name)) == comparable(held.find(name));
                             });
}

void compare_indexes(const Catalogue& catalogue, const std::string& node, const NodeState& state,
                     const Expectations& expected, std::vector<StateDifference>& differences) {
  for (const auto& [uid, index] : catalogue.indexes()) {
    const auto held = state.indexes.find(uid);
    if (held == state.indexes.end()) {
      differences.push_back(
          {node, StateDefect::kIndexMissing, uid, say(node, "index `" + uid + "` is missing")});
    } else if (held->second.primary_key && held->second.primary_key != index.primary_key &&
               expected.in_doubt.contains({node, uid})) {
      differences.push_back({node, StateDefect::kIndexOther, uid,
                             say(node, "index `" + uid + "` is another: a swap of it failed")});
    } else if (index.primary_key && !held->second.primary_key) {
      differences.push_back({node, StateDefect::kPrimaryKeyMissing, uid,
                             say(node, "index `" + uid + "` has no primary key")});
    } else if (index.primary_key && held->second.primary_key != index.primary_key) {
      differences.push_back(
          {node, StateDefect::kPrimaryKeyOther, uid,
           say(node, "index `" + uid + "` has the primary key `" + *held->second.primary_key +
                         "` instead of `" + *index.primary_key + "`")});
    }
  }
  for (const auto& [uid, held] : state.indexes) {
    if (catalogue.index(uid) != nullptr) continue;
    if (expected.left.contains({node, uid})) {
      differences.push_back({node, StateDefect::kIndexLeft, uid,
                             say(node, "index `" + uid + "` is still there: its drop failed")});
    } else {
      differences.push_back({node, StateDefect::kIndexUnknown, uid,
                             say(node, "index `" + uid + "` was made behind Miroir's back")});
    }
  }
}

void compare_keys(const Catalogue& catalogue, const std::string& node, const NodeState& state,
                  std::vector<StateDifference>& differences) {
  for (const auto& [uid, key] : catalogue.keys()) {
    const auto held = state.keys.find(uid);
    if (held != state.keys.end() && same_key(key.key, held->second)) continue;
    differences.push_back(
        {node, StateDefect::kKey, uid,
         say(node, "key " + uid + (held == state.keys.end() ? " is missing" : " differs"))});
  }
}

// What all nodes read back, or, once they were all given it again, more than half of them.
std::optional<Json> agreed(const std::map<std::string, NodeState>& nodes, const std::string& uid,
                           bool given_again) {
  std::map<std::string, std::pair<const Json*, std::size_t>> votes;
  std::size_t voters = 0;
  for (const auto& [node, state] : nodes) {
    const auto settings = state.settings.find(uid);
    if (settings == state.settings.end()) continue;
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

void compare_settings(const Catalogue& catalogue, const std::map<std::string, NodeState>& nodes,
                      const Expectations& expected, std::vector<StateDifference>& differences) {
  for (const auto& [uid, index] : catalogue.indexes()) {
    const auto remembered = expected.settings.find(uid);
    const std::optional<Json> wanted = remembered != expected.settings.end()
                                           ? std::optional(remembered->second)
                                           : agreed(nodes, uid, expected.given_again.contains(uid));
    for (const auto& [node, state] : nodes) {
      const auto held = state.settings.find(uid);
      if (held == state.settings.end() || (wanted && held->second == *wanted)) continue;
      differences.push_back(
          {node, StateDefect::kSettings, uid,
           say(node, "the settings of index `" + uid + "` are not those of the log")});
    }
  }
}

}  // namespace

std::vector<StateDifference> compare_states(const Catalogue& catalogue,
                                            const std::map<std::string, NodeState>& nodes,
                                            const Expectations& expected) {
  std::vector<StateDifference> differences;
  for (const auto& [node, state] : nodes) {
    compare_indexes(catalogue, node, state, expected, differences);
    compare_keys(catalogue, node, state, differences);
  }
  compare_settings(catalogue, nodes, expected, differences);
  return differences;
}

}  // namespace miroir::anti_entropy
