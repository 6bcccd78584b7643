#include "forward/doubt_names.h"

#include <algorithm>
#include <set>

namespace miroir {
namespace {

constexpr std::size_t kPage = 512;

void names_in(const Entry& entry, std::set<std::string>& names) {
  if (entry.born_failed || entry.target) return;
  const Json* renamed = entry.arguments.find("newUid");
  if (entry.kind == EntryKind::kUpdateIndex && renamed != nullptr && renamed->is_string())
    names.insert({entry.index_uid, renamed->as_string()});
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return;
  for (const Json& swap : entry.arguments.as_array()) {
    const Json* uids = swap.find("indexes");
    if (uids == nullptr || !uids->is_array()) continue;
    for (const Json& uid : uids->as_array()) names.insert(uid.as_string());
  }
}

}  // namespace

Async<Result<void>> doubt_names(Log& log, std::string node, Position first, Position last) {
  std::set<std::string> names;
  const bool forgotten = first < log.forgotten();
  for (Position next = first + 1; !forgotten && next <= last;) {
    MIROIR_CO_TRY(const auto entries, co_await log.entries(next, kPage));
    if (entries.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : entries)
      if (entry->position <= last) names_in(*entry, names);
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
