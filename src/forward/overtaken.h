#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/async.h"
#include "log/log.h"

namespace miroir {

// What befell documents after the copies were read on which an entry depends (its `readAt`), and
// before the entry itself stands in the log. What comes after it lands on it, in the log's order.
// The answer is the same whenever it is asked, except where the log forgot what was in between:
// then it is everything.
struct Overtaken {
  bool all = false;
  std::set<std::string> ids;

  bool contains(const std::string& id) const { return all || ids.contains(id); }
};
Async<Result<Overtaken>> overtaken(Log& log, std::shared_ptr<const Entry> entry);

// Whether an entry without records touches whatever documents the index has.
bool touches_all(EntryKind kind);

// Calls `each` with what changed the index's documents in between, in order, as long as it returns
// true. False: the log forgot some of it.
using EachOvertaking = std::function<Async<Result<bool>>(std::shared_ptr<const Entry>)>;
Async<Result<bool>> for_each_overtaking(Log& log, std::shared_ptr<const Entry> entry,
                                        EachOvertaking each);

}  // namespace miroir
