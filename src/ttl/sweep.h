#pragma once

#include <functional>

#include "base/async.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "cluster/cluster.h"
#include "log/log.h"
#include "node_api/stored_fields.h"

namespace miroir::ttl {

// What a sweep works with; outlives it.
struct SweepTools {
  Log& log;
  Cluster& cluster;
  Clock& clock;
  FieldNames names;
  Semaphore& reads;                 // `max_read_concurrency`, with the reconciler
  std::function<bool()> may_go_on;  // asked before each read and each append
};

// Deletes documents of one index that have expired, `deletes_max` at most; returns and counts them.
// Shard by shard: every owner in sync must answer and have applied all that was logged before its
// copy is looked at, and all must agree. Each batch is one entry for all owners, conditional on the
// very copies that were read, so that what is written meanwhile lives; the log remembers the copies
// as dead. kConflict: the index is not what it was.
Async<Result<std::uint64_t>> sweep(const SweepTools& tools, IndexState index,
                                   std::uint64_t deletes_max, Counter expired);

}  // namespace miroir::ttl
