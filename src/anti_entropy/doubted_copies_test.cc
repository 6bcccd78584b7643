// Copies on nodes where something failed: what they say all the same, and what they do not.
#include "anti_entropy/reconciler_fake.h"
#include "log/rows.h"

namespace miroir {
namespace {

class DoubtedCopiesTest : public ReconcilerTest {
 protected:
  explicit DoubtedCopiesTest(ForwardWorld::Options world_options = {})
      : ReconcilerTest(std::move(world_options)) {}

  void set_stale(const std::string& name) {
    ASSERT_TRUE(world.await(world.cluster().set_state(name, ReplicaState::kStale, "a test")));
  }
  // Succeeds for its client.
  Position write_failing_on(const std::string& name, const std::string& id,
                            EntryKind kind = EntryKind::kWriteDocuments) {
    world.fail_tasks({"documentAdditionOrUpdate"}, name);
    const Position position = world.write(kIndex, {id}, "acknowledged", kind);
    EXPECT_EQ(world.await_task(position).status, "succeeded");
    settle();
    world.fail_tasks({});
    return position;
  }
  void expect_held(const std::string& id, const std::string& value) {
    for (const std::string& owner : owners(id)) {
      const Json copy = document(node(owner), id);
      ASSERT_FALSE(copy.is_null()) << owner;
      EXPECT_EQ(member(copy, "v"), Json(value)) << owner;
    }
  }
  void expect_clean() {
    run_pass(PassKind::kLight);
    const Json deep = run_pass(PassKind::kDeep);
    EXPECT_EQ(member(deep, "clean"), Json(true)) << to_text(deep);
    for (const auto& [name, each] : world.nodes)
      EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << name;
    expect_groups_equal();
    EXPECT_FALSE(world.log().any_tainted(world.log().catalogue().index(kIndex)->incarnation));
  }
  std::string reason_of(const std::string& id) {
    return std::string(member(repair_of(id), "reason").as_string());
  }
};

TEST_F(DoubtedCopiesTest, AWriteThatOnlyANodeThatIsHealedAppliedComesBackWhereItFailed) {
  for (const std::string id : {"id7", "late"}) {
    set_stale(owners(id)[1]);
    write_failing_on(owners(id)[0], id);
    run_pass(PassKind::kLight);
    EXPECT_EQ(reason_of(id), "harvested");
    expect_held(id, "acknowledged");
    expect_clean();
  }
}

// Whoever deleted it since then counts.
TEST_F(DoubtedCopiesTest, NothingThatWasDeletedSinceComesBackWhereItFailed) {
  set_stale(owners("id7")[1]);
  write_failing_on(owners("id7")[0], "id7");
  world.fail_tasks({"documentDeletion"}, owners("id7")[1]);
  world.remove(kIndex, {"id7"});
  settle();
  world.fail_tasks({});
  expect_clean();
  for (const std::string& owner : owners("id7"))
    EXPECT_TRUE(document(node(owner), "id7").is_null()) << owner;
}

TEST_F(DoubtedCopiesTest, AMergeThatOnlyANodeThatIsHealedAppliedComesBackWhereItIsAsTheLogMakesIt) {
  world.write(kIndex, {"id7"}, "before", EntryKind::kMergeDocuments);
  set_stale(owners("id7")[1]);
  write_failing_on(owners("id7")[0], "id7", EntryKind::kMergeDocuments);
  run_pass(PassKind::kLight);
  EXPECT_EQ(reason_of("id7"), "harvested");
  for (const std::string& name : owners("id7")) {
    EXPECT_EQ(member(document(node(name), "id7"), "v"), Json("first")) << name;
    EXPECT_EQ(member(document(node(name), "id7"), "m"), Json("acknowledged")) << name;
  }
  expect_clean();
}

// What it was merged into is another document than the log says, or none.
TEST_F(DoubtedCopiesTest, AMergeIntoAnythingElseThatOnlyANodeThatIsHealedAppliedIsReported) {
  for (const bool gone : {false, true}) {
    const std::string id = gone ? "id7" : "id8";
    set_stale(owners(id)[1]);
    if (gone) owner(id, 1).delete_directly(kIndex, id);
    if (!gone) ASSERT_TRUE(owner(id, 1).corrupt(kIndex, id, "v", "flipped"));
    write_failing_on(owners(id)[0], id, EntryKind::kMergeDocuments);
    run_pass(PassKind::kLight);
    EXPECT_EQ(reason_of(id), "no_source");
    EXPECT_EQ(member(document(owner(id), id), "v"), Json("first"));
  }
}

// One in sync lost the document before, and shows nothing of that.
TEST_F(DoubtedCopiesTest, OfOneVersionTheOneThatIsAsTheLogMakesItComesBack) {
  for (const bool taken_over : {false, true}) {
    const std::string id = taken_over ? "id7" : "id8";
    owner(id).delete_directly(kIndex, id);
    world.write(kIndex, {id}, "acknowledged", EntryKind::kMergeDocuments);
    settle();
    if (taken_over) world.take_over_index(kIndex);
    settle();
    set_stale(owners(id)[1]);
    run_pass(PassKind::kLight);
    EXPECT_EQ(reason_of(id), "greater_base");
    for (const std::string& name : owners(id)) {
      EXPECT_EQ(member(document(node(name), id), "v"), Json("first")) << name;
      EXPECT_EQ(member(document(node(name), id), "m"), Json("acknowledged")) << name;
    }
    expect_clean();
  }
}

TEST_F(DoubtedCopiesTest, OfOneVersionTheOneInSyncIsRightWhereTheOtherIsNotAsTheLogMakesIt) {
  for (const std::string why : {"flipped", "deleted", "written"}) {
    const std::string id = why == "flipped" ? "id7" : why == "deleted" ? "id8" : "id9";
    set_stale(owners(id)[1]);
    if (why == "flipped") {
      owner(id).delete_directly(kIndex, id);
      ASSERT_TRUE(owner(id, 1).corrupt(kIndex, id, "v", "flipped"));
    } else {
      world.fail_tasks({"documentDeletion", "documentAdditionOrUpdate"}, owners(id)[1]);
      if (why == "deleted") world.remove(kIndex, {id});
      if (why == "written") world.write(kIndex, {id}, "second");
      settle();
      world.fail_tasks({});
    }
    world.await(world.log().clear_taints(
        world.log().taints(world.log().catalogue().index(kIndex)->incarnation)));
    world.write(kIndex, {id}, "acknowledged", EntryKind::kMergeDocuments);
    settle();
    const Json right = document(owner(id), id);
    ASSERT_EQ(member(document(owner(id, 1), id), "m"), Json("acknowledged"));
    run_pass(PassKind::kLight);
    EXPECT_EQ(reason_of(id), "highest_stamp") << why;
    EXPECT_EQ(document(owner(id), id), right) << why;
    expect_clean();
  }
}

// The log lost a PUT that it was merged into after a delete that is lost, too.
TEST_F(DoubtedCopiesTest, OfOneVersionTheOneInSyncIsRightWhereItHoldsWhatTheLogLost) {
  owner("id7").delete_directly(kIndex, "id7");
  world.write(kIndex, {"id7"}, "acknowledged", EntryKind::kMergeDocuments);
  settle();
  ASSERT_TRUE(owner("id7").corrupt(kIndex, "id7", "v", "lost"));
  world.take_over_index(kIndex);
  settle();
  set_stale(owners("id7")[1]);
  run_pass(PassKind::kLight);
  EXPECT_EQ(reason_of("id7"), "highest_stamp");
  for (const std::string& name : owners("id7"))
    EXPECT_EQ(member(document(node(name), "id7"), "v"), Json("lost")) << name;
  expect_clean();
}

class ForgetfulDoubtedCopiesTest : public DoubtedCopiesTest {
 protected:
  ForgetfulDoubtedCopiesTest() : DoubtedCopiesTest(forgetful()) {}
  static ForwardWorld::Options forgetful() {
    ForwardWorld::Options options;
    options.log.retention_age = std::chrono::hours(1);
    return options;
  }
};

// Nobody knows what it was merged into.
TEST_F(ForgetfulDoubtedCopiesTest, AMergeThatOnlyANodeThatIsHealedAppliedIsReported) {
  world.run_for(std::chrono::hours(2));
  set_stale(owners("id7")[1]);
  write_failing_on(owners("id7")[0], "id7", EntryKind::kMergeDocuments);
  ASSERT_GT(world.log().trimmed(), 0U);
  run_pass(PassKind::kLight);
  EXPECT_EQ(reason_of("id7"), "no_source");
  EXPECT_EQ(document(owner("id7"), "id7").find("m"), nullptr);
}

// The log vouches for an older write there, and that is not what failed.
TEST_F(ForgetfulDoubtedCopiesTest, AnOlderDiskHidesNoWriteThatItLost) {
  const std::string lost = owners("id7")[1];
  const SimulatedNode::Disk before = node(lost).snapshot();
  write_failing_on(owners("id7")[0], "id7");
  for (int i = 0; i < 5; ++i) world.write(kIndex, {"id150"}, "not kept");
  settle();
  world.run_for(std::chrono::hours(2));
  node(lost).restore(before);
  run_pass(PassKind::kLight);
  settle();
  run_pass(PassKind::kLight);
  ASSERT_EQ(member(document(node(lost), "id7"), "v"), Json("first"));
  EXPECT_EQ(reason_of("id7"), "no_source");
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(false));
}

class DoubtedBySettingsTest : public DoubtedCopiesTest {
 protected:
  void refuse_settings(const std::string& name) { world.fail_tasks({"settingsUpdate"}, name); }
  void change(const std::string& word) {
    change_settings(kIndex, Json::object({{"stopWords", Json::array({word})}}));
  }
};

TEST_F(DoubtedBySettingsTest, SettingsThatFailDuringAPassTakeNoDocumentAway) {
  run_pass(PassKind::kLight);
  owner("id7", 1).delete_directly(kIndex, "id7");
  bool asked = false;
  world.before_digests = [&](const std::string&) { asked = true; };
  ASSERT_TRUE(reconciler->start(PassKind::kLight, std::nullopt));
  ASSERT_TRUE(world.run_until([&] { return asked; }));
  world.before_digests = nullptr;
  refuse_settings(owners("id7")[0]);
  change("b");
  ASSERT_TRUE(world.run_until([&] { return member(reconciler->status(), "running").is_null(); }));
  ASSERT_EQ(number(member(reconciler->status(), "lastLight"), "mismatches"), 1U);
  world.fail_tasks({});
  expect_held("id7", "first");
  expect_clean();
}

TEST_F(DoubtedBySettingsTest, SettingsThatFailedOverAndOverTakeNoDocumentAway) {
  run_pass(PassKind::kLight);
  refuse_settings(owners("id7")[0]);
  for (int i = 0; i < 12; ++i) change("word" + std::to_string(i));
  settle();
  world.fail_tasks({});
  owner("id7", 1).delete_directly(kIndex, "id7");
  run_pass(PassKind::kLight);
  expect_held("id7", "first");
  expect_clean();
}

TEST_F(DoubtedBySettingsTest, SettingsThatFailWhileCopiesAreJudgedTakeNoDocumentAway) {
  change("b");
  settle();
  const Position settings = world.log().head();
  const std::string name = owners("id0")[0];
  std::vector<std::string> ids;
  for (int i = 0; i < 200; ++i)
    if (const std::string id = "id" + std::to_string(i); owners(id)[0] == name) ids.push_back(id);
  std::ranges::sort(ids);
  write_failing_on(name, ids.front());
  for (const std::string& id : ids) owner(id, 1).delete_directly(kIndex, id);
  const Position incarnation = world.log().catalogue().index(kIndex)->incarnation;
  bool failed = false;
  world.store.fail_reads([&](Table table, const std::string& key) {
    if (table != Table::kTombstone || failed || key != tombstone_rows(incarnation, ids[1]))
      return false;
    failed = true;
    tasks->spawn("a failure", [](Log& log, Taint taint) -> Async<void> {
      EXPECT_TRUE(co_await log.add_taints({std::move(taint)}, log.head()));
    }(world.log(), Taint{incarnation, "", name, {settings}}));
    return false;
  });
  run_pass(PassKind::kLight);
  ASSERT_TRUE(failed);
  expect_held(ids.back(), "first");
}

// A delete-all failed on a0 and b0, and with that did not happen in the shards that both own; a1
// and b1 are away, so that nobody can say whether those two are right in the others.
class DoubtedInSomeShardsTest : public DoubtedCopiesTest {
 protected:
  void SetUp() override {
    ReconcilerTest::SetUp();
    for (const char* name : {"a0", "b0"}) world.fail_tasks({"documentDeletion"}, name);
    ASSERT_EQ(world.await_task(world.clear(kIndex)).status, "failed");
    settle();
    world.fail_tasks({});
  }
  std::string first_of_both() {
    int i = 0;
    while (owners("id" + std::to_string(i)) != std::vector<std::string>{"a0", "b0"}) ++i;
    return "id" + std::to_string(i);
  }
};

TEST_F(DoubtedInSomeShardsTest, WhatIsLostIsRestoredFromAPeerInDoubtInOtherShardsOnly) {
  const std::string lost = first_of_both();
  ASSERT_TRUE(world.set_down("b1", true));
  run_pass(PassKind::kLight);
  const auto doubts = world.log().index_taints();
  ASSERT_EQ(doubts.size(), 1U);
  ASSERT_EQ(doubts.front().node, "a0");
  node("b0").delete_directly(kIndex, lost);
  run_pass(PassKind::kLight);
  expect_held(lost, "first");
  ASSERT_TRUE(world.set_down("b1", false));
  expect_clean();
}

TEST_F(DoubtedInSomeShardsTest, WhatTheLogVouchesForIsHarvestedThere) {
  const std::string late = first_of_both();
  for (const char* name : {"a1", "b1"}) ASSERT_TRUE(world.set_down(name, true));
  ASSERT_EQ(world.await_task(world.write(kIndex, {late}, "acknowledged")).status, "succeeded");
  world.run_for(Seconds(30));
  ASSERT_EQ(world.log().index_taints().size(), 2U);
  set_stale("a0");
  node("b0").delete_directly(kIndex, late);
  run_pass(PassKind::kLight);
  EXPECT_EQ(reason_of(late), "harvested");
  expect_held(late, "acknowledged");
}

}  // namespace
}  // namespace miroir
