#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "cluster/topology.h"
#include "log/entry.h"
#include "node_api/simulated_node_fake.h"
#include "sim/model.h"

namespace miroir::sim {

// Miroir's store was lost, or an older copy put back, and Miroir took the nodes as they are: what
// they held when its entries at `position` became durable, once they had done what they were given.
struct Adoption {
  Position position = 0;
  std::map<std::string, SimulatedNode::Disk> disks;
  std::set<std::string> sources;  // the others were known to be behind
  std::map<std::string, Json> stop_words;  // by index: those that Miroir took
  EntryStamp known = 0;                    // of the newest entry that the store still had
  std::set<std::pair<std::string, std::string>> in_doubt = {};  // node and index, as Miroir found
};

// What must remain: of every document the newest copy that an owner holds, whoever else lacks it
// (but not what only those have that missed its delete), and every index that a node holds, with
// its settings; where sources differ, either's, and where none of them was given any, maybe the
// store's. `before`: what the store still knew, which decides where no node says anything.
Model what_remains(const Model& before, const Adoption& adoption, const Topology& topology);

}  // namespace miroir::sim
