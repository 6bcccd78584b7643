#include "cluster/options.h"

#include <set>

#include "http/connect.h"

namespace miroir {

std::vector<NodeConfig> parse_nodes(YamlBlock root) {
  std::vector<NodeConfig> nodes;
  std::set<std::string> ids;
  std::set<std::string> addresses;
  for (YamlBlock& block : root.blocks("nodes")) {
    NodeConfig node;
    node.id = block.required_string("id");
    node.address = block.required_string("address");
    if (!node.address.empty() && !http::parse_address(node.address)) {
      block.refuse("address", "an address like \"http://10.0.0.1:7700\"");
    }
    if (!ids.insert(node.id).second) block.refuse("id", "an id that no other node has");
    if (!addresses.insert(node.address).second) {
      block.refuse("address", "an address that no other node has");
    }
    node.group = static_cast<int>(block.integer("replica_group", 0, 0, 1'000));
    nodes.push_back(std::move(node));
  }
  return nodes;
}

HealthOptions parse_health(YamlBlock block) {
  HealthOptions options;
  options.interval = block.milliseconds("interval_ms", options.interval);
  options.timeout = block.milliseconds("timeout_ms", options.timeout);
  options.unhealthy_threshold =
      static_cast<int>(block.integer("unhealthy_threshold", options.unhealthy_threshold, 1, 1'000));
  options.recovery_threshold =
      static_cast<int>(block.integer("recovery_threshold", options.recovery_threshold, 1, 1'000));
  return options;
}

}  // namespace miroir
