#include "anti_entropy/throttle.h"

#include <algorithm>

namespace miroir::anti_entropy {
namespace {

constexpr double kBytesMin = 256 << 10;  // below, the time is the request's, not the bytes'
constexpr double kSlow = 3;              // times the best
constexpr double kForget = 1.01;         // of the best, with every answer
constexpr Microseconds kRestMin = Milliseconds(10);
constexpr Microseconds kRestMax = Seconds(5);

}  // namespace

Microseconds Throttle::after(Microseconds took, std::uint64_t bytes) {
  const double cost =
      static_cast<double>(took.count()) / std::max(static_cast<double>(bytes), kBytesMin);
  const bool slow = best_ && took >= kRestMin && cost > *best_ * kSlow;
  best_ = best_ ? std::min(*best_ * kForget, cost) : cost;
  // At least as long as it took, so that it is busy with us half of the time; longer while it
  // stays.
  rest_ = slow ? std::clamp(std::max(took, rest_ * 2), kRestMin, kRestMax) : rest_ / 2;
  if (rest_ < kRestMin) rest_ = Microseconds::zero();
  return rest_;
}

}  // namespace miroir::anti_entropy
