#include "base/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace miroir {
namespace {

TEST(HashTest, IsXxh3) {
  // The reference implementation's values for the empty input.
  EXPECT_EQ(xxh3_64(""), 0x2D06800538D394C2u);
  EXPECT_EQ(xxh3_128("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(xxh3_64("a", 1), xxh3_64("a", 2));
  EXPECT_NE(xxh3_128("a", 1), xxh3_128("a", 2));
}

TEST(HashTest, SumsCarryAndUndo) {
  Hash128 sum{0, UINT64_MAX};
  sum += {0, 1};
  EXPECT_EQ(sum, (Hash128{1, 0}));
  sum -= {0, 1};
  EXPECT_EQ(sum, (Hash128{0, UINT64_MAX}));
  Hash128 wrapped{UINT64_MAX, UINT64_MAX};
  wrapped += {0, 1};
  EXPECT_EQ(wrapped, Hash128());
}

TEST(HashTest, SumsAreThoseOfA128BitInteger) {
  using Wide = unsigned __int128;
  const auto wide = [](const Hash128& hash) { return (Wide{hash.high} << 64) | hash.low; };
  EXPECT_TRUE(rc::check([&](std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    const Hash128 one{b, ~a};
    const Hash128 other{~d, c};
    Hash128 sum = one;
    sum += other;
    RC_ASSERT((wide(sum) == wide(one) + wide(other)));
    Hash128 difference = one;
    difference -= other;
    RC_ASSERT((wide(difference) == wide(one) - wide(other)));
  }));
}

TEST(HashTest, HexIsHighThenLow) {
  EXPECT_EQ((Hash128{0xABC, 0x1}.hex()), "0000000000000abc0000000000000001");
}

TEST(HashTest, OrderIsThatOfTheHex) {
  EXPECT_LT((Hash128{1, 9}), (Hash128{2, 3}));
  EXPECT_LT((Hash128{1, 3}), (Hash128{1, 9}));
}

}  // namespace
}  // namespace miroir
