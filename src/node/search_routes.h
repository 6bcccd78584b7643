#pragma once

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// GET and POST /indexes/{index_uid}/search, POST …/facet-search, POST /multi-search.
void add_search_routes(Router& router, Engine& engine);

}  // namespace miroir::node
