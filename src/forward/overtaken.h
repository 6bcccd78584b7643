#pragma once

#include <memory>
#include <set>
#include <string>

#include "base/async.h"
#include "log/log.h"

namespace miroir {

// The documents that the log changed after a repair's copies were read and before the repair itself
// stands in it: sent, the repair would set them back. They are left out, and what then still
// differs the reconciler finds anew. What comes after the repair lands on it, in the log's order.
// The answer is the same whenever the repair is sent again, except where the log forgot what was in
// between: then it is everything.
struct Overtaken {
  bool all = false;
  std::set<std::string> ids;

  bool contains(const std::string& id) const { return all || ids.contains(id); }
};
Async<Result<Overtaken>> overtaken(Log& log, std::shared_ptr<const Entry> repair);

}  // namespace miroir
