#include "forward/doubt_names.h"

#include <algorithm>
#include <set>

namespace miroir {
namespace {

constexpr std::size_t kPage = 512;

bool moves_names(const Entry& entry) {
  const Json* renamed = entry.arguments.find("newUid");
  return !entry.born_failed && !entry.target &&
         (entry.kind == EntryKind::kSwapIndexes ||
          (entry.kind == EntryKind::kUpdateIndex && renamed != nullptr && renamed->is_string()));
}

}  // namespace

Async<Result<void>> doubt_names(Log& log, std::string node, Position first, Position last) {
  std::set<std::string> names;
  const bool forgotten = first < log.forgotten();
  for (Position next = first + 1; !forgotten && next <= last;) {
    MIROIR_CO_TRY(const auto entries, co_await log.entries(next, kPage));
    if (entries.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : entries)
      if (entry->position <= last && moves_names(*entry)) names.merge(index_names(*entry));
    next = entries.back()->position + 1;
  }
  std::vector<Taint> taints;
  for (const auto& [uid, index] : log.catalogue().indexes()) {
    // No single entry's failure: nothing but comparing it as a whole ends this.
    if (forgotten || names.contains(uid))
      taints.push_back({index.incarnation, "", node, last | Taint::kSeveral});
  }
  if (taints.empty()) co_return Result<void>();
  co_return co_await log.add_taints(std::move(taints));
}

}  // namespace miroir
