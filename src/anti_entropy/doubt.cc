#include "anti_entropy/doubt.h"

#include <algorithm>

#include "cluster/present_taints.h"

namespace miroir::anti_entropy {

std::vector<Taint> indexes_in_doubt(const Tools& tools, const Roster& roster,
                                    Position incarnation) {
  std::vector<Taint> taints = present_taints(tools.log, tools.cluster.topology(), incarnation);
  std::erase_if(taints, [&](const Taint& taint) {
    return !taint.id.empty() || !roster.readable(taint.node);
  });
  return taints;
}

bool has_trusted_peers(const Tools& tools, const Roster& roster, const Taint& doubt) {
  const Topology& topology = tools.cluster.topology();
  return std::ranges::all_of(topology.shards_of(doubt.node), [&](ShardId shard) {
    return std::ranges::any_of(topology.owners(shard), [&](const std::string& owner) {
      return owner != doubt.node && roster.in_sync(owner) &&
             !tools.log.tainted(doubt.incarnation, "", owner);
    });
  });
}

}  // namespace miroir::anti_entropy
