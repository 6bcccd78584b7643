#pragma once

#include "anti_entropy/reports.h"
#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

// After every pass. A clean deep one drops the tombstones that rule 4 lets go: older than the
// beginning of a clean sweep that began an hour ago or more, or than the retention. Where the log's
// head was then is remembered here, in one row of kMeta: passes are forgotten with their audit.
Async<Result<void>> collect_tombstones(const Tools& tools, PassReport report);

}  // namespace miroir::anti_entropy
