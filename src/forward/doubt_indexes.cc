#include "forward/doubt_indexes.h"

#include <algorithm>

#include "forward/plan.h"

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

Async<Result<void>> doubt_if_renamed(ForwardContext context, std::string node, Position held,
                                     Position taken) {
  constexpr std::size_t kAtOnce = 256;
  bool doubted =
      held < context.log.operations_forgotten() || context.cluster.progress(node).doubted(held);
  for (Position next = held + 1; next < taken && !doubted;) {
    MIROIR_CO_TRY(const auto entries, co_await context.log.entries(next, kAtOnce));
    if (entries.empty()) break;
    doubted = std::ranges::any_of(entries, [&](const std::shared_ptr<const Entry>& entry) {
      return entry->position < taken && !names_taken_away(*entry).empty() &&
             concerns(*entry, node, context.cluster.topology());
    });
    next = entries.back()->position + 1;
  }
  if (!doubted) co_return Result<void>();
  co_return co_await doubt_indexes(context.log, std::move(node), taken);
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
