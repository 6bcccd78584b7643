#include "base/duration.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace miroir {
namespace {

TEST(DurationTest, ParsesANumberAndAUnit) {
  EXPECT_EQ(*parse_duration("500ms"), Milliseconds(500));
  EXPECT_EQ(*parse_duration("60s"), Seconds(60));
  EXPECT_EQ(*parse_duration("5m"), Seconds(300));
  EXPECT_EQ(*parse_duration("6h"), Seconds(21'600));
  EXPECT_EQ(*parse_duration("7d"), Seconds(604'800));
  EXPECT_EQ(*parse_schedule("every 6h"), Seconds(21'600));
}

TEST(DurationTest, EverythingElseIsRefused) {
  for (const char* text : {"", "6", "h", "0s", "-1s", "+1s", " 6h", "6h ", "6 h", "1.5h", "6H",
                           "6hours", "1h30m", "99999999999999999999s", "9223372036854775807d"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
  for (const char* text : {"", "6h", "every", "every ", "every  6h", "Every 6h", "every 6 hours"}) {
    EXPECT_FALSE(parse_schedule(text)) << text;
  }
  EXPECT_EQ(parse_schedule("6 hours").error().message,
            "expected a schedule like \"every 6h\", got \"6 hours\"");
}

TEST(DurationTest, BytesAreBinaryUnits) {
  EXPECT_EQ(*parse_bytes("104857600"), 104857600u);
  EXPECT_EQ(*parse_bytes("512KiB"), 524288u);
  EXPECT_EQ(*parse_bytes("20GiB"), std::uint64_t{20} << 30);
  for (const char* text : {"", "0", "1GB", "1 GiB", "1gib", "-1", "1e3", "9999999999TiB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

// Added to a time, or multiplied, they would overflow.
TEST(DurationTest, WhatNobodyMeansIsRefused) {
  EXPECT_TRUE(parse_duration("36500d"));
  EXPECT_FALSE(parse_duration("36501d"));
  EXPECT_FALSE(parse_duration("9223372036854775807us"));
  EXPECT_FALSE(parse_schedule("every 106751991d"));
  EXPECT_TRUE(parse_bytes("1024TiB"));
  EXPECT_FALSE(parse_bytes("1125899906842625"));
}

TEST(DurationTest, TextIsTheShortestAndReadsBack) {
  EXPECT_EQ(to_text(std::chrono::hours(6)), "6h");
  EXPECT_EQ(to_text(Milliseconds(1500)), "1500ms");
  EXPECT_EQ(to_text(std::chrono::hours(48)), "2d");
  EXPECT_TRUE(rc::check([](std::uint32_t count) {
    const Microseconds duration(std::int64_t{count} + 1);
    RC_ASSERT(*parse_duration(to_text(duration)) == duration);
  }));
}

}  // namespace
}  // namespace miroir
