#include "search/read_plan.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace miroir {
namespace {

Topology topology(int groups, int nodes_per_group, std::uint32_t shards = 16) {
  std::vector<NodeConfig> nodes;
  for (int group = 0; group < groups; ++group) {
    for (int i = 0; i < nodes_per_group; ++i) {
      const std::string id = std::string(1, static_cast<char>('a' + group)) + std::to_string(i);
      nodes.push_back({id, "http://" + id, group});
    }
  }
  return *Topology::make(std::move(nodes), shards);
}

std::set<std::string> all_nodes(const Topology& topology) {
  std::set<std::string> nodes;
  for (const NodeConfig& node : topology.nodes()) nodes.insert(node.id);
  return nodes;
}

std::set<std::string> nodes_of(const ReadPlan& plan) {
  std::set<std::string> nodes;
  for (const ReadPlan::Part& part : plan.parts) nodes.insert(part.node);
  return nodes;
}

TEST(ReadPlanTest, WholeGroupsTakeTurnsAndNothingIsNarrowed) {
  const Topology two = topology(2, 2);
  for (std::uint64_t turn = 0; turn < 4; ++turn) {
    const ReadPlan plan = plan_read(two, all_nodes(two), {}, turn);
    EXPECT_TRUE(plan.whole);
    EXPECT_EQ(nodes_of(plan), (turn % 2 == 0 ? std::set<std::string>{"a0", "a1"}
                                             : std::set<std::string>{"b0", "b1"}));
    for (const ReadPlan::Part& part : plan.parts) EXPECT_TRUE(part.slots.empty());
  }
}

TEST(ReadPlanTest, AGroupWithANodeThatIsNotInSyncOrFailedIsNotAsked) {
  const Topology two = topology(2, 2);
  for (std::uint64_t turn = 0; turn < 2; ++turn) {
    EXPECT_EQ(nodes_of(plan_read(two, {"a0", "b0", "b1"}, {}, turn)),
              (std::set<std::string>{"b0", "b1"}));
    EXPECT_EQ(nodes_of(plan_read(two, all_nodes(two), {"b1"}, turn)),
              (std::set<std::string>{"a0", "a1"}));
  }
}

TEST(ReadPlanTest, NobodyToReadIsEveryShardMissing) {
  const Topology two = topology(2, 2);
  const ReadPlan plan = plan_read(two, {}, {}, 0);
  EXPECT_TRUE(plan.parts.empty());
  EXPECT_EQ(plan.missing.size(), 16u);
}

// Whoever can be read: every slot is asked of exactly one node, which owns it, or is said to be
// missing because none of its owners can be read.
RC_GTEST_PROP(ReadPlanTest, EverySlotIsAskedOnceOrMissing, ()) {
  const Topology some = topology(*rc::gen::inRange(1, 4), *rc::gen::inRange(1, 4),
                                 static_cast<std::uint32_t>(*rc::gen::element(1, 7, 16, 64)));
  std::set<std::string> readable;
  std::set<std::string> avoid;
  for (const std::string& node : all_nodes(some)) {
    if (*rc::gen::inRange(0, 3) > 0) readable.insert(node);
    if (*rc::gen::inRange(0, 4) == 0) avoid.insert(node);
  }
  const ReadPlan plan =
      plan_read(some, readable, avoid, static_cast<std::uint64_t>(*rc::gen::inRange(0, 9)));
  for (ShardId shard = 0; shard < some.shard_count(); ++shard) {
    for (const Slot slot : {some.slots_of(shard).first, some.slots_of(shard).last}) {
      int asked = 0;
      for (const ReadPlan::Part& part : plan.parts) {
        RC_ASSERT(readable.contains(part.node) && !avoid.contains(part.node));
        if (!some.owns(part.node, slot)) continue;
        bool in = part.slots.empty();
        for (const SlotRange& range : part.slots) in = in || range.contains(slot);
        asked += in ? 1 : 0;
      }
      const bool missing = std::ranges::find(plan.missing, shard) != plan.missing.end();
      RC_ASSERT(asked == (missing ? 0 : 1));
      for (const std::string& owner : some.owners(shard))
        RC_ASSERT(!missing || !readable.contains(owner) || avoid.contains(owner));
    }
  }
}

TEST(ReadPlanTest, OwnersOfADocumentTakeTurns) {
  const Topology two = topology(2, 2);
  const auto owners = two.owners(two.shard_of(7));
  EXPECT_EQ(owners_to_read(two, all_nodes(two), 7, 0), owners);
  EXPECT_EQ(owners_to_read(two, all_nodes(two), 7, 1),
            (std::vector<std::string>{owners[1], owners[0]}));
  EXPECT_EQ(owners_to_read(two, {owners[1]}, 7, 0), std::vector<std::string>{owners[1]});
}

TEST(ReadPlanTest, TheNarrowingIsJoinedWithTheClientsFilter) {
  const std::vector<SlotRange> slots = {{0, 8}, {64, 64}};
  const std::string narrowing = slots_filter(slots);
  EXPECT_EQ(narrowing,
            "(_miroir_slot >= \"!!!!!!\" AND _miroir_slot <= \"!!!!(!\") OR "
            "(_miroir_slot >= \"!!!(!!\" AND _miroir_slot <= \"!!!(!!\")");
  const Json text("a = 1 OR b = 2");
  const Json list = Json::array({"a = 1", Json::array({"b = 2", "c = 3"})});
  const Json null;
  EXPECT_EQ(join_filters(&text, slots), Json::array({narrowing, text}));
  EXPECT_EQ(join_filters(&list, slots),
            Json::array({narrowing, "a = 1", Json::array({"b = 2", "c = 3"})}));
  EXPECT_EQ(join_filters(&null, slots), Json::array({narrowing}));
  EXPECT_EQ(join_filters(nullptr, slots), Json::array({narrowing}));
  EXPECT_EQ(join_filters(&list, {}), list);
  EXPECT_TRUE(join_filters(nullptr, {}).is_null());
}

}  // namespace
}  // namespace miroir
