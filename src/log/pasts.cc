#include "log/pasts.h"

#include <algorithm>

namespace miroir {

void Pasts::add(TakenBack one) {
  if (one.other != 0) newest_exchanged_ = std::max(newest_exchanged_, one.failed);
  all_.push_back(one);
}

bool Pasts::has_taken_back(Position operation, Position incarnation) const {
  return std::ranges::any_of(all_, [&](const TakenBack& one) {
    if (one.failed != operation) return false;
    const Position then = owner(incarnation, operation, one.at);
    return one.index == then || one.other == then;
  });
}

Position Pasts::owner(Position incarnation, Position then, Position last) const {
  if (then >= newest_exchanged_) return incarnation;
  for (const TakenBack& one : all_) {
    if (one.at > last) break;
    if (one.failed <= then || one.other == 0) continue;
    if (incarnation == one.index) {
      incarnation = one.other;
    } else if (incarnation == one.other) {
      incarnation = one.index;
    }
  }
  return incarnation;
}

std::vector<TakenBack> Pasts::forgettable(Position before) const {
  const auto exchanges = static_cast<std::size_t>(
      std::ranges::count_if(all_, [](const TakenBack& one) { return one.other != 0; }));
  std::size_t beyond = exchanges - std::min(exchanges, kExchangesKept);
  std::vector<TakenBack> those;
  for (const TakenBack& one : all_) {
    const bool goes = one.other == 0 || beyond > 0;
    if (one.other != 0 && beyond > 0) --beyond;
    if (goes && one.failed < before) those.push_back(one);
  }
  return those;
}

void Pasts::forget(const std::vector<TakenBack>& those) {
  std::erase_if(all_, [&](const TakenBack& one) { return std::ranges::count(those, one) > 0; });
}

}  // namespace miroir
