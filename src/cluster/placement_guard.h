#pragma once

#include "base/async.h"
#include "base/result.h"
#include "cluster/topology.h"
#include "store/store.h"

namespace miroir {

// Shards do not move yet, so a configuration under which documents would be looked for where they
// are not is refused: kInvalid, naming the key. The store remembers the placement it was begun
// with, and with whom each node ever was in a group; addresses may change, whole groups may come
// and go while one of them stays, and anything may while the log is empty.
Async<Result<void>> guard_placement(Store& store, const Topology& topology, bool log_is_empty);

}  // namespace miroir
