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
  EntryFailures its(cluster, position, std::move(ended), std::move(failures));
  if (its.none()) co_return its;
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(log, position));
  if (entry != nullptr) {
    MIROIR_CO_TRY(its.told_, co_await told_to_have_failed(log, entry));
  }
  co_return its;
}

const Json* EntryFailures::on(const std::string& node) const {
  const auto found = failures_.find(node);
  return found == failures_.end() ? nullptr : &found->second;
}

bool EntryFailures::all_are(std::string_view code) const {
  return std::ranges::all_of(failures_,
                             [code](const auto& row) { return is_error(row.second, code); });
}

bool EntryFailures::on_each(const std::vector<std::string>& nodes) const {
  bool failed = false;
  for (const std::string& node : nodes) {
    if (failures_.contains(node)) {
      failed = true;
    } else if (!cluster_->progress(node).lacks(position_)) {
      return false;
    }
  }
  return failed;
}

bool EntryFailures::on_all(ShardId shard) const {
  return on_all(shard, cluster_->topology().owners(shard));
}

bool EntryFailures::on_all(ShardId shard, const std::vector<std::string>& owners) const {
  return told_ ? std::ranges::count(*told_, shard) > 0 : on_each(owners);
}

EntryFailures::Fate EntryFailures::fate(ShardId shard) const {
  const std::vector<std::string> owners = cluster_->topology().owners(shard);
  const bool applied = std::ranges::any_of(owners, [this](const std::string& owner) {
    return ended_.contains(owner) && !failures_.contains(owner) &&
           !cluster_->progress(owner).lacks(position_);
  });
  if (on_all(shard, owners)) return Fate::kDidNot;
  return applied || told_ ? Fate::kHappened : Fate::kUnknown;
}

bool EntryFailures::awaited(ShardId shard) const {
  return std::ranges::any_of(cluster_->topology().owners(shard), [this](const std::string& owner) {
    return !ended_.contains(owner) && !failures_.contains(owner) &&
           cluster_->status(owner).healthy && !cluster_->progress(owner).lacks(position_);
  });
}

// Also on nodes without a shard.
bool EntryFailures::everywhere() const {
  if (told_ && told_->size() < cluster_->topology().shard_count()) return false;
  std::vector<std::string> everyone;
  for (const NodeConfig& node : cluster_->topology().nodes()) {
    // Who was taken away meanwhile and is here again shall not make of it what nobody did.
    const bool comes_late = told_ && !ended_.contains(node.id);
    if (!comes_late || failures_.contains(node.id)) everyone.push_back(node.id);
  }
  return on_each(everyone);
}

bool is_error(const Json& error, std::string_view code) {
  const Json* its = error.find("code");
  return its != nullptr && *its == Json(code);
}

Async<Result<std::optional<std::vector<ShardId>>>> told_to_have_failed(
    Log& log, std::shared_ptr<const Entry> entry) {
  MIROIR_CO_TRY(auto parts, co_await log.failed_parts(entry->task));
  if (!parts) co_return std::optional<std::vector<ShardId>>();
  co_return std::move((*parts)[entry->position]);
}

}  // namespace miroir
