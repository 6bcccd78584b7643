#pragma once

#include <array>
#include <map>
#include <set>
#include <string>

#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

// The documents of an index that a pass left as they were and none has seen equal since, so that
// the next one asks about them by id: most of them no digest shows. One row of kMeta for an index,
// the name that it had, and a kind.
enum class Unresolved {
  kDiffering,  // found to differ, and could not be repaired
  kMoving,     // written while they were looked at
  kUnlisted,   // one of each shard that holds more of them than are listed
};
inline constexpr std::array kUnresolved = {Unresolved::kDiffering, Unresolved::kMoving,
                                           Unresolved::kUnlisted};

using Lists = std::map<KnownAs, std::set<std::string>>;

// All that by now are this index's.
Async<Result<Lists>> load_unresolved(Store& store, Unresolved kind, Pasts pasts,
                                     Position incarnation);
Async<Result<void>> save_unresolved(Store& store, Unresolved kind, Lists before, Lists after);
Async<Result<void>> forget_unresolved_but(Store& store, Pasts pasts,
                                          std::set<Position> incarnations);

}  // namespace miroir::anti_entropy
