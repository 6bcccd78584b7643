#include "log/doubt.h"

#include <algorithm>

namespace miroir {

bool in_doubt(const Log& log, const std::string& index_uid, const std::string& node) {
  const Catalogue& catalogue = log.catalogue();
  if (const IndexState* index = catalogue.index(index_uid))
    return log.tainted(index->incarnation, "", node);
  const auto taints = log.index_taints();
  return std::ranges::any_of(taints, [&](const Taint& taint) {
    return taint.node == node && catalogue.by_incarnation(taint.incarnation) == nullptr;
  });
}

}  // namespace miroir
