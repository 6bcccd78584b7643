#include "forward/filter_resolver.h"

#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

TEST(FilterResolverTest, EmptiedDiskDoesNotSayThatNothingMatches) {
  ForwardWorld::Options options;
  options.nodes_per_group = 1;
  ForwardWorld world(81, options);
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2", "3"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  // Nobody noticed yet: in sync, answering, and everything done.
  world.nodes.at("a0")->restore({});
  ASSERT_EQ(world.cluster().status("a0").state, ReplicaState::kInSync);
  const TaskEnd end = world.await_task(world.remove_by_filter("books", "v = a"));
  EXPECT_EQ(end.status, "succeeded");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (const int group : {0, 1}) EXPECT_TRUE(world.documents_of_group(group, "books").empty());
  EXPECT_EQ(world.cluster().status("a0").state, ReplicaState::kStale);
}

}  // namespace
}  // namespace miroir
