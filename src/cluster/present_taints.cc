#include "cluster/present_taints.h"

namespace miroir {
namespace {

std::vector<Taint> present(std::vector<Taint> taints, const Topology& topology) {
  std::erase_if(taints, [&](const Taint& taint) { return topology.node(taint.node) == nullptr; });
  return taints;
}

}  // namespace

std::vector<Taint> present_taints(const Log& log, const Topology& topology, Position incarnation) {
  return present(log.taints(incarnation), topology);
}

std::vector<Taint> present_index_taints(const Log& log, const Topology& topology) {
  return present(log.index_taints(), topology);
}

}  // namespace miroir
