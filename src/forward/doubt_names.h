#pragma once

#include <string>

#include "base/async.h"
#include "log/log.h"

namespace miroir {

// A node was not sent the entries after `first`, up to `last`: where indexes were swapped or
// renamed among them, it holds another one under the name, and what it holds is in doubt until it
// was compared as a whole. All of its indexes are where it is forgotten what was among them.
Async<Result<void>> doubt_names(Log& log, std::string node, Position first, Position last);

}  // namespace miroir
