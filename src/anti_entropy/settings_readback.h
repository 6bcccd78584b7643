#pragma once

#include <map>
#include <string>

#include "anti_entropy/roster.h"
#include "anti_entropy/state_difference.h"
#include "anti_entropy/tools.h"
#include "log/catalogue.h"

namespace miroir::anti_entropy {

// What nodes read back of the settings that the log gave them, remembered for each version of them.

// By index; of those whose newest version is not remembered, nothing.
Async<Result<std::map<std::string, Json>>> remembered_settings(const Tools& tools,
                                                               const Catalogue& catalogue);

// Remembers the settings of versions that all nodes, in sync, have applied and read back alike; or
// those that were given it again, but for who failed it then.
Async<Result<void>> remember_settings(const Tools& tools, const Catalogue& catalogue,
                                      const Roster& roster,
                                      const std::map<std::string, NodeState>& nodes,
                                      const Expectations& expected);

// Nodes, and the indexes whose newest settings are known to have failed there.
NamesOnNodes failed_settings(const Tools& tools, const Catalogue& catalogue);

}  // namespace miroir::anti_entropy
