#pragma once

#include <vector>

#include "base/yaml.h"
#include "cluster/cluster.h"
#include "cluster/topology.h"

namespace miroir {

// The blocks `nodes` and `health` of the configuration (VOCABULARY.md).
std::vector<NodeConfig> parse_nodes(YamlBlock root);
HealthOptions parse_health(YamlBlock block);

}  // namespace miroir
