#pragma once

#include <string>

#include "log/log.h"

namespace miroir {

// Whether an operation on a whole index (a swap, a delete-all, a creation, settings) failed on the
// node: what it holds under this name may be another index, until a pass has compared it with its
// peers'. Of a name that no index has: whether the node failed to drop some index. Nobody reads the
// index there as long as there is anybody else.
bool in_doubt(const Log& log, const std::string& index_uid, const std::string& node);

}  // namespace miroir
