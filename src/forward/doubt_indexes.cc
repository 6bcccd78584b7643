#include "forward/doubt_indexes.h"

namespace miroir {

Async<Result<void>> doubt_indexes(Log& log, std::string node, Position last) {
  std::vector<Taint> taints;
  const Position now = log.head();
  // No single entry's failure: nothing but comparing it as a whole ends this.
  for (const auto& [uid, index] : log.catalogue().indexes())
    taints.push_back({index.incarnation, "", node, {Taint::kUnnamed, last}});
  if (taints.empty()) co_return Result<void>();
  co_return co_await log.add_taints(std::move(taints), now);
}

Async<Result<void>> doubt_indexes_of_others(ForwardContext context, Position position) {
  MIROIR_CO_TRY(const auto failures, co_await context.log.failures(position));
  for (const auto& [node, progress] : context.log.progress()) {
    const bool is_here = context.cluster.topology().node(node) != nullptr;
    if (is_here || failures.contains(node) || position <= progress.joined) continue;
    MIROIR_CO_CHECK(co_await doubt_indexes(context.log, node, position));
  }
  co_return Result<void>();
}

}  // namespace miroir
