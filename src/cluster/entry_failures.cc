#include "cluster/entry_failures.h"

namespace miroir {

Async<Result<EntryFailures>> EntryFailures::of(Log& log, const Cluster& cluster,
                                               Position position) {
  MIROIR_CO_TRY(auto failures, co_await log.failures(position));
  co_return EntryFailures(cluster, position, std::move(failures));
}

const Json* EntryFailures::on(const std::string& node) const {
  const auto found = failures_.find(node);
  return found == failures_.end() ? nullptr : &found->second;
}

bool EntryFailures::on_all(const std::vector<std::string>& owners) const {
  bool failed = false;
  for (const std::string& owner : owners) {
    if (failures_.contains(owner)) {
      failed = true;
    } else if (!cluster_->progress(owner).lacks(position_)) {
      return false;
    }
  }
  return failed;
}

bool EntryFailures::everywhere() const {
  std::vector<std::string> everyone;
  for (const NodeConfig& node : cluster_->topology().nodes()) everyone.push_back(node.id);
  return on_all(everyone);
}

}  // namespace miroir
