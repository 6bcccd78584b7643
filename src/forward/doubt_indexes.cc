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

}  // namespace miroir
