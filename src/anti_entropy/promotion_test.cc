#include <gtest/gtest.h>

#include "anti_entropy/reconciler_fake.h"
#include "cluster/state_reasons.h"

namespace miroir::anti_entropy {
namespace {

class PromotionTest : public ReconcilerTest {
 protected:
  // Whoever writes to all nodes makes all of them stale: nobody is left to be equal to.
  void write_to_everybody() {
    for (auto& [name, node] : world.nodes) {
      WriteDocuments foreign{.index_uid = kIndex,
                             .primary_key = "id",
                             .merge = false,
                             .skip_creation = false,
                             .ndjson = "{\"id\":\"stranger\"}\n"};
      ASSERT_TRUE(node->enqueue(std::move(foreign), std::nullopt, ""));
      node->settle();
    }
    run_pass(PassKind::kLight);
    for (const auto& [name, node] : world.nodes)
      ASSERT_EQ(world.cluster().status(name).state, ReplicaState::kStale) << name;
  }
  Result<void> promote(const std::string& node) {
    return world.await(world.cluster().promote(node, world.log().head()));
  }
};

TEST_F(PromotionTest, WhoIsPromotedHealsTheOthers) {
  write_to_everybody();
  const std::string lost = "id5";
  const auto owners = world.topology().owners(world.topology().shard_of(slot_of(lost)));
  world.nodes.at(owners[1])->delete_directly(kIndex, lost);
  for (const std::string& node : world.topology().nodes_of(0)) ASSERT_TRUE(promote(node)) << node;
  const Json pass = run_pass(PassKind::kDeep);
  EXPECT_EQ(number(pass, "repaired"), 1U) << to_text(pass);
  EXPECT_FALSE(document(*world.nodes.at(owners[1]), lost).is_null());
  run_pass(PassKind::kDeep);
  for (const std::string& node : world.topology().nodes_of(1)) {
    EXPECT_FALSE(promote(node)) << "its peers heal it";
  }
}

// There is nobody left whose word would end that.
TEST_F(PromotionTest, NothingIsInDoubtOnWhoIsPromoted) {
  write_to_everybody();
  const Position incarnation = world.log().catalogue().index(kIndex)->incarnation;
  std::vector<Taint> doubts;
  for (const auto& [name, node] : world.nodes)
    doubts.push_back({incarnation, "", name, {Taint::kUnnamed, world.log().head()}});
  ASSERT_TRUE(world.await(world.log().add_taints(std::move(doubts), world.log().head())));
  for (const std::string& node : world.topology().nodes_of(0)) ASSERT_TRUE(promote(node)) << node;
  for (int i = 0; i < 2; ++i) run_pass(PassKind::kDeep);
  for (const Taint& doubt : world.log().index_taints())
    EXPECT_EQ(doubt.node, "b1") << "that holds what the stranger wrote";
  for (const auto& [name, each] : world.nodes)
    EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << name;
}

// …but where somebody has the index as it should be, who was promoted may not.
TEST_F(PromotionTest, WhoIsPromotedStaysInDoubtWhereAnotherIsNot) {
  write_to_everybody();
  const Position incarnation = world.log().catalogue().index(kIndex)->incarnation;
  const Taint doubt{incarnation, "", "a0", {Taint::kUnnamed, world.log().head()}};
  ASSERT_TRUE(world.await(world.log().add_taints({doubt}, world.log().head())));
  ASSERT_TRUE(promote("a0"));
  EXPECT_TRUE(world.log().tainted(incarnation, "", "a0"));
}

TEST_F(PromotionTest, NobodyIsPromotedWhoIsNotNeededOrLags) {
  const auto in_sync = promote("a0");
  ASSERT_FALSE(in_sync);
  EXPECT_NE(in_sync.error().message.find("it is in sync"), std::string::npos);
  write_to_everybody();
  world.nodes.at("a0")->options().down = true;
  ASSERT_TRUE(world.run_until([&] { return !world.cluster().status("a0").healthy; }));
  const auto away = promote("a0");
  ASSERT_FALSE(away);
  EXPECT_NE(away.error().message.find("does not answer"), std::string::npos);
}

// Of some of its shards a peer in sync is there: what it holds of those is not the truth.
TEST_F(PromotionTest, WhoIsPromotedForSomeShardsIsHealedInTheOthersFirst) {
  const std::string deleted = "id5";
  const std::string stale = owners(deleted)[0];
  const std::string other = owners(deleted)[1] == "b0" ? "b1" : "b0";
  const Json old = document(node(stale), deleted);
  world.remove(kIndex, {deleted});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  world.run_for(std::chrono::hours(2));
  run_pass(PassKind::kDeep);
  ASSERT_EQ(world.log().tombstone_count(kIndex), 0U);

  for (const std::string& name : {stale, other})
    ASSERT_TRUE(world.await(world.cluster().set_state(name, ReplicaState::kStale, "a test")));
  ASSERT_FALSE(world.cluster().shards_without_source(stale).empty());
  node(stale).write_directly(kIndex, deleted, old);
  if (const auto promoted = promote(stale); !promoted) {
    EXPECT_NE(promoted.error().message.find("deep pass"), std::string::npos);
    run_pass(PassKind::kDeep);
    ASSERT_TRUE(promote(stale));
  }
  for (int i = 0; i < 2; ++i) run_pass(PassKind::kDeep);
  for (const std::string& owner : owners(deleted))
    EXPECT_TRUE(document(node(owner), deleted).is_null()) << owner;
  for (const auto& [name, each] : world.nodes)
    EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << name;
}

TEST_F(PromotionTest, WhatIsLeftWhereNobodyIsInSyncKeepsNobodyFromBeingPromoted) {
  // Both owners of it: in their other shards they have peers.
  const std::string left = "id5";
  const std::vector<std::string> both = owners(left);
  for (const std::string& name : both) {
    ASSERT_TRUE(world.await(
        world.cluster().set_state(name, ReplicaState::kStale, "somebody else wrote to it")));
  }
  node(both[1]).corrupt(kIndex, left, "v", "corrupt");
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kLight);
  for (const std::string& name : both)
    ASSERT_EQ(world.cluster().status(name).state, ReplicaState::kStale) << name;
  const auto promoted = promote(both[0]);
  EXPECT_TRUE(promoted) << promoted.error().message;
}

class PromotedForSomeShardsTest : public PromotionTest {
 protected:
  void SetUp() override {
    ReconcilerTest::SetUp();
    for (const std::string& name : {stale, other})
      ASSERT_TRUE(world.await(world.cluster().set_state(name, ReplicaState::kStale, "a test")));
    ASSERT_FALSE(world.cluster().shards_without_source(stale).empty());
  }
  const std::string stale = owners("id5")[0];
  const std::string peer = owners("id5")[1];
  const std::string other = peer == "b0" ? "b1" : "b0";
};

TEST_F(PromotedForSomeShardsTest, ThePeerThatIsMissedIsNamed) {
  node(peer).options().down = true;
  ASSERT_TRUE(world.run_until([&] { return !world.cluster().status(peer).healthy; }));
  run_pass(PassKind::kDeep);
  const auto refused = promote(stale);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(peer), std::string::npos) << refused.error().message;
  node(peer).options().down = false;
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status(peer).healthy; }));
  run_pass(PassKind::kDeep);
  EXPECT_TRUE(promote(stale));
}

