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
};

Placement placement_of(const Topology& topology) {
  Placement placement{.shards = topology.shard_count(), .groups = {}};
  for (const int group : topology.groups()) {
    auto nodes = topology.nodes_of(group);
    std::ranges::sort(nodes);
    placement.groups[std::to_string(group)] = std::move(nodes);
  }
  return placement;
}

std::string encode(const Placement& placement) {
  Json groups = Json::object();
  for (const auto& [group, nodes] : placement.groups) {
    Json ids = Json::array();
    for (const std::string& id : nodes) ids.push_back(id);
    groups.set(group, std::move(ids));
  }
  return to_text(Json::object({{"shards", placement.shards}, {"groups", std::move(groups)}}));
}

Result<Placement> decode(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  const Json* shards = json.find("shards");
  const Json* groups = json.find("groups");
  if (shards == nullptr || !shards->is_int64() || groups == nullptr || !groups->is_object())
    return fail(ErrorCode::kCorrupt, "the row of the placement is malformed");
  Placement placement{.shards = shards->as_int64(), .groups = {}};
  for (const auto& [group, nodes] : groups->as_object()) {
    for (const Json& node : nodes.as_array()) placement.groups[group].push_back(node.as_string());
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
  if (!stays)
    return fail(ErrorCode::kInvalid, "nodes: none of the groups that hold the documents is left");
  return {};
}

}  // namespace

Async<Result<void>> guard_placement(Store& store, const Topology& topology, bool log_is_empty) {
  MIROIR_CO_TRY(const auto row, co_await store.get(Table::kMeta, kRow));
  const Placement now = placement_of(topology);
  if (row && !log_is_empty) {
    MIROIR_CO_TRY(const Placement before, decode(*row));
    MIROIR_CO_CHECK(compare(before, now));
  }
  std::string text = encode(now);
  if (row == text) co_return Result<void>();
  Batch batch;
  batch.put(Table::kMeta, kRow, std::move(text));
  co_return co_await store.commit(std::move(batch));
}

}  // namespace miroir
