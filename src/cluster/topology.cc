#include "cluster/topology.h"

#include <algorithm>
#include <set>

#include "base/assert.h"
#include "cluster/rendezvous.h"

namespace miroir {
namespace {

constexpr std::uint32_t kSlots = 65'536;

// What rendezvous knows the shard by: four bytes, the lowest first.
std::string key_of(ShardId shard) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) {
    bytes.push_back(static_cast<char>((shard >> shift) & 0xFF));
  }
  return bytes;
}

}  // namespace

Result<Topology> Topology::make(std::vector<NodeConfig> nodes, std::uint32_t shard_count) {
  if (nodes.empty()) return fail(ErrorCode::kInvalid, "nodes: expected at least one node");
  if (shard_count < 1 || shard_count > kSlots) {
    return fail(ErrorCode::kInvalid,
                "shards: expected a number from 1 to 65536, got " + std::to_string(shard_count));
  }
  std::set<std::string> ids;
  std::set<std::string> addresses;
  std::set<int> groups;
  for (const NodeConfig& node : nodes) {
    if (node.id.empty()) return fail(ErrorCode::kInvalid, "nodes: a node has no id");
    if (!ids.insert(node.id).second) {
      return fail(ErrorCode::kInvalid, "nodes: two nodes have the id \"" + node.id + "\"");
    }
    if (!addresses.insert(node.address).second) {
      return fail(ErrorCode::kInvalid, "nodes: two nodes have the address " + node.address);
    }
    groups.insert(node.group);
  }

  Topology topology;
  topology.shard_count_ = shard_count;
  topology.nodes_ = std::move(nodes);
  topology.groups_.assign(groups.begin(), groups.end());
  topology.shards_.resize(topology.nodes_.size());
  for (int group : topology.groups_) {
    std::vector<std::uint32_t>& owner = topology.owner_.emplace_back(shard_count);
    std::vector<std::uint32_t> places;
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < topology.nodes_.size(); ++i) {
      if (topology.nodes_[i].group != group) continue;
      places.push_back(i);
      names.push_back(topology.nodes_[i].id);
    }
    for (ShardId shard = 0; shard < shard_count; ++shard) {
      owner[shard] = places[rendezvous_winner(key_of(shard), names)];
      topology.shards_[owner[shard]].push_back(shard);
    }
  }
  return topology;
}

const NodeConfig* Topology::node(const std::string& id) const {
  auto found = std::ranges::find(nodes_, id, &NodeConfig::id);
  return found == nodes_.end() ? nullptr : &*found;
}

std::vector<std::string> Topology::nodes_of(int group) const {
  std::vector<std::string> ids;
  for (const NodeConfig& node : nodes_) {
    if (node.group == group) ids.push_back(node.id);
  }
  return ids;
}

ShardId Topology::shard_of(Slot slot) const {
  const auto shard = static_cast<ShardId>(std::uint64_t{slot} * shard_count_ / kSlots);
  // Bounds are rounded down, so the slot may be the next shard's first one.
  if (shard + 1 < shard_count_ && slots_of(shard + 1).first <= slot) return shard + 1;
  return shard;
}

SlotRange Topology::slots_of(ShardId shard) const {
  const auto bound = [this](std::uint64_t s) { return s * kSlots / shard_count_; };
  return {static_cast<Slot>(bound(shard)), static_cast<Slot>(bound(shard + 1ULL) - 1)};
}

std::size_t Topology::owner_index(std::size_t group_index, ShardId shard) const {
  MIROIR_ASSERT(group_index < groups_.size() && shard < shard_count_);
  return owner_[group_index][shard];
}

const std::string& Topology::owner(int group, ShardId shard) const {
  auto found = std::ranges::find(groups_, group);
  MIROIR_ASSERT(found != groups_.end());
  return nodes_[owner_index(static_cast<std::size_t>(found - groups_.begin()), shard)].id;
}

std::vector<std::string> Topology::owners(ShardId shard) const {
  std::vector<std::string> ids;
  for (std::size_t i = 0; i < groups_.size(); ++i) ids.push_back(nodes_[owner_index(i, shard)].id);
  return ids;
}

const std::vector<ShardId>& Topology::shards_of(const std::string& node) const {
  auto found = std::ranges::find(nodes_, node, &NodeConfig::id);
  MIROIR_ASSERT(found != nodes_.end());
  return shards_[static_cast<std::size_t>(found - nodes_.begin())];
}

bool Topology::owns(const std::string& node, Slot slot) const {
  return std::ranges::binary_search(shards_of(node), shard_of(slot));
}

std::vector<SlotRange> Topology::ranges_of(const std::string& node) const {
  return join_ranges(*this, shards_of(node));
}

std::vector<SlotRange> join_ranges(const Topology& topology, const std::vector<ShardId>& shards) {
  std::vector<SlotRange> ranges;
  for (ShardId shard : shards) {
    const SlotRange range = topology.slots_of(shard);
    if (!ranges.empty() && ranges.back().last + 1 == range.first) {
      ranges.back().last = range.last;
    } else {
      ranges.push_back(range);
    }
  }
  return ranges;
}

}  // namespace miroir
