#include "cluster/state_reasons.h"

namespace miroir {

std::set<std::string> awaiting_recovery(const Cluster& cluster) {
  std::set<std::string> waiting;
  bool told = false;
  for (const NodeConfig& node : cluster.topology().nodes()) {
    const NodeStatus status = cluster.status(node.id);
    if (status.state == ReplicaState::kInSync) continue;
    const bool tells = status.state_why.starts_with(kLogWentBack);
    told = told || tells;
    if (tells || status.state_why == kHeldIndexes || status.state_why.starts_with(kForeignTask) ||
        status.state_why.starts_with(kForeignHistory))
      waiting.insert(node.id);
  }
  return told ? waiting : std::set<std::string>();
}

}  // namespace miroir
