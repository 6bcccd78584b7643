#include "cluster/placement_guard.h"

#include <gtest/gtest.h>

#include "log/log_process_fake.h"

namespace miroir {
namespace {

constexpr bool kEmpty = true;
constexpr bool kFull = false;

class PlacementGuardTest : public testing::Test {
 protected:
  Result<void> guard(std::vector<NodeConfig> nodes, std::uint32_t shards, bool log_is_empty) {
    auto topology = Topology::make(std::move(nodes), shards);
    EXPECT_TRUE(topology);
    return process_.run(guard_placement(store_, *topology, log_is_empty));
  }
  std::string refusal(std::vector<NodeConfig> nodes, std::uint32_t shards) {
    const auto guarded = guard(std::move(nodes), shards, kFull);
    return guarded ? "" : guarded.error().message;
  }

  const NodeConfig a1_{"a1", "http://a1", 0}, a2_{"a2", "http://a2", 0};
  const NodeConfig b1_{"b1", "http://b1", 1}, b2_{"b2", "http://b2", 1};
  MemoryStore store_;
  SimulatedClock clock_;
  LogProcess process_{store_, clock_};
};

TEST_F(PlacementGuardTest, TheSameAgainIsAccepted) {
  ASSERT_TRUE(guard({a1_, b1_}, 64, kEmpty));
  EXPECT_TRUE(guard({b1_, a1_}, 64, kFull));
}

TEST_F(PlacementGuardTest, AddressesMayChange) {
  ASSERT_TRUE(guard({a1_, b1_}, 64, kEmpty));
  EXPECT_TRUE(guard({a1_, {"b1", "http://elsewhere", 1}}, 64, kFull));
}

TEST_F(PlacementGuardTest, WholeGroupsMayComeAndGo) {
  ASSERT_TRUE(guard({a1_, a2_}, 64, kEmpty));
  EXPECT_TRUE(guard({a1_, a2_, b1_}, 64, kFull));
  EXPECT_TRUE(guard({b1_}, 64, kFull));
}

TEST_F(PlacementGuardTest, AGroupKeepsItsNodes) {
  ASSERT_TRUE(guard({a1_, b1_}, 64, kEmpty));
  EXPECT_EQ(refusal({a1_, a2_, b1_}, 64),
            "nodes: group 0 consists of a1; its documents cannot be moved to a1, a2 yet (a new "
            "group can be added instead)");
  EXPECT_NE(refusal({a2_, b1_}, 64), "");
  EXPECT_EQ(refusal({a1_, b1_}, 64), "") << "a refusal changes nothing";
}

// Which documents a node holds, its group's members say, whatever the group's number.
TEST_F(PlacementGuardTest, ANodeKeepsItsPeersInAnotherGroupAndWhenItComesBack) {
  const NodeConfig b1{"b1", "http://b1", 2};
  const NodeConfig b2{"b2", "http://b2", 2};
  ASSERT_TRUE(guard({a1_, b1_, b2_}, 64, kEmpty));
  EXPECT_EQ(refusal({a1_, b1}, 64),
            "nodes: b1 was in a group of b1, b2; its documents cannot be moved to b1 yet (an empty "
            "node under another id can be added instead)");
  EXPECT_EQ(refusal({a1_}, 64), "");
  EXPECT_NE(refusal({a1_, b1_}, 64), "");
  EXPECT_EQ(refusal({a1_, b1, b2}, 64), "");
  EXPECT_EQ(refusal({a1_, {"c1", "http://b1", 1}}, 64), "");
}

TEST_F(PlacementGuardTest, SoDoesOneThatAnOlderRowTellsOf) {
  Batch batch;
  batch.put(Table::kMeta, "placement", R"({"shards":64,"groups":{"0":["a1"],"1":["b1","b2"]}})");
  ASSERT_TRUE(process_.run(store_.commit(std::move(batch))));
  EXPECT_NE(refusal({a1_, {"b1", "http://b1", 2}}, 64), "");
  EXPECT_EQ(refusal({a1_, b1_, b2_}, 64), "");
}

TEST_F(PlacementGuardTest, ShardsStay) {
  ASSERT_TRUE(guard({a1_, b1_}, 64, kEmpty));
  EXPECT_EQ(refusal({a1_, b1_}, 128),
            "shards: documents are placed by 64 shards and cannot be moved to 128 yet");
}

TEST_F(PlacementGuardTest, OneOfTheGroupsStays) {
  ASSERT_TRUE(guard({a1_}, 64, kEmpty));
  EXPECT_EQ(refusal({b1_}, 64), "nodes: none of the groups that hold the documents is left");
}

TEST_F(PlacementGuardTest, WhileTheLogIsEmptyAnythingGoes) {
  ASSERT_TRUE(guard({a1_}, 64, kEmpty));
  EXPECT_TRUE(guard({b1_, b2_}, 16, kEmpty));
  EXPECT_EQ(refusal({b1_, b2_}, 16), "");
}

}  // namespace
}  // namespace miroir
