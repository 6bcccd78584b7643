#pragma once

#include <cstdint>

#include "base/clock.h"

namespace miroir::http {

// How slowly a peer may send or take a message: no pause is longer than `pause`, and once that has
// passed since the beginning, `bytes_per_second` must have come on average. So whoever trickles
// holds a request no longer than whoever says nothing.
struct Pace {
  Milliseconds pause{60'000};
  std::uint64_t bytes_per_second = 4'096;
};

}  // namespace miroir::http
