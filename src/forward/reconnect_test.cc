#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

// A node is started again at the same address, on an empty disk, right after it answered: the next
// request reaches it over a new connection, and nothing fails.
class ReconnectTest : public testing::Test {
 protected:
  ReconnectTest() : world_(7, {}) {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", ids(), "first"));
    MIROIR_ASSERT(world_.run_until([&] { return world_.all_done(); }));
  }
  static std::vector<std::string> ids() {
    std::vector<std::string> ids;
    for (int i = 0; i < 40; ++i) ids.push_back("id" + std::to_string(i));
    return ids;
  }
  bool is_noticed() {
    return world_.run_until(
        [&] { return world_.cluster().status("a0").state == ReplicaState::kStale; }, Seconds(5));
  }
  bool is_verified() {
    return world_.await(world_.cluster().verify("a0", world_.clock.now() + Seconds(5))).has_value();
  }

  ForwardWorld world_;
};

TEST_F(ReconnectTest, EmptiedNodeIsNoticedBeforeTheNextWrite) {
  world_.nodes.at("a0")->wipe();
  world_.write("books", ids(), "second");
  EXPECT_TRUE(is_noticed());
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "books"), world_.documents_of_group(1, "books"));
}

TEST_F(ReconnectTest, NodeThatWasEmptiedOnTheWayIsNoticed) {
  bool wiped = false;
  world_.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node == "a0" && !std::exchange(wiped, true)) world_.nodes.at("a0")->wipe();
    return std::nullopt;
  };
  world_.write("books", ids(), "second");
  EXPECT_TRUE(is_noticed());
}

TEST_F(ReconnectTest, NewConnectionToTheSameNodeIsNoReasonToLookAtAllItsHistory) {
  int sent = 0;
  world_.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node != "a0") return std::nullopt;
    ++sent;
    world_.nodes.at(node)->restore(world_.nodes.at(node)->snapshot());
    return std::nullopt;
  };
  for (int i = 0; i < 20; ++i) world_.write("books", ids(), std::to_string(i));
  const Instant began = world_.clock.now();
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(sent, 20) << "each once";
  EXPECT_LT(world_.clock.now() - began, Seconds(5)) << "without backing off";
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kInSync);
  EXPECT_TRUE(is_verified());
}

TEST_F(ReconnectTest, TasksThatAnEmptiedNodeLostDidNotEnd) {
  SimulatedNode& node = *world_.nodes.at("a0");
  const SimulatedNode::Disk older = node.snapshot();
  node.options().automatic = false;
  world_.write("books", ids(), "second");
  world_.run_for(Seconds(1));
  world_.crash();
  world_.start();
  world_.run_for(Seconds(1));  // its lane has seen them
  node.restore(older);
  node.options().automatic = true;
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "books"), world_.documents_of_group(1, "books"));
}

}  // namespace
}  // namespace miroir
