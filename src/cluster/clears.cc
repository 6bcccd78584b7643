#include "cluster/clears.h"

#include <utility>

namespace miroir {

Async<Result<Clears>> Clears::of(Log& log, const Cluster& cluster, IndexState index) {
  Clears clears(cluster.topology());
  for (auto clear = index.clears.rbegin(); clear != index.clears.rend(); ++clear) {
    MIROIR_CO_TRY(auto failures, co_await EntryFailures::of(log, cluster, clear->position));
    const bool everywhere = failures.none();
    clears.newest_first_.push_back({clear->stamp, std::move(failures)});
    if (everywhere) break;
  }
  co_return clears;
}

Stamp Clears::newest_of(const std::string& id) const {
  const ShardId shard = topology_->shard_of(slot_of(id));
  for (const Clear& clear : newest_first_) {
    if (!clear.failures.on_all(shard)) return clear.stamp;
  }
  return 0;
}

}  // namespace miroir
