#pragma once

#include "anti_entropy/reports.h"
#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

struct PassOrder {
  std::uint64_t number = 0;
  PassKind kind = PassKind::kLight;
  bool repairs = true;
  bool scheduled = false;  // a deep one goes on with what was begun, some shards at a time
};

// One run of the reconciler over everything: nodes' histories, replicated state, then index by
// index the light comparison and, in a deep pass, the contents. Nodes that were stale or joining
// and are now proven equal to their peers become in_sync. Never fails: what went wrong is in the
// report.
Async<PassReport> run_pass(const Tools& tools, PassOrder order);

}  // namespace miroir::anti_entropy
