#pragma once

#include "base/result.h"
#include "node/node.h"

namespace miroir {

// `miroir node`: the embedded search node, until SIGINT or SIGTERM.
Result<void> run_node(const node::NodeOptions& options);

}  // namespace miroir
