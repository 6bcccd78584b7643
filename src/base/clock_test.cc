#include "base/clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/simulated_clock_fake.h"

namespace miroir {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;

TEST(TimeTextTest, IsMeilisearchForm) {
  const WallTime time = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) +
                        std::chrono::hours(1) + std::chrono::minutes(2) + Seconds(3) +
                        Microseconds(456);
  EXPECT_EQ(to_rfc3339(time), "2026-11-23T01:02:03.000456Z");
  EXPECT_EQ(to_rfc3339(WallTime()), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(to_rfc3339(WallTime(Microseconds(-1))), "1969-12-31T23:59:59.999999Z");
}

Async<void> sleep_and_say(Clock& clock, Instant when, std::string word,
                          std::vector<std::string>& seen) {
  co_await clock.sleep_until(when);
  seen.push_back(std::move(word));
}

TEST(SystemClockTest, SleepsUntilTheTimeAndNotAtAllForOneThatHasPassed) {
  SystemClock clock;
  asio::io_context context(1);
  std::vector<std::string> seen;
  const Instant begin = clock.now();
  asio::co_spawn(context, sleep_and_say(clock, begin + Milliseconds(250), "later", seen),
                 asio::detached);
  asio::co_spawn(context, sleep_and_say(clock, begin - Seconds(5), "past", seen), asio::detached);
  context.run();
  EXPECT_THAT(seen, ElementsAre("past", "later"));
  EXPECT_GE(clock.now() - begin, Milliseconds(250));
}

TEST(SystemClockTest, NeverIsNotNow) {
  SystemClock clock;
  asio::io_context context(1);
  std::vector<std::string> seen;
  asio::co_spawn(context, sleep_and_say(clock, Instant::max(), "never", seen), asio::detached);
  context.poll();
  context.poll();
  EXPECT_THAT(seen, ElementsAre());
}

TEST(SimulatedClockTest, WakesInOrderOfTimeThenOfComing) {
  SimulatedClock clock;
  asio::io_context context(1);
  std::vector<std::string> seen;
  const Instant begin = clock.now();
  auto sleep = [&](Seconds delay, std::string word) {
    asio::co_spawn(context, sleep_and_say(clock, begin + delay, std::move(word), seen),
                   asio::detached);
  };
  sleep(Seconds(2), "two");
  sleep(Seconds(1), "one");
  sleep(Seconds(2), "two too");
  sleep(Seconds(9), "nine");
  context.poll();
  EXPECT_EQ(clock.next_wake(), begin + Seconds(1));
  clock.advance(Seconds(2));
  context.poll();
  EXPECT_THAT(seen, ElementsAre("one", "two", "two too"));
  EXPECT_EQ(clock.next_wake(), begin + Seconds(9));
  EXPECT_EQ(clock.sleepers(), 1u);
}

TEST(SimulatedClockTest, SleepThatIsOverGivesOthersATurn) {
  SimulatedClock clock;
  asio::io_context context(1);
  std::vector<std::string> seen;
  asio::co_spawn(context, sleep_and_say(clock, clock.now(), "slept", seen), asio::detached);
  context.poll_one();
  EXPECT_THAT(seen, ElementsAre());
  context.poll();
  EXPECT_THAT(seen, ElementsAre("slept"));
  EXPECT_EQ(clock.next_wake(), std::nullopt);
}

TEST(SimulatedClockTest, ServesManyContextsAndOutlivesThem) {
  SimulatedClock clock;
  auto crashed = std::make_unique<asio::io_context>(1);
  asio::io_context survivor(1);
  std::vector<std::string> seen;
  const Instant when = clock.now() + Seconds(1);
  asio::co_spawn(*crashed, sleep_and_say(clock, when, "crashed", seen), asio::detached);
  asio::co_spawn(survivor, sleep_and_say(clock, when, "survivor", seen), asio::detached);
  crashed->poll();
  survivor.poll();
  EXPECT_EQ(clock.sleepers(), 2u);
  crashed.reset();
  EXPECT_EQ(clock.sleepers(), 1u);
  clock.advance_to(when);
  survivor.poll();
  EXPECT_THAT(seen, ElementsAre("survivor"));
}

TEST(SimulatedClockTest, WallTimeMovesWithTheTrueTimeAndItsOffset) {
  SimulatedClock clock;
  EXPECT_EQ(to_rfc3339(clock.wall_now()), "2026-01-01T00:00:00.000000Z");
  clock.advance(Seconds(61));
  EXPECT_EQ(to_rfc3339(clock.wall_now()), "2026-01-01T00:01:01.000000Z");
  const Instant now = clock.now();
  clock.set_wall_offset(-Seconds(61));
  EXPECT_EQ(to_rfc3339(clock.wall_now()), "2026-01-01T00:00:00.000000Z");
  EXPECT_EQ(clock.now(), now);
  clock.advance_to(now - Seconds(1));
  EXPECT_EQ(clock.now(), now);
}

}  // namespace
}  // namespace miroir
