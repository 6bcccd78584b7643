#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/cluster.h"
#include "cluster/topology.h"

namespace miroir {

// Which nodes answer a read, and for which slots. Pure: a function of the topology and of who may
// be read.
struct ReadPlan {
  struct Part {
    std::string node;
    std::vector<SlotRange>
        slots;  // empty: all that it holds, which is exactly its share of the group
  };
  std::vector<Part> parts;
  std::vector<ShardId> missing;  // shards that no readable node holds
  std::vector<ShardId> stale;    // shards that a stale node answers for, as the last resort
  bool whole = false;            // one group answers, nothing is narrowed
};

// One whole group if there is one (of several, the `turn`-th), else groups mixed, each node
// narrowed to the shards asked of it. Nodes in `avoid` failed earlier in the same request.
ReadPlan plan_read(const Topology& topology, const std::set<std::string>& readable,
                   const std::set<std::string>& avoid, std::uint64_t turn);

// The readable owners of one document, in turn.
std::vector<std::string> owners_to_read(const Topology& topology,
                                        const std::set<std::string>& readable, Slot slot,
                                        std::uint64_t turn);

std::set<std::string> readable_nodes(const Cluster& cluster);

// The healthy owners of a shard of which no replica is in sync any more, freshest first: served as
// degraded (DESIGN.md, invariant 10). Empty while a replica is in sync, whether it answers or not.
std::vector<std::string> last_resort(const Cluster& cluster, ShardId shard);
// Gives the missing shards to nodes of the last resort.
void fill_with_last_resort(ReadPlan& plan, const Cluster& cluster,
                           const std::set<std::string>& avoid);

// The narrowing as a filter: `(_miroir_slot >= "…" AND _miroir_slot <= "…") OR …`; joined with a
// client's filter.
std::string slots_filter(const std::vector<SlotRange>& slots);
Json join_filters(const Json* clients, const std::vector<SlotRange>& slots);

}  // namespace miroir
