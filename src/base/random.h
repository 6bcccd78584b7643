#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace miroir {

// The only source of randomness: seeded in tests and simulations, from the system otherwise.
// Not thread-safe: one per worker.
class Random {
 public:
  explicit Random(std::uint64_t seed);
  static Random from_system();

  std::uint64_t next();
  // Uniform in [0, bound); bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // Uniform in [0, 1).
  double unit();
  bool chance(double probability) { return unit() < probability; }
  std::string uuid_v4();

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace miroir
