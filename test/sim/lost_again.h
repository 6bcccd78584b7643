#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "anti_entropy/options.h"
#include "sim/world.h"

namespace miroir::sim {

// A document vanishes from a node in sync as often as it is repaired, while all else is quiet: soon
// it is quarantined, which holds back nothing else, and free again once a client has written it.
// What is wrong, in sentences.
std::vector<std::string> lose_again(World& world,
                                    const std::function<std::optional<Json>(PassKind)>& run_pass);

}  // namespace miroir::sim
