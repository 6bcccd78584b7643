#pragma once

#include <vector>

#include "cluster/topology.h"
#include "log/log.h"

namespace miroir {

// What is tainted on nodes that are there. The log remembers what failed on those of a group that
// was taken away, for it may come back; until then that counts for nothing.
std::vector<Taint> present_taints(const Log& log, const Topology& topology, Position incarnation);
std::vector<Taint> present_index_taints(const Log& log, const Topology& topology);

}  // namespace miroir
