// What a recovery took over belongs to the past of an index, not to its identity.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class TakenOverTest : public ReconcilerTest {
 protected:
  static ForwardWorld::Options forgetful() {
    ForwardWorld::Options options;
    options.log.retention_age = Seconds(30);
    return options;
  }
  TakenOverTest() : ReconcilerTest(forgetful()) {}

  Position incarnation() { return world.log().catalogue().index(kIndex)->incarnation; }
  void fail_swap() {
    const Position before = incarnation();
    world.fail_tasks({"indexSwap"});
    EXPECT_EQ(world.await_task(world.swap_indexes(kIndex, "other")).status, "failed");
    world.fail_tasks({});
    ASSERT_NE(incarnation(), before);
  }
  void stop_victim() {
    victim = owners("id7")[0];
    ASSERT_TRUE(world.set_down(victim, true));
  }
  void write_what_is_not_kept() {
    for (int i = 0; i < 20; ++i) world.write(kIndex, {"id150"}, "not kept");
    world.run_for(std::chrono::hours(2));
  }
  // It missed that.
  void start_victim() {
    ASSERT_GT(world.log().trimmed(), world.cluster().status(victim).done);
    node(victim).options().down = false;
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status(victim).healthy; }));
    settle();
    ASSERT_EQ(world.cluster().status(victim).state, ReplicaState::kStale);
  }
  // Nobody deleted it since, and a peer lost it.
  void expect_restored() {
    run_pass(PassKind::kLight);
    run_pass(PassKind::kLight);
    for (const std::string& owner : owners("id7"))
      EXPECT_FALSE(document(node(owner), "id7").is_null()) << owner;
    EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  }

  std::string victim;
};

TEST_F(TakenOverTest, IndexThatGotThePastOfOneTakenOverSinceItsBirthIsTakenOverSince) {
  world.create_index("other");
  settle();
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  world.take_over_index(kIndex);
  settle();
  fail_swap();
  settle();
  node(owners("id7")[1]).delete_directly(kIndex, "id7");
  stop_victim();
  write_what_is_not_kept();
  start_victim();
  expect_restored();
}

TEST_F(TakenOverTest, AndOneThatWasBornSinceFromBeforeItsBirth) {
  world.take_over_index(kIndex);
  settle();
  stop_victim();
  write_what_is_not_kept();
  world.create_index("other");
  world.run_for(Seconds(5));
  fail_swap();
  node(owners("id7")[1]).delete_directly(kIndex, "id7");
  start_victim();
  expect_restored();
}

// What failed on a node before a log went back that did not know what came then.
TEST_F(TakenOverTest, WhatWasWrittenToAnIndexInDoubtBeforeItWasTakenOverIsNotDeleted) {
  victim = owners("id7")[0];
  std::vector<std::string> ids;
  for (int i = 0; ids.size() < 3; ++i)
    if (owners("id" + std::to_string(i)) == owners("id7")) ids.push_back("id" + std::to_string(i));
  world.fail_tasks({"documentDeletion"}, victim);
  world.clear(kIndex);
  settle();
  world.fail_tasks({});
  world.write(kIndex, {ids[0]}, "later");
  world.write(kIndex, {ids[1]}, "merged", EntryKind::kMergeDocuments);
  settle();
  for (const std::string& id : {ids[0], ids[1]}) owner("id7", 1).delete_directly(kIndex, id);
  world.take_over_index(kIndex);
  settle();
  run_pass(PassKind::kLight);
  run_pass(PassKind::kLight);
  for (const std::string& owner : owners("id7")) {
    EXPECT_FALSE(document(node(owner), ids[0]).is_null()) << owner;
    EXPECT_TRUE(document(node(owner), ids[2]).is_null()) << owner;
  }
  EXPECT_FALSE(document(node(victim), ids[1]).is_null());
  EXPECT_EQ(member(repair_of(ids[1]), "reason"), Json("no_source"));
}

// The log that went back knows of what failed, and not of the writes that came then.
TEST_F(TakenOverTest, WhatFailedOnAllIsOverWithTheRecoveryWhereWholeWritesCameAfter) {
  std::vector<Taint> failed;
  for (const std::string& owner : owners("id7")) {
    world.fail_tasks({"documentDeletion"}, owner);
    failed.push_back({incarnation(), "id7", owner, {world.remove(kIndex, {"id7"})}});
    settle();
    world.fail_tasks({});
    world.write(kIndex, {"id7"}, "later");
    settle();
  }
  ASSERT_TRUE(world.await(world.log().add_taints(failed, world.log().head())));
  world.take_over_index(kIndex);
  settle();
  ASSERT_TRUE(world.log().tainted(incarnation(), "id7", owners("id7")[0]));
  for (int pass = 0; pass < 4; ++pass) run_pass(PassKind::kDeep);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_FALSE(world.log().any_tainted(incarnation()));
}

}  // namespace
}  // namespace miroir
