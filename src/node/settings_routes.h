#pragma once

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// GET, PATCH, DELETE of /indexes/{index_uid}/settings, and of each setting alone.
void add_settings_routes(Router& router, Engine& engine);

}  // namespace miroir::node
