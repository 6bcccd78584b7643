#include "cluster/topology.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

namespace miroir {
namespace {

std::vector<NodeConfig> two_groups_of(int nodes_per_group) {
  std::vector<NodeConfig> nodes;
  for (int group = 0; group < 2; ++group) {
    for (int i = 0; i < nodes_per_group; ++i) {
      const std::string id = std::string(1, static_cast<char>('a' + group)) + std::to_string(i);
      nodes.push_back({id, "http://" + id, group});
    }
  }
  return nodes;
}

TEST(TopologyTest, ImpossibleTopologiesAreRefused) {
  EXPECT_FALSE(Topology::make({}, 64));
  EXPECT_FALSE(Topology::make({{"a", "http://a", 0}}, 0));
  EXPECT_FALSE(Topology::make({{"a", "http://a", 0}}, 65'537));
  EXPECT_FALSE(Topology::make({{"a", "http://a", 0}, {"a", "http://b", 0}}, 64));
  EXPECT_FALSE(Topology::make({{"a", "http://a", 0}, {"b", "http://a", 0}}, 64));
  EXPECT_TRUE(Topology::make({{"a", "http://a", 0}}, 65'536));
}

RC_GTEST_PROP(TopologyTest, ShardsCutTheSlotsWithoutGapOrOverlap, ()) {
  const auto shards = *rc::gen::inRange<std::uint32_t>(1, 5'000);
  auto topology = Topology::make({{"a", "http://a", 0}}, shards);
  RC_ASSERT(topology.has_value());
  std::uint32_t next = 0;
  for (ShardId shard = 0; shard < shards; ++shard) {
    const SlotRange range = topology->slots_of(shard);
    RC_ASSERT(range.first == next);
    RC_ASSERT(range.last >= range.first);
    RC_ASSERT(topology->shard_of(range.first) == shard);
    RC_ASSERT(topology->shard_of(range.last) == shard);
    next = range.last + 1U;
  }
  RC_ASSERT(next == 65'536U);
}

TEST(TopologyTest, EveryShardHasOneOwnerInEachGroup) {
  auto topology = Topology::make(two_groups_of(3), 64);
  ASSERT_TRUE(topology);
  for (ShardId shard = 0; shard < 64; ++shard) {
    const std::vector<std::string> owners = topology->owners(shard);
    ASSERT_EQ(owners.size(), 2U);
    EXPECT_EQ(owners[0][0], 'a');
    EXPECT_EQ(owners[1][0], 'b');
    EXPECT_EQ(topology->owner(1, shard), owners[1]);
    int holders = 0;
    for (const NodeConfig& node : topology->nodes()) {
      const bool owns = topology->owns(node.id, topology->slots_of(shard).first);
      EXPECT_EQ(owns, node.id == owners[0] || node.id == owners[1]);
      holders += owns ? 1 : 0;
    }
    EXPECT_EQ(holders, 2);
  }
}

TEST(TopologyTest, AddedNodeTakesOnlyItsShareAndMovesNothingElse) {
  auto before = Topology::make(two_groups_of(3), 3'000);
  auto after = Topology::make(two_groups_of(4), 3'000);
  ASSERT_TRUE(before && after);
  int moved = 0;
  for (ShardId shard = 0; shard < 3'000; ++shard) {
    if (before->owner(0, shard) == after->owner(0, shard)) continue;
    EXPECT_EQ(after->owner(0, shard), "a3");
    ++moved;
  }
  EXPECT_GT(moved, 3'000 / 4 / 2);
  EXPECT_LT(moved, 3'000 / 4 * 2);
}

// Documents lie where they were put under it.
TEST(TopologyTest, PlacementIsTheSameForEver) {
  auto topology = Topology::make(two_groups_of(3), 64);
  ASSERT_TRUE(topology);
  std::string placement;
  for (ShardId shard = 0; shard < 64; ++shard) placement += topology->owner(0, shard)[1];
  EXPECT_EQ(placement, "0000200210200112010110211122000202011211211210021201010121020100");
}

TEST(TopologyTest, RangesJoinNeighboursAndCoverWhatIsOwned) {
  auto alone = Topology::make({{"a", "http://a", 0}}, 64);
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->ranges_of("a"), std::vector<SlotRange>{SlotRange{}});
  auto topology = Topology::make(two_groups_of(2), 7);
  ASSERT_TRUE(topology);
  const std::vector<SlotRange> ranges = topology->ranges_of("a0");
  for (std::uint32_t slot = 0; slot < 65'536; ++slot) {
    const bool in_range = std::ranges::any_of(
        ranges, [&](const SlotRange& range) { return range.contains(static_cast<Slot>(slot)); });
    ASSERT_EQ(in_range, topology->owns("a0", static_cast<Slot>(slot))) << slot;
  }
}

}  // namespace
}  // namespace miroir
