#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/logging.h"
#include "sim/checks.h"
#include "sim/simulation.h"

namespace miroir::sim {
namespace {

constexpr std::uint64_t kSeeds = 3'000;
// On a slow machine fewer seeds are run, and the test says so.
constexpr Seconds kBudget{90};

class SimulationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { configure_logging(LogLevel::kError, LogFormat::kText); }
};

std::string sentences(const Outcome& outcome) {
  std::string all;
  for (const std::string& wrong : outcome.wrong) all += "\n  " + wrong;
  return all;
}

TEST_F(SimulationTest, SameSeedTellsTheSameStory) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Plan plan = draw_plan(seed, default_faults());
    EXPECT_EQ(simulate(plan).hash, simulate(plan).hash) << "seed " << seed;
  }
}

TEST_F(SimulationTest, OtherSeedsTellOtherStories) {
  EXPECT_NE(simulate(draw_plan(1, default_faults())).hash,
            simulate(draw_plan(2, default_faults())).hash);
}

// Beyond those that SeedsHold runs: a swap on a disk that was put back was taken for somebody
// else's, and done twice; an index that one node alone still held was taken without its settings;
// what failed on one owner and was skipped by the other was taken for what had happened.
TEST_F(SimulationTest, SeedsThatOnceFailedHold) {
  for (const std::uint64_t seed : {3344U, 3616U, 4281U, 10607U, 11588U, 20791U}) {
    const Outcome outcome = simulate(draw_plan(seed, default_faults()));
    EXPECT_TRUE(outcome.wrong.empty()) << "seed " << seed << sentences(outcome);
  }
}

TEST_F(SimulationTest, SeedsHold) {
  const SystemClock clock;
  const auto spent = [&, start = clock.now()] { return clock.now() - start; };
  std::uint64_t run = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t repairs = 0;
  for (; run < kSeeds && spent() < kBudget; ++run) {
    const std::uint64_t seed = 1 + run;
    const Outcome outcome = simulate(draw_plan(seed, default_faults()));
    EXPECT_TRUE(outcome.wrong.empty())
        << "miroir-sim --seed " << seed << " replays this:" << sentences(outcome);
    acknowledged += outcome.acknowledged;
    repairs += outcome.repairs;
  }
  fmt::print("{} seeds, {} requests acknowledged, {} repairs, {:.1f} seeds/s\n", run, acknowledged,
             repairs, static_cast<double>(run) / std::chrono::duration<double>(spent()).count());
  EXPECT_GT(run, 0U);
  EXPECT_GT(acknowledged, run);
  EXPECT_GT(repairs, 0U);
}

}  // namespace
}  // namespace miroir::sim
