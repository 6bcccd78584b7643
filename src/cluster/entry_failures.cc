#include "cluster/entry_failures.h"

#include <algorithm>

namespace miroir {

Async<Result<EntryFailures>> EntryFailures::of(Log& log, const Cluster& cluster,
                                               Position position) {
  // A failure is recorded before the entry counts as ended: asked in this order none is missed.
  std::set<std::string> ended;
  for (const NodeConfig& node : cluster.topology().nodes()) {
    if (cluster.status(node.id).done >= position) ended.insert(node.id);
  }
  MIROIR_CO_TRY(auto failures, co_await log.failures(position));
  co_return EntryFailures(cluster, position, std::move(ended), std::move(failures));
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

EntryFailures::Fate EntryFailures::fate(const std::vector<std::string>& owners) const {
  const bool applied = std::ranges::any_of(owners, [this](const std::string& owner) {
    return ended_.contains(owner) && !failures_.contains(owner) &&
           !cluster_->progress(owner).lacks(position_);
  });
  if (applied) return Fate::kHappened;
  return on_all(owners) ? Fate::kDidNot : Fate::kUnknown;
}

bool EntryFailures::awaited(const std::vector<std::string>& owners) const {
  return std::ranges::any_of(owners, [this](const std::string& owner) {
    return !ended_.contains(owner) && !failures_.contains(owner) &&
           cluster_->status(owner).healthy && !cluster_->progress(owner).lacks(position_);
  });
}

bool EntryFailures::everywhere() const {
  std::vector<std::string> everyone;
  for (const NodeConfig& node : cluster_->topology().nodes()) everyone.push_back(node.id);
  return on_all(everyone);
}

Async<Result<std::optional<std::vector<ShardId>>>> told_to_have_failed(
    Log& log, std::shared_ptr<const Entry> entry) {
  MIROIR_CO_TRY(auto parts, co_await log.failed_parts(entry->task));
  if (!parts) co_return std::optional<std::vector<ShardId>>();
  co_return std::move((*parts)[entry->position]);
}

Async<Result<bool>> did_not_happen(Log& log, std::shared_ptr<const Entry> entry) {
  if (entry->task_type.empty()) co_return false;
  MIROIR_CO_TRY(const auto failed, co_await told_to_have_failed(log, std::move(entry)));
  co_return !failed || !failed->empty();
}

}  // namespace miroir
