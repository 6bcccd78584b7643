#pragma once

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// POST /multi-search: several searches, answered one by one, or merged into one list where the
// request has `federation`.
Reply multi_search(Engine& engine, const Call& call);

}  // namespace miroir::node
