#include "cluster/state_reasons.h"

namespace miroir {

bool may_await_recovery(std::string_view reason) {
  return reason.starts_with(kLogWentBack) || reason == kHeldIndexes ||
         reason.starts_with(kForeignTask) || reason.starts_with(kForeignHistory);
}

std::set<std::string> awaiting_recovery(const Cluster& cluster) {
  std::set<std::string> waiting;
  bool told = false;
  for (const NodeConfig& node : cluster.topology().nodes()) {
    const NodeStatus status = cluster.status(node.id);
    if (status.state == ReplicaState::kInSync) continue;
    told = told || status.state_why.starts_with(kLogWentBack);
    if (may_await_recovery(status.state_why)) waiting.insert(node.id);
  }
  return told ? waiting : std::set<std::string>();
}

}  // namespace miroir
