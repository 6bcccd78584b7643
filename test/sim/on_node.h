#pragma once

#include <string>

#include "node_api/simulated_node_fake.h"
#include "sim/plan.h"

namespace miroir::sim {

// What a node holds, seen by those who do something to it; nullptr: nothing.
const Json* document_on(const SimulatedNode& node, const Fault& fault);
bool has_base(const SimulatedNode& node, const Fault& fault);
// What strangers wrote is not.
bool is_stamped(const SimulatedNode& node, const Fault& fault);
// Than clients': a stranger's.
bool has_other_key(const SimulatedNode& node, const std::string& index);
bool is_being_dropped(const SimulatedNode& node, const std::string& index);

// As somebody does who knows nothing of Miroir.
void write_by_task(SimulatedNode& node, const std::string& index, const std::string& key,
                   const Json& document);

}  // namespace miroir::sim
