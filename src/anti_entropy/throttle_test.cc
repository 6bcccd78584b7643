#include "anti_entropy/throttle.h"

#include <gtest/gtest.h>

namespace miroir::anti_entropy {
namespace {

constexpr std::uint64_t kPage = 4 << 20;

TEST(ThrottleTest, SteadyNodeIsNeverLeftAlone) {
  Throttle throttle;
  for (int i = 0; i < 1'000; ++i)
    EXPECT_EQ(throttle.after(Milliseconds(80 + i % 40), kPage), Microseconds(0));
}

TEST(ThrottleTest, SlowAnswersRestTheNodeLongerAndLongerUpToAMost) {
  Throttle throttle;
  throttle.after(Milliseconds(80), kPage);
  EXPECT_EQ(throttle.after(Milliseconds(400), kPage), Microseconds(Milliseconds(400)));
  EXPECT_EQ(throttle.after(Milliseconds(400), kPage), Microseconds(Milliseconds(800)));
  for (int i = 0; i < 10; ++i) throttle.after(Milliseconds(400), kPage);
  EXPECT_EQ(throttle.after(Milliseconds(400), kPage), Microseconds(Seconds(1)));
}

TEST(ThrottleTest, RestEndsSoonAfterTheNodeIsFastAgain) {
  Throttle throttle;
  throttle.after(Milliseconds(80), kPage);
  throttle.after(Milliseconds(400), kPage);
  Microseconds rest{1};
  for (int i = 0; i < 6; ++i) rest = throttle.after(Milliseconds(80), kPage);
  EXPECT_EQ(rest, Microseconds(0));
}

TEST(ThrottleTest, LargeAnswersMayTakeLonger) {
  Throttle throttle;
  throttle.after(Milliseconds(20), kPage / 4);
  EXPECT_EQ(throttle.after(Milliseconds(80), kPage), Microseconds(0));
}

TEST(ThrottleTest, SmallAnswersThatAreFastAnywayDoNotCount) {
  Throttle throttle;
  throttle.after(Microseconds(300), 100);
  EXPECT_EQ(throttle.after(Milliseconds(5), 100), Microseconds(0));
}

TEST(ThrottleTest, NodeThatStaysSlowIsNewlyKnown) {
  Throttle throttle;
  throttle.after(Milliseconds(80), kPage);
  Microseconds rest{1};
  for (int i = 0; i < 300; ++i) rest = throttle.after(Milliseconds(400), kPage);
  EXPECT_EQ(rest, Microseconds(0)) << "its disk is another by now";
}

}  // namespace
}  // namespace miroir::anti_entropy
