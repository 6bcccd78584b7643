#pragma once

#include <set>
#include <string>

#include "log/entry.h"
#include "store/store.h"

namespace miroir::anti_entropy {

// The documents of an index that the last pass left as they were, as far as it came, so that the
// next one asks about them by id: most of them no digest shows. One row of kMeta for an index and a
// kind; at most kUnresolvedMax documents of it.
enum class Unresolved {
  kDiffering,  // found to differ, and could not be repaired
  kMoving,     // written while they were looked at
};
inline constexpr std::size_t kUnresolvedMax = 10'000;

Async<Result<std::set<std::string>>> load_unresolved(Store& store, Unresolved kind,
                                                     Position incarnation);
Async<Result<void>> save_unresolved(Store& store, Unresolved kind, Position incarnation,
                                    std::set<std::string> ids);
Async<Result<void>> forget_unresolved_but(Store& store, std::set<Position> incarnations);

}  // namespace miroir::anti_entropy
