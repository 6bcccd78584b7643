#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/clock.h"
#include "log/entry.h"

namespace miroir::anti_entropy {

// Leaves a node alone for a while when it answers reads much more slowly than it can: somebody
// else needs it. What it can is learned from its best answers of about the same size (much of a
// request's cost is not its bytes'), and slowly forgotten.
class Throttle {
 public:
  // After an answer of so many bytes that took so long: how long to wait before the next question.
  Microseconds after(Microseconds took, std::uint64_t bytes);

 private:
  std::map<int, double> best_;  // microseconds, by the number of bits in an answer's size
  Microseconds rest_{0};
};

// Of each node and index: the same bytes cost more in a large one. What was learned is kept from
// pass to pass, so that a node that is slow from the first page on is known to be. In memory only.
class Throttles {
 public:
  Throttle& of(const std::string& node, Position incarnation) {
    return throttles_[{node, incarnation}];
  }
  void forget_all_but(const std::set<Position>& incarnations) {
    std::erase_if(throttles_,
                  [&](const auto& entry) { return !incarnations.contains(entry.first.second); });
  }

 private:
  std::map<std::pair<std::string, Position>, Throttle> throttles_;
};

}  // namespace miroir::anti_entropy
