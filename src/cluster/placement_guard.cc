#include "cluster/placement_guard.h"

#include <algorithm>
#include <map>

#include "base/json.h"

namespace miroir {
namespace {

constexpr const char* kRow = "placement";

struct Placement {
  std::int64_t shards = 0;
  std::map<std::string, std::vector<std::string>> groups;  // name → node ids, rising
  // Of each node that ever was in a group, those of the group: by them it holds what it holds.
  std::map<std::string, std::vector<std::string>> peers;
};

Placement placement_of(const Topology& topology) {
  Placement placement{.shards = topology.shard_count(), .groups = {}, .peers = {}};
  for (const int group : topology.groups()) {
    auto nodes = topology.nodes_of(group);
    std::ranges::sort(nodes);
    for (const std::string& node : nodes) placement.peers[node] = nodes;
    placement.groups[std::to_string(group)] = std::move(nodes);
  }
  return placement;
}

Json to_json(const std::map<std::string, std::vector<std::string>>& lists) {
  Json json = Json::object();
  for (const auto& [name, nodes] : lists) {
    Json ids = Json::array();
    for (const std::string& id : nodes) ids.push_back(id);
    json.set(name, std::move(ids));
  }
  return json;
}

std::map<std::string, std::vector<std::string>> lists_of(const Json& json) {
  std::map<std::string, std::vector<std::string>> lists;
  for (const auto& [name, nodes] : json.as_object()) {
    for (const Json& node : nodes.as_array()) lists[name].push_back(node.as_string());
  }
  return lists;
}

std::string encode(const Placement& placement) {
  return to_text(Json::object({{"shards", placement.shards},
                               {"groups", to_json(placement.groups)},
                               {"peers", to_json(placement.peers)}}));
}

Result<Placement> decode(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  const Json* shards = json.find("shards");
  const Json* groups = json.find("groups");
  if (shards == nullptr || !shards->is_int64() || groups == nullptr || !groups->is_object())
    return fail(ErrorCode::kCorrupt, "the row of the placement is malformed");
  Placement placement{.shards = shards->as_int64(), .groups = lists_of(*groups), .peers = {}};
  const Json* peers = json.find("peers");
  if (peers != nullptr && peers->is_object()) placement.peers = lists_of(*peers);
  // Older rows have none.
  for (const auto& [group, nodes] : placement.groups) {
    for (const std::string& node : nodes) placement.peers.try_emplace(node, nodes);
  }
  return placement;
}

std::string list(const std::vector<std::string>& nodes) {
  std::string text;
  for (const std::string& node : nodes) text += (text.empty() ? "" : ", ") + node;
  return text;
}

Result<void> compare(const Placement& before, const Placement& now) {
  if (before.shards != now.shards) {
    return fail(ErrorCode::kInvalid,
                "shards: documents are placed by " + std::to_string(before.shards) +
                    " shards and cannot be moved to " + std::to_string(now.shards) + " yet");
  }
  bool stays = false;
  for (const auto& [group, nodes] : now.groups) {
    const auto old = before.groups.find(group);
    if (old == before.groups.end()) continue;
    stays = true;
    if (old->second != nodes) {
      return fail(ErrorCode::kInvalid, "nodes: group " + group + " consists of " +
                                           list(old->second) +
                                           "; its documents cannot be moved to " + list(nodes) +
                                           " yet (a new group can be added instead)");
    }
  }
  for (const auto& [node, peers] : now.peers) {
    const auto old = before.peers.find(node);
    if (old == before.peers.end() || old->second == peers) continue;
    return fail(ErrorCode::kInvalid, "nodes: " + node + " was in a group of " + list(old->second) +
                                         "; its documents cannot be moved to " + list(peers) +
                                         " yet (an empty node under another id can be added " +
                                         "instead)");
  }
  if (!stays)
    return fail(ErrorCode::kInvalid, "nodes: none of the groups that hold the documents is left");
  return {};
}

}  // namespace

Async<Result<void>> guard_placement(Store& store, const Topology& topology, bool log_is_empty) {
  MIROIR_CO_TRY(const auto row, co_await store.get(Table::kMeta, kRow));
  Placement now = placement_of(topology);
  if (row && !log_is_empty) {
    MIROIR_CO_TRY(Placement before, decode(*row));
    MIROIR_CO_CHECK(compare(before, now));
    now.peers.merge(before.peers);
  }
  std::string text = encode(now);
  if (row == text) co_return Result<void>();
  Batch batch;
  batch.put(Table::kMeta, kRow, std::move(text));
  co_return co_await store.commit(std::move(batch));
}

}  // namespace miroir
