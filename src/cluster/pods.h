#pragma once

#include <string>
#include <vector>

#include "cluster/topology.h"

namespace miroir {

// Which of the pods that live does what: each shard is reconciled, and each node is forwarded to,
// by one of them. A function of the list alone, in whatever order: pods that know the same list
// agree without asking each other, and when it changes only the part of the pod that went, or came,
// moves. (A list that is out of date costs nothing but work done twice: DESIGN.md, invariant 6.)
class Pods {
 public:
  // Distinct names, at least one.
  explicit Pods(std::vector<std::string> names);

  const std::string& of_shard(ShardId shard) const;
  const std::string& of_node(const std::string& node) const;

 private:
  std::vector<std::string> names_;
};

}  // namespace miroir
