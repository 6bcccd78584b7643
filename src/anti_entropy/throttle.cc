#include "anti_entropy/throttle.h"

#include <algorithm>
#include <bit>

namespace miroir::anti_entropy {
namespace {

constexpr double kSlow = 3;       // times the best
constexpr double kForget = 1.01;  // of the best, with every answer
constexpr Microseconds kSlowMin = Milliseconds(50);
constexpr Microseconds kRestMin = Milliseconds(10);
constexpr Microseconds kRestMax = Seconds(1);

}  // namespace

Microseconds Throttle::after(Microseconds took, std::uint64_t bytes) {
  const auto time = static_cast<double>(took.count());
  double& best = best_.try_emplace(static_cast<int>(std::bit_width(bytes)), time).first->second;
  const bool slow = took >= kSlowMin && time > best * kSlow;
  best = std::min(best * kForget, time);
  // At least as long as it took, so that it is busy with us half of the time; longer while it
  // stays.
  rest_ = slow ? std::clamp(std::max(took, rest_ * 2), kRestMin, kRestMax) : rest_ / 2;
  if (rest_ < kRestMin) rest_ = Microseconds::zero();
  return rest_;
}

}  // namespace miroir::anti_entropy
