#include "forward/doubt_indexes.h"

#include <algorithm>

#include "forward/plan.h"

namespace miroir {
namespace {

// What it dropped or renamed may be there under the old name, which no index of the log tells: it
// counts as having failed. What was swapped, or dropped to be made anew, has the name of an index.
Async<Result<void>> doubt_name(Log& log, std::string node, const Entry& entry) {
  if (entry.kind == EntryKind::kSwapIndexes || spares_foreign(entry)) co_return Result<void>();
  std::vector<Taint> taints = {{entry.incarnation, "", std::move(node), {entry.position}}};
  co_return co_await log.add_taints(std::move(taints), entry.position);
}

}  // namespace

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
  std::vector<std::shared_ptr<const Entry>> missed;
  const bool doubted =
      held < context.log.operations_forgotten() || context.cluster.progress(node).doubted(held);
  for (Position next = held + 1; next < taken;) {
    MIROIR_CO_TRY(const auto entries, co_await context.log.entries(next, kAtOnce));
    if (entries.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : entries) {
      if (entry->position >= taken || names_taken_away(*entry).empty() ||
          !concerns(*entry, node, context.cluster.topology()))
        continue;
      missed.push_back(entry);
    }
    next = entries.back()->position + 1;
  }
  if (!doubted && missed.empty()) co_return Result<void>();
  // First: as long as they are in doubt, no pass drops what may be one of them.
  MIROIR_CO_CHECK(co_await doubt_indexes(context.log, node, taken));
  for (const std::shared_ptr<const Entry>& entry : missed)
    MIROIR_CO_CHECK(co_await doubt_name(context.log, node, *entry));
  co_return Result<void>();
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
