#include "base/compress.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace miroir {
namespace {

TEST(CompressTest, AnyBytesComeBack) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) {
    const auto back = decompress(compress(bytes), bytes.size());
    RC_ASSERT(back.has_value());
    RC_ASSERT(*back == bytes);
  }));
  const std::string zeros(1'000'000, '\0');
  EXPECT_LT(compress(zeros).size(), 1000u);
  EXPECT_EQ(*decompress(compress(zeros), zeros.size()), zeros);
}

TEST(CompressTest, ExpansionIsBounded) {
  const auto result = decompress(compress(std::string(1'000'000, '\0')), 999'999);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTooLarge);
}

TEST(CompressTest, DamageIsCorrupt) {
  const std::string good = compress("some text, some text, some text, some more of the text");
  for (const std::string& bad :
       {std::string(), std::string("plain"), good.substr(0, good.size() - 1), good + "x"}) {
    const auto result = decompress(bad, 1'000);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kCorrupt);
  }
}

}  // namespace
}  // namespace miroir
