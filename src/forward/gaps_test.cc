// What a node was never sent, for the log did not hold it any more.
#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

ForwardWorld::Options options() {
  ForwardWorld::Options options;
  options.nodes_per_group = 1;
  options.log.retention_age = std::chrono::hours(1);
  options.log.tasks_kept = 5;
  return options;
}

// Of what is forgotten nobody asks any more, once the node was found to be equal since.
TEST(GapsTest, GapsOfLongAgoAreForgottenToo) {
  ForwardWorld world(1, options());
  world.start();
  world.create_index("books");
  const auto gaps = [&] { return world.cluster().progress("b0").gaps.size(); };
  const auto miss = [&] {
    ASSERT_TRUE(world.set_down("b0", true));
    const Position head = world.write("books", {"1"}, "a");
    world.run_for(std::chrono::hours(2));
    ASSERT_GE(world.log().trimmed(), head);
    ASSERT_TRUE(world.set_down("b0", false));
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    ASSERT_TRUE(world.cluster().progress("b0").skipped(head));
  };
  const auto prove = [&] {
    const std::uint64_t setbacks = world.cluster().status("b0").setbacks;
    ASSERT_TRUE(world.await(world.cluster().prove_in_sync("b0", setbacks)));
    world.await_task(world.write("books", {"2"}, "b"));
  };
  miss();
  prove();
  miss();
  EXPECT_EQ(gaps(), 2U) << "the log still has entries of the first";
  const Position first = world.cluster().progress("b0").gaps.front().to;
  prove();
  for (int n = 0; n < 5; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
  world.run_for(std::chrono::hours(2));
  ASSERT_GE(world.log().forgotten(), first);
  miss();
  const NodeProgress progress = world.cluster().progress("b0");
  EXPECT_FALSE(progress.skipped(first));
  ASSERT_NE(progress.missed(), nullptr);
  EXPECT_EQ(progress.missed()->to, progress.gaps.back().to);
  const std::size_t before = gaps();
  for (int n = 0; n < 5; ++n) {
    prove();
    for (int m = 0; m < 5; ++m) world.await_task(world.write("books", {"2"}, std::to_string(m)));
    world.run_for(std::chrono::hours(2));
    miss();
  }
  EXPECT_LE(gaps(), before);
}

// Whatever is forgotten: it lacks that until it was found to be equal.
TEST(GapsTest, AGapOfANodeThatWasNotHealedSinceIsKept) {
  ForwardWorld world(1, options());
  world.start();
  world.create_index("books");
  ASSERT_TRUE(world.set_down("b0", true));
  const Position missed = world.write("books", {"1"}, "a");
  world.run_for(std::chrono::hours(2));
  ASSERT_TRUE(world.set_down("b0", false));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (int n = 0; n < 9; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
  ASSERT_TRUE(world.set_down("b0", true));
  for (int n = 0; n < 9; ++n) world.await_task(world.write("books", {"3"}, std::to_string(n)));
  world.run_for(std::chrono::hours(2));
  ASSERT_GT(world.log().forgotten(), missed);
  ASSERT_TRUE(world.set_down("b0", false));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.cluster().progress("b0").skipped(missed));
}

}  // namespace
}  // namespace miroir
