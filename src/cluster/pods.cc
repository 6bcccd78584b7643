#include "cluster/pods.h"

#include <algorithm>

#include "base/assert.h"
#include "cluster/rendezvous.h"

namespace miroir {

Pods::Pods(std::vector<std::string> names) : names_(std::move(names)) {
  std::ranges::sort(names_);
  MIROIR_ASSERT(!names_.empty() && std::ranges::adjacent_find(names_) == names_.end());
}

const std::string& Pods::of_shard(ShardId shard) const {
  return names_[rendezvous_winner("shard " + std::to_string(shard) + " ", names_)];
}

const std::string& Pods::of_node(const std::string& node) const {
  return names_[rendezvous_winner("node " + node + " ", names_)];
}

}  // namespace miroir
