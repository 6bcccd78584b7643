#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace miroir {

// XXH3, 64 and 128 bits, seed 0 unless told.
std::uint64_t xxh3_64(std::string_view bytes, std::uint64_t seed = 0);

struct Hash128 {
  std::uint64_t high = 0;  // first: the greater hash is the one whose hex() is
  std::uint64_t low = 0;
  auto operator<=>(const Hash128&) const = default;
  // Sum mod 2^128, the fold of the fingerprints (DESIGN.md: not XOR).
  Hash128& operator+=(const Hash128& other);
  Hash128& operator-=(const Hash128& other);
  std::string hex() const;
};

Hash128 xxh3_128(std::string_view bytes, std::uint64_t seed = 0);

}  // namespace miroir