TEST_F(PromotedForSomeShardsTest, WhoWasFoundEqualAndIsNoMoreIsNotPromoted) {
  run_pass(PassKind::kDeep);
  node(stale).delete_directly(kIndex, "id5");
  ASSERT_EQ(number(run_pass(PassKind::kLight, false), "unresolved"), 1U);
  EXPECT_FALSE(promote(stale));
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kDeep);
  EXPECT_TRUE(promote(stale));
}

// What it alone holds may be all that is left of what was acknowledged: recovery takes it as it is.
TEST_F(PromotionTest, WhoTellsOfALostLogIsNeitherReadNorHealed) {
  const std::string teller = owners("id5")[0];
  for (const std::string& peer : world.topology().nodes_of(1))
    node(peer).delete_directly(kIndex, "id5");
  ASSERT_TRUE(world.await(world.cluster().set_state(
      teller, ReplicaState::kStale, std::string(kLogWentBack) + ": it holds a task of entry 99")));
  const Json pass = run_pass(PassKind::kDeep);
  EXPECT_EQ(member(pass, "clean"), Json(false));
  EXPECT_NE(to_text(member(pass, "nodes")).find("unknown: the log went back"), std::string::npos)
      << to_text(pass);
  EXPECT_EQ(number(pass, "repaired"), 0U) << to_text(pass);
  EXPECT_FALSE(document(node(teller), "id5").is_null());
}

ForwardWorld::Options forgetful() {
  ForwardWorld::Options options;
  options.log.retention_age = Seconds(30);
  return options;
}

// It took the PUT and missed the write under it: the stamp is right, the content is not.
class SkippedTest : public ReconcilerTest {
 protected:
  SkippedTest() : ReconcilerTest(forgetful()) {}

  void stop(const std::string& name) { ASSERT_TRUE(world.set_down(name, true)); }

  void SetUp() override {
    ReconcilerTest::SetUp();
    stop(skipped);
    const Position missed = world.write(kIndex, {"id5"}, "second");
    ASSERT_TRUE(world.run_until([&] { return world.log().trimmed() >= missed; }));
    const Position merged = world.write(kIndex, {"id5"}, "third", EntryKind::kMergeDocuments);
    start(skipped);
    ASSERT_LT(world.log().trimmed(), merged);
    ASSERT_EQ(world.cluster().status(skipped).state, ReplicaState::kStale);
    ASSERT_NE(document(node(skipped), "id5"), document(node(peer), "id5"));
  }
  void start(const std::string& name) {
    node(name).options().down = false;
    ASSERT_TRUE(
        world.run_until([&] { return world.cluster().status(name).healthy && world.all_done(); }));
  }
  void expect_healed() {
    expect_groups_equal();
    EXPECT_EQ(world.cluster().status(skipped).state, ReplicaState::kInSync);
  }
  void expect_healed_by_a_light_pass() {
    run_pass(PassKind::kLight);
    expect_healed();
  }
  std::string first_id_of(const std::string& name) {
    int i = 0;
    while (owners("id" + std::to_string(i))[0] != name) ++i;
    return "id" + std::to_string(i);
  }

