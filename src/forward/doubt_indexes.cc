#include "forward/doubt_indexes.h"

#include <set>

namespace miroir {

Async<Result<void>> doubt_indexes(Log& log, std::string node, Position last) {
  std::vector<Taint> taints;
  const Position now = log.head();
  // No single entry's failure: nothing but comparing it as a whole ends this.
  for (const auto& [uid, index] : log.catalogue().indexes())
    taints.push_back({index.incarnation, "", node, {Taint::kUnnamed, last}});
  if (taints.empty()) co_return Result<void>();
  co_return co_await log.add_taints(std::move(taints), now);
}

Async<Result<void>> doubt_indexes_of_others(Log& log, const Topology& topology, Position last) {
  std::set<std::string> others;
  for (const auto& [node, progress] : log.progress()) others.insert(node);
  for (const NodeConfig& node : topology.nodes()) others.erase(node.id);
  for (const std::string& node : others) MIROIR_CO_CHECK(co_await doubt_indexes(log, node, last));
  co_return Result<void>();
}

}  // namespace miroir
