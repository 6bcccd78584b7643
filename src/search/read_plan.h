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
  std::vector<ShardId> stale;    // shards that somebody answers for as the last resort
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

// Who may be read, by the indexes that a read is about: a node is avoided where one of them is in
// doubt (log/doubt.h), or where something is missing that clients know to have ended: it was away,
// or its lane stands.
class Readers {
 public:
  Readers(const Cluster& cluster, const Log& log, Position newest_ended,
          std::vector<std::string> indexes)
      : cluster_(cluster), log_(log), newest_ended_(newest_ended), indexes_(std::move(indexes)) {}

  std::set<std::string> readable() const;
  // In sync, but for what they have yet to catch up with.
  std::set<std::string> behind() const;
  // The healthy owners of a shard, the freshest first: those that are behind; and where no replica
  // is in sync any more, or the indexes are in doubt on all that are, the others, those that missed
  // entries after them and those in doubt last: never while there is a better replica, whether it
  // answers or not. Served as degraded (DESIGN.md, invariant 10).
  std::vector<std::string> last_resort(ShardId shard) const;
  // Gives the missing shards to nodes of the last resort.
  void fill_with_last_resort(ReadPlan& plan, const std::set<std::string>& avoid) const;

 private:
  bool doubted(const std::string& node) const;
  bool is_current(const std::string& node) const;
  std::set<std::string> in_sync(bool current) const;

  const Cluster& cluster_;
  const Log& log_;
  Position newest_ended_;
  std::vector<std::string> indexes_;
};

// The narrowing as a filter: `(_miroir_slot >= "…" AND _miroir_slot <= "…") OR …`; joined with a
// client's filter.
std::string slots_filter(const std::vector<SlotRange>& slots);
Json join_filters(const Json* clients, const std::vector<SlotRange>& slots);

}  // namespace miroir
