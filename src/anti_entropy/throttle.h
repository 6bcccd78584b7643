#pragma once

#include <cstdint>
#include <map>

#include "base/clock.h"

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

}  // namespace miroir::anti_entropy
