#include <gtest/gtest.h>

#include <utility>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

// Refused for a full log, which is full as long as nobody is in sync.
TEST(RefusedBodiesTest, BodiesWithoutAnEntryGoWhileNoNodeIsTrusted) {
  ForwardWorld world(29, {});
  world.start();
  world.create_index("books");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (const NodeConfig& node : world.topology().nodes())
    ASSERT_TRUE(world.await(world.cluster().set_state(node.id, ReplicaState::kStale, "why")));
  bool written = false;
  const auto body = world.await(world.log().write_body([&]() -> Result<std::optional<BodyRecord>> {
    if (std::exchange(written, true)) return std::nullopt;
    return BodyRecord{0, 0, "1", R"({"id":"1"})"};
  }));
  ASSERT_TRUE(body);
  world.log().discard(*body);
  const auto bodies = [&] {
    return world.store.snapshot()[static_cast<std::size_t>(Table::kBody)].size();
  };
  EXPECT_EQ(bodies(), 1U);
  world.run_for(Seconds(30));
  EXPECT_EQ(bodies(), 0U);
}

}  // namespace
}  // namespace miroir
