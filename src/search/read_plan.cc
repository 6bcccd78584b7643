#include "search/read_plan.h"

#include <algorithm>
#include <map>

#include "log/doubt.h"

namespace miroir {
namespace {

std::vector<SlotRange> joined(std::vector<SlotRange> ranges) {
  std::vector<SlotRange> out;
  for (const SlotRange& range : ranges) {
    if (!out.empty() && out.back().last + 1 == range.first) {
      out.back().last = range.last;
    } else {
      out.push_back(range);
    }
  }
  return out;
}

ReadPlan mixed_plan(const Topology& topology, const std::set<std::string>& usable,
                    std::uint64_t turn) {
  ReadPlan plan;
  std::map<std::string, std::vector<SlotRange>> asked;
  for (ShardId shard = 0; shard < topology.shard_count(); ++shard) {
    auto owners = topology.owners(shard);
    bool found = false;
    for (std::size_t i = 0; i < owners.size() && !found; ++i) {
      const std::string& owner = owners[(turn + i) % owners.size()];
      if (!usable.contains(owner)) continue;
      asked[owner].push_back(topology.slots_of(shard));
      found = true;
    }
    if (!found) plan.missing.push_back(shard);
  }
  for (auto& [node, ranges] : asked) plan.parts.push_back({node, joined(std::move(ranges))});
  return plan;
}

}  // namespace

ReadPlan plan_read(const Topology& topology, const std::set<std::string>& readable,
                   const std::set<std::string>& avoid, std::uint64_t turn) {
  std::set<std::string> usable;
  for (const std::string& node : readable) {
    if (!avoid.contains(node)) usable.insert(node);
  }
  std::vector<std::vector<std::string>> whole;
  for (int group : topology.groups()) {
    std::vector<std::string> nodes = topology.nodes_of(group);
    if (std::ranges::all_of(nodes,
                            [&](const std::string& node) { return usable.contains(node); })) {
      whole.push_back(std::move(nodes));
    }
  }
  if (whole.empty()) return mixed_plan(topology, usable, turn);
  ReadPlan plan;
  plan.whole = true;
  for (std::string& node : whole[turn % whole.size()]) plan.parts.push_back({std::move(node), {}});
  return plan;
}

std::vector<std::string> owners_to_read(const Topology& topology,
                                        const std::set<std::string>& readable, Slot slot,
                                        std::uint64_t turn) {
  std::vector<std::string> out;
  auto owners = topology.owners(topology.shard_of(slot));
  for (std::size_t i = 0; i < owners.size(); ++i) {
    const std::string& owner = owners[(turn + i) % owners.size()];
    if (readable.contains(owner)) out.push_back(owner);
  }
  return out;
}

bool Readers::doubted(const std::string& node) const {
  return std::ranges::any_of(indexes_,
                             [&](const std::string& index) { return in_doubt(log_, index, node); });
}

bool Readers::is_current(const std::string& node) const {
  return cluster_.status(node).done >= newest_ended_;
}

std::set<std::string> Readers::in_sync(bool current) const {
  std::set<std::string> nodes;
  for (const NodeConfig& node : cluster_.topology().nodes()) {
    if (cluster_.readable(node.id) && !doubted(node.id) && is_current(node.id) == current)
      nodes.insert(node.id);
  }
  return nodes;
}

std::set<std::string> Readers::readable() const { return in_sync(true); }
std::set<std::string> Readers::behind() const { return in_sync(false); }

std::vector<std::string> Readers::last_resort(ShardId shard) const {
  const auto owners = cluster_.topology().owners(shard);
  const auto is_trusted = [&](const std::string& node) {
    return cluster_.status(node).state == ReplicaState::kInSync && !doubted(node);
  };
  const bool any_trusted = std::ranges::any_of(owners, is_trusted);
  std::vector<std::string> nodes;
  for (const std::string& owner : owners) {
    const NodeStatus status = cluster_.status(owner);
    const bool is_last = is_trusted(owner) ? !is_current(owner) : !any_trusted;
    if (is_last && status.healthy && status.state != ReplicaState::kJoining) nodes.push_back(owner);
  }
  std::ranges::stable_sort(nodes, [&](const std::string& a, const std::string& b) {
    const bool doubts[] = {doubted(a), doubted(b)};
    if (doubts[0] != doubts[1]) return doubts[1];
    const bool sources[] = {cluster_.is_source(a, shard), cluster_.is_source(b, shard)};
    if (sources[0] != sources[1]) return sources[0];
    // How far it is says nothing of what it never had.
    const bool missed[] = {cluster_.progress(a).missed_entries(),
                           cluster_.progress(b).missed_entries()};
    if (missed[0] != missed[1]) return missed[1];
    return cluster_.status(a).done > cluster_.status(b).done;
  });
  return nodes;
}

void Readers::fill_with_last_resort(ReadPlan& plan, const std::set<std::string>& avoid) const {
  std::map<std::string, std::vector<SlotRange>> asked;
  for (const ShardId shard : std::exchange(plan.missing, {})) {
    const std::vector<std::string> nodes = last_resort(shard);
    const auto usable =
        std::ranges::find_if(nodes, [&](const std::string& node) { return !avoid.contains(node); });
    if (usable == nodes.end()) {
      plan.missing.push_back(shard);
    } else {
      asked[*usable].push_back(cluster_.topology().slots_of(shard));
      plan.stale.push_back(shard);
    }
  }
  for (auto& [node, ranges] : asked) plan.parts.push_back({node, joined(std::move(ranges))});
}

std::string slots_filter(const std::vector<SlotRange>& slots) {
  std::string text;
  const std::string field(kSlotField);
  for (const SlotRange& range : slots) {
    if (!text.empty()) text += " OR ";
    text += "(" + field + " >= \"" + encode_slot(range.first) + "\" AND " + field + " <= \"" +
            encode_slot(range.last) + "\")";
  }
  return text;
}

Json join_filters(const Json* clients, const std::vector<SlotRange>& slots) {
  const bool has_clients = clients != nullptr && !clients->is_null();
  if (slots.empty()) return has_clients ? *clients : Json();
  Json joined = Json::array({slots_filter(slots)});
  if (!has_clients) return joined;
  if (clients->is_array()) {
    for (const Json& each : clients->as_array()) joined.push_back(each);
  } else {
    joined.push_back(*clients);
  }
  return joined;
}

}  // namespace miroir
