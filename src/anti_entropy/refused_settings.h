#pragma once

#include <map>
#include <set>
#include <string>

#include "anti_entropy/state_difference.h"
#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

// Whether what a node reads back of an index shows Miroir's filter rule, which all settings have.
Async<Result<bool>> shows_rule(const Tools& tools, const IndexState& index, Json read);

// The indexes of whose newest settings it is not remembered how they are read back, and which every
// node that holds them lacks: what they read back alike is what they had before. Of a node that is
// known where they failed, or where it does not show Miroir's filter rule (a heal of an index that
// was lost, which failed half-way, leaves nothing else to tell).
Async<Result<std::set<std::string>>> refused_settings(
    const Tools& tools, const Catalogue& catalogue, const std::map<std::string, NodeState>& nodes,
    const std::map<std::string, Json>& remembered);

}  // namespace miroir::anti_entropy
