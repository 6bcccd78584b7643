#include "sim/disk_witness.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/cluster.h"
#include "cluster/own_tasks.h"

namespace miroir::sim {

namespace {

// Entries are done in order; tasks on documents tell which they are of.
std::uint64_t newest_entry(const SimulatedNode& node, bool ended) {
  std::uint64_t newest = 0;
  for (const auto& [uid, queued] : node.disk().tasks) {
    const auto mark = parse_task_metadata(queued.metadata);
    if (mark && (!ended || queued.task.ended())) newest = std::max(newest, mark->position);
  }
  return newest;
}

}  // namespace

void DiskWitness::store_copied() {
  for (const auto& [id, node] : nodes_) done_[id] = newest_entry(*node, true);
}

void DiskWitness::store_went_back(std::optional<std::uint64_t> to) {
  behind_.clear();
  if (!to) return;
  head_ = *to;
  for (const auto& [id, done] : done_)
    if (newest_entry(*nodes_.at(id), false) < done) behind_.insert(id);
}

// Entries of the log that the copy has are done again in order, too.
bool DiskWitness::is_behind(const std::string& node) const {
  if (!behind_.contains(node)) return false;
  return std::ranges::none_of(nodes_.at(node)->disk().tasks, [&](const auto& task) {
    const auto mark = parse_task_metadata(task.second.metadata);
    return mark && mark->position >= done_.at(node) && mark->position <= head_;
  });
}

std::vector<std::string> DiskWitness::check_sources(const std::set<std::string>& sources) const {
  std::vector<std::string> wrong;
  const auto keeps = [&](ShardId shard) {
    return std::ranges::any_of(topology_.owners(shard), [&](const std::string& owner) {
      return sources.contains(owner) && !is_behind(owner);
    });
  };
  for (const std::string& node : behind_) {
    const auto shards = topology_.shards_of(node);
    if (sources.contains(node) && is_behind(node) && !shards.empty() &&
        std::ranges::all_of(shards, keeps))
      wrong.push_back(fmt::format(
          "{} is a source, which lacks what it had done when the store was copied", node));
  }
  return wrong;
}

}  // namespace miroir::sim
