#pragma once

#include <array>
#include <set>
#include <string>

#include "log/entry.h"
#include "store/store.h"

namespace miroir::anti_entropy {

// The documents of an index that a pass left as they were and none has seen equal since, so that
// the next one asks about them by id: most of them no digest shows. One row of kMeta for an index
// and a kind.
enum class Unresolved {
  kDiffering,  // found to differ, and could not be repaired
  kMoving,     // written while they were looked at
  kUnlisted,   // one of each shard that holds more of them than are listed
};
inline constexpr std::array kUnresolved = {Unresolved::kDiffering, Unresolved::kMoving,
                                           Unresolved::kUnlisted};

Async<Result<std::set<std::string>>> load_unresolved(Store& store, Unresolved kind,
                                                     Position incarnation);
Async<Result<void>> save_unresolved(Store& store, Unresolved kind, Position incarnation,
                                    std::set<std::string> ids);
Async<Result<void>> forget_unresolved_but(Store& store, std::set<Position> incarnations);

}  // namespace miroir::anti_entropy
