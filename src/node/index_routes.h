#pragma once

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// Creation, reading, update, deletion, swap and statistics of indexes.
void add_index_routes(Router& router, Engine& engine);
// Health, version, experimental features.
void add_system_routes(Router& router, Engine& engine);

}  // namespace miroir::node
