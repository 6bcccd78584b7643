// Nodes that a recovery took though they were behind, where there was nobody else.
#include "anti_entropy/reconciler_fake.h"
#include "cluster/state_reasons.h"

namespace miroir {
namespace {

class TakenBehindTest : public ReconcilerTest {
 protected:
  void SetUp() override {
    ReconcilerTest::SetUp();
    both = owners("id5");
    settle();
  }
  std::string one_of(std::vector<std::string> its_owners, int skip = 0) {
    for (int i = 0;; ++i) {
      const std::string id = "id" + std::to_string(i);
      if (owners(id) == its_owners && skip-- == 0) return id;
    }
  }
  // Both owners of their shards were behind.
  void take_behind() {
    world.take_over_index(kIndex);
    settle();
    std::map<std::string, Cluster::NewState> states;
    const Topology& topology = world.topology();
    for (const std::string& name : both) {
      Cluster::NewState& state = states[name];
      state = {ReplicaState::kStale, std::string(kTakenForSome), {}};
      for (const ShardId shard : topology.shards_of(name))
        if (topology.owners(shard) == both) state.taken_behind.insert(shard);
    }
    ASSERT_TRUE(world.await(world.cluster().set_states(std::move(states))));
  }
  std::set<std::string> who_holds(const std::string& id) {
    std::set<std::string> held;
    for (const auto& [name, each] : world.nodes)
      if (!document(*each, id).is_null()) held.insert(name);
    return held;
  }
  std::set<std::string> all_owners(const std::string& id) {
    const auto its = owners(id);
    return {its.begin(), its.end()};
  }

  std::vector<std::string> both;
};

TEST_F(TakenBehindTest, AreSourcesOfEachOtherAndOfNobodyElse) {
  const std::string first_has = one_of(both, 0);
  const std::string second_has = one_of(both, 1);
  node(both[1]).delete_directly(kIndex, first_has);
  node(both[0]).delete_directly(kIndex, second_has);
  // What others deleted, and what it missed.
  const std::vector<std::string> with_peer = {both[0], both[1] == "b0" ? "b1" : "b0"};
  const std::string deleted = one_of(with_peer, 0);
  const std::string missed = one_of(with_peer, 1);
  node(with_peer[1]).delete_directly(kIndex, deleted);
  node(with_peer[0]).delete_directly(kIndex, missed);
  take_behind();
  run_pass(PassKind::kLight);
  EXPECT_EQ(who_holds(first_has), all_owners(first_has));
  EXPECT_EQ(who_holds(second_has), all_owners(second_has));
  EXPECT_EQ(who_holds(missed), all_owners(missed));
  EXPECT_EQ(who_holds(deleted), std::set<std::string>{with_peer[0]});
  EXPECT_EQ(member(repair_of(deleted), "reason"), Json("maybe_deleted"));
  for (const std::string& name : both)
    EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << name;
  EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 0U);
  world.write(kIndex, {deleted}, "again");
  settle();
  run_pass(PassKind::kDeep);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  expect_groups_equal();
}

// The other cannot be compared yet.
TEST_F(TakenBehindTest, AreSourcesStillWhenOneOfThemIsInSync) {
  const std::string second_has = one_of(both, 0);
  node(both[0]).delete_directly(kIndex, second_has);
  take_behind();
  ASSERT_TRUE(world.set_down(both[1], true));
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kDeep);
  ASSERT_EQ(world.cluster().status(both[0]).state, ReplicaState::kInSync);
  restart_after([] {});
  node(both[1]).options().down = false;
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status(both[1]).healthy; }));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(who_holds(second_has), all_owners(second_has));
  EXPECT_EQ(world.cluster().status(both[1]).state, ReplicaState::kInSync);
}

// Whose disk is an older one knows nothing better than anybody.
TEST_F(TakenBehindTest, AreNoSourcesOnceSomethingElseBefellThem) {
  const std::string held = one_of(both, 0);
  node(both[0]).delete_directly(kIndex, held);
  take_behind();
  ASSERT_TRUE(
      world.await(world.cluster().set_state(both[1], ReplicaState::kStale, "it went back")));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(who_holds(held), std::set<std::string>{both[1]});
  EXPECT_EQ(member(repair_of(held), "reason"), Json("maybe_deleted"));
}

class TakenBehindInDoubtTest : public TakenBehindTest {
 protected:
  // On one of them, which has what the index had before; on the others it is the new one.
  void fail_swap() {
    world.create_index("other");
    set_settings(Json::object({{"stopWords", Json::array({"a"})}}), "other");
    world.write("other", {newer}, "of the other");
    settle();
    world.write(kIndex, {newer}, "newer");
    settle();
    world.fail_tasks({"indexSwap"}, both[1]);
    world.await_task(world.swap_indexes(kIndex, "other"));
    world.fail_tasks({});
    settle();
  }
  std::string reason(const std::string& id) {
    for (const Json& row : repairs().as_array())
      if (member(row, "id") == Json(id) && member(row, "index") == Json(kIndex))
        return member(row, "reason").as_string();
    return "";
  }
  const std::string newer = "id5";
};

TEST_F(TakenBehindInDoubtTest, WhatTheyLackIsNotDeletedFromAPeerInDoubtUntilTheyAreFoundEqual) {
  const std::string held = one_of(both) == newer ? one_of(both, 1) : one_of(both);
  fail_swap();
  ASSERT_EQ(who_holds(held), std::set<std::string>{both[1]});
  const Json kept = document(node(both[1]), newer);
  take_behind();
  for (int i = 0; i < 3; ++i) run_pass(PassKind::kDeep);
  EXPECT_EQ(who_holds(held), std::set<std::string>{both[1]});
  EXPECT_EQ(reason(held), "maybe_deleted");
  EXPECT_EQ(document(node(both[1]), newer), kept);
  EXPECT_EQ(reason(newer), "newer_untrusted");
  // Where others have the shard, those know.
  EXPECT_EQ(reason(one_of({both[0] == "a0" ? "a1" : "a0", both[1]})), "absent_on_peers");
  for (const std::string& name : both) {
    const std::uint64_t setbacks = world.cluster().status(name).setbacks;
    ASSERT_TRUE(world.await(world.cluster().end_taken_behind(name, setbacks)));
  }
  run_pass(PassKind::kDeep);
  EXPECT_EQ(reason(held), "absent_on_peers");
  EXPECT_EQ(reason(newer), "in_doubt");
}

}  // namespace
}  // namespace miroir
