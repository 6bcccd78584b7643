#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/yaml.h"
#include "node_api/stored_fields.h"

namespace miroir {

using ShardId = std::uint32_t;

struct NodeConfig {
  std::string id;
  std::string address;  // "http://10.0.0.1:7700"
  int group = 0;        // config `replica_group`
};

// Who owns what: slots → shards → one node in each group, by rendezvous hash of (shard, node id).
// Immutable; the number of groups is the number of replicas.
class Topology {
 public:
  // Refuses duplicate ids or addresses, no nodes, shards outside 1..65536.
  static Result<Topology> make(std::vector<NodeConfig> nodes, std::uint32_t shard_count);

  std::uint32_t shard_count() const { return shard_count_; }
  const std::vector<NodeConfig>& nodes() const { return nodes_; }
  const NodeConfig* node(const std::string& id) const;
  const std::vector<int>& groups() const { return groups_; }  // rising
  std::vector<std::string> nodes_of(int group) const;

  ShardId shard_of(Slot slot) const;
  SlotRange slots_of(ShardId shard) const;
  // The node that owns the shard in the group.
  const std::string& owner(int group, ShardId shard) const;
  // The same by place in groups(), as a place in nodes().
  std::size_t owner_index(std::size_t group_index, ShardId shard) const;
  // One owner per group, in the order of groups().
  std::vector<std::string> owners(ShardId shard) const;
  const std::vector<ShardId>& shards_of(const std::string& node) const;
  bool owns(const std::string& node, Slot slot) const;
  // Its shards as few ranges, neighbours joined.
  std::vector<SlotRange> ranges_of(const std::string& node) const;

 private:
  std::uint32_t shard_count_ = 0;
  std::vector<NodeConfig> nodes_;
  std::vector<int> groups_;
  std::vector<std::vector<std::uint32_t>> owner_;  // [index of group][shard] → index of node
  std::vector<std::vector<ShardId>> shards_;       // [index of node]
};

// The slots of rising shards as few ranges, neighbours joined.
std::vector<SlotRange> join_ranges(const Topology& topology, const std::vector<ShardId>& shards);

}  // namespace miroir
