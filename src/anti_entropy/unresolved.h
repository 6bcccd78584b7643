#pragma once

#include <set>
#include <string>

#include "log/entry.h"
#include "store/store.h"

namespace miroir::anti_entropy {

// The documents of an index that the last whole pass found to differ and could not repair. Most are
// not seen by digests (equal stamps), so that every pass asks about them again by id. One row of
// kMeta for an index; at most kUnresolvedMax documents of it.
inline constexpr std::size_t kUnresolvedMax = 10'000;

Async<Result<std::set<std::string>>> load_unresolved(Store& store, Position incarnation);
Async<Result<void>> save_unresolved(Store& store, Position incarnation, std::set<std::string> ids);
Async<Result<void>> forget_unresolved_but(Store& store, std::set<Position> incarnations);

}  // namespace miroir::anti_entropy