  const std::string skipped = owners("id5")[0];
  const std::string peer = owners("id5")[1];
  const std::string other = skipped == "a0" ? "a1" : "a0";  // of the same group
};

TEST_F(SkippedTest, ALightPassReadsAllOfANodeThatTheLogCouldNotServe) {
  expect_healed_by_a_light_pass();
}

TEST_F(SkippedTest, WhereNobodyIsThereToCompareItWithItWasNotCompared) {
  stop(peer);
  // All is read, for the sake of another.
  const Position index = world.log().catalogue().index(kIndex)->incarnation;
  const Taint doubt{index, "", other, {Taint::kUnnamed}};
  ASSERT_TRUE(world.await(world.log().add_taints({doubt}, doubt.newest())));
  run_pass(PassKind::kDeep);
  ASSERT_TRUE(world.await(world.log().clear_taints({doubt})));
  start(peer);
  expect_healed_by_a_light_pass();
}

TEST_F(SkippedTest, WhereNobodyIsThereToCompareItWithALightPassDoesNotReadAllOfIt) {
  stop(peer);
  const double read = scanned("deep");
  run_pass(PassKind::kLight);
  EXPECT_EQ(scanned("deep"), read);
  start(peer);
  expect_healed_by_a_light_pass();
}

// It was read in full, and what is unlike there is known; the digests are equal.
class KnownToDifferTest : public SkippedTest {
 protected:
  void SetUp() override {
    SkippedTest::SetUp();
    ASSERT_EQ(number(run_pass(PassKind::kLight, false), "unresolved"), 1U);
  }
  // Nobody is trusted who holds it otherwise.
  void expect_equal_or_not_in_sync() {
    const bool equal = document(node(skipped), "id5") == document(node(peer), "id5");
    EXPECT_TRUE(equal || world.cluster().status(skipped).state != ReplicaState::kInSync);
  }
};

TEST_F(KnownToDifferTest, ItStaysKnownWhileTheNodeThatHoldsItIsAway) {
  stop(skipped);
  run_pass(PassKind::kLight);
  start(skipped);
  expect_healed_by_a_light_pass();
}

TEST_F(KnownToDifferTest, WhatIsWrittenAllTheTimeIsSeenBeforeItsNodeIsTrusted) {
  owner("id8").delete_directly(kIndex, "id8");
  pass_under_puts(PassKind::kLight, "id5");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  expect_equal_or_not_in_sync();
  expect_healed_by_a_light_pass();
}

class ManyKnownToDifferTest : public SkippedTest {
 protected:
  ManyKnownToDifferTest() { options.unresolved_kept_max = 0; }
};

TEST_F(ManyKnownToDifferTest, NobodyIsTrustedOfWhomSomeAreForgotten) {
  ASSERT_EQ(number(run_pass(PassKind::kDeep, false), "unresolved"), 1U);
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status(skipped).state, ReplicaState::kStale);
  run_pass(PassKind::kDeep);
  expect_healed();
}

TEST_F(ManyKnownToDifferTest, WhereRepairsMadeRoomTheOthersAreFoundByALightPass) {
  stop_reconciler();
  options.unresolved_kept_max = 1;
  start_reconciler();
  const std::string too = first_id_of(skipped);
  ASSERT_NE(too, "id5");
  ASSERT_TRUE(node(skipped).corrupt(kIndex, too, "v", "flipped"));
  ASSERT_EQ(number(run_pass(PassKind::kDeep, false), "unresolved"), 2U);
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U);
  EXPECT_EQ(world.cluster().status(skipped).state, ReplicaState::kStale);
  expect_healed_by_a_light_pass();
}

TEST_F(ManyKnownToDifferTest, WhatRepairsAreOffForIsNotReadByEveryPass) {
  ASSERT_EQ(number(run_pass(PassKind::kLight, false), "unresolved"), 1U);
  const double read = scanned("deep");
  run_pass(PassKind::kLight, false);
  EXPECT_EQ(scanned("deep"), read);
}

TEST_F(ManyKnownToDifferTest, WhoIsAwayKeepsNobodyElseFromBeingTrusted) {
  const std::string lost = first_id_of(other);
  node(other).delete_directly(kIndex, lost);
  ASSERT_EQ(number(run_pass(PassKind::kDeep, false), "unresolved"), 2U);
  stop(other);
  run_pass(PassKind::kDeep);
  EXPECT_EQ(world.cluster().status(skipped).state, ReplicaState::kInSync);
  start(other);
  run_pass(PassKind::kDeep);
  expect_groups_equal();
}

}  // namespace
}  // namespace miroir::anti_entropy
