#include "forward/queue_upkeep.h"

#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

ForwardWorld::Options options(std::uint64_t kept) {
  ForwardWorld::Options options;
  options.groups = 2;
  options.nodes_per_group = 1;
  options.task_delay_max = Microseconds(100);
  options.forward.node_tasks_kept = kept;
  return options;
}

std::string oldest_tasks(ForwardWorld& world) {
  std::string all;
  for (const auto& [node, simulated] : world.nodes)
    all += node + ':' + std::to_string(simulated->disk().tasks.begin()->first) + ' ';
  return all;
}

TEST(QueueUpkeepTest, OldTasksGoAndTheHistoryStaysKnown) {
  ForwardWorld world(1, options(50));
  world.start();
  world.create_index("books");
  const Position first = world.write("books", {"1"}, "a");
  while (world.log().head() < kForgottenTasksMax + 60) world.write("books", {"1"}, "b");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_TRUE(world.run_until([&] { return oldest_tasks(world) == "a0:2001 b0:2001 "; }))
      << oldest_tasks(world);
  EXPECT_EQ(world.task_end(first)->status, "succeeded") << "clients' tasks are views of the log";
  const Position forgotten_at = world.log().head();
  world.run_for(Seconds(300));
  EXPECT_EQ(world.log().head(), forgotten_at) << "nothing more to forget";

  world.crash();
  world.start();
  world.await_task(world.write("books", {"1"}, "c"));
  for (const auto& [node, simulated] : world.nodes)
    EXPECT_EQ(world.cluster().status(node).state, ReplicaState::kInSync);
}

TEST(QueueUpkeepTest, AShortQueueIsLeftAlone) {
  ForwardWorld world(2, options(100));
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  const Position head = world.log().head();
  world.run_for(Seconds(300));
  EXPECT_EQ(world.log().head(), head);
}

}  // namespace
}  // namespace miroir
