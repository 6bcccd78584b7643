// What failed on one node, or on all: on a whole index, or on a document.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class FailedEntriesTest : public ReconcilerTest {
 protected:
  explicit FailedEntriesTest(ForwardWorld::Options world_options = {})
      : ReconcilerTest(std::move(world_options)) {}
  // The tasks of this type fail on the node until it is told otherwise.
  void fail_on(const std::string& name, const std::string& type) {
    node(name).fail_tasks([type](const NodeTask& task) -> std::optional<std::string> {
      if (task.type == type) return "internal";
      return std::nullopt;
    });
  }
  void work_again() {
    settle();
    for (auto& [name, each] : world.nodes) each->fail_tasks({});
  }
  // Of the index that was there before, into which "m1" was merged.
  void expect_nothing_lives_on(const std::string& victim) {
    set_settings(Json::object({{"stopWords", Json::array({"b"})}}));
    merge("m1", "fresh");
    ASSERT_NE(document(node(victim), "m1").find("old"), nullptr);
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
    expect_groups_equal();
    EXPECT_EQ(document(node(victim), "m1").find("old"), nullptr);
  }

  void update_index(Json primary_key, Json new_uid) {
    Entry entry;
    entry.kind = EntryKind::kUpdateIndex;
    entry.index_uid = kIndex;
    entry.arguments =
        Json::object({{"primaryKey", std::move(primary_key)}, {"newUid", std::move(new_uid)}});
    world.append(std::move(entry));
  }
  void append(EntryKind kind, const std::string& index = kIndex) {
    Entry entry;
    entry.kind = kind;
    entry.index_uid = index;
    world.append(std::move(entry));
  }
  // The index that a rename left on b0.
  void expect_left_index_goes() {
    ASSERT_TRUE(node("b0").disk().indexes.contains(kIndex));
    run_pass(PassKind::kLight);
    EXPECT_FALSE(node("b0").disk().indexes.contains(kIndex));
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
    EXPECT_TRUE(world.log().index_taints().empty());
  }
  // A PUT of one field.
  void merge(const std::string& id, const std::string& field, const std::string& index = kIndex) {
    Entry entry;
    entry.kind = EntryKind::kMergeDocuments;
    entry.index_uid = index;
    const std::string text = R"({"id":")" + id + R"(",")" + field + R"(":1})";
    world.append_records(std::move(entry), {{slot_of(id), 0, id, text}});
    settle();
  }
};

TEST_F(FailedEntriesTest, IndexWhoseDropFailedIsDroppedThere) {
  fail_on("b0", "indexDeletion");
  append(EntryKind::kDropIndex);
  work_again();
  ASSERT_TRUE(node("b0").disk().indexes.contains(kIndex));
  run_pass(PassKind::kLight);
  EXPECT_FALSE(node("b0").disk().indexes.contains(kIndex));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(FailedEntriesTest, IndexThatMiroirNeverKnewIsReportedAndLeft) {
  node("b0").write_directly("alien", "1", Json::object({{"id", "1"}}));
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(false));
  EXPECT_TRUE(node("b0").disk().indexes.contains("alien"));
}

TEST_F(FailedEntriesTest, IndexThatMiroirNeverKnewKeepsNobodyOutOfSync) {
  // Through the node's own API: it is stale until it is proven equal.
  WriteDocuments foreign{.index_uid = "alien",
                         .primary_key = "id",
                         .merge = false,
                         .skip_creation = false,
                         .ndjson = "{\"id\":1}\n"};
  ASSERT_TRUE(node("b0").enqueue(std::move(foreign), std::nullopt, ""));
  run_pass(PassKind::kLight);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "clean"), Json(false)) << "it is reported";
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kInSync);
}

// Whoever writes to all nodes makes all of them stale: nobody is left to be equal to.
TEST_F(FailedEntriesTest, WhereNobodyIsInSyncNothingIsDeletedAndThePassEnds) {
  const Json stranger = Json::object({{"id", "id7"}, {"v", "from outside"}});
  for (auto& [name, each] : world.nodes) {
    WriteDocuments foreign{.index_uid = kIndex,
                           .primary_key = "id",
                           .merge = false,
                           .skip_creation = false,
                           .ndjson = to_text(stranger) + "\n"};
    ASSERT_TRUE(each->enqueue(std::move(foreign), std::nullopt, ""));
  }
  const auto documents = [&] {
    std::size_t count = 0;
    for (auto& [name, each] : world.nodes) {
      each->settle();
      count += each->documents(kIndex).size();
    }
    return count;
  };
  const std::size_t before = documents();
  for (const PassKind kind : {PassKind::kLight, PassKind::kDeep}) {
    const Json pass = run_pass(kind);
    EXPECT_EQ(member(pass, "state"), Json("completed")) << to_text(pass);
    EXPECT_EQ(member(pass, "clean"), Json(false));
    EXPECT_EQ(number(pass, "repaired"), 0U);
  }
  for (const auto& [name, each] : world.nodes)
    EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kStale) << name;
  EXPECT_EQ(documents(), before);
  // Writes still reach everybody.
  write(300, 310, "afterwards");
  EXPECT_FALSE(document(owner("id305"), "id305").is_null());
}

TEST_F(FailedEntriesTest, NothingOfAnIndexWhoseDropFailedLivesOnInTheNextOfItsName) {
  merge("m1", "old");  // without a base: by their stamps and bases the copies will be equal
  const std::string victim = owners("m1")[1];
  fail_on(victim, "indexDeletion");
  append(EntryKind::kDropIndex);
  work_again();
  world.create_index(kIndex);
  expect_nothing_lives_on(victim);
}

// Whatever a creation failed for, what has its name there may be the one before.
TEST_F(FailedEntriesTest, NothingOfItLivesOnThoughTheCreationFailedForAnotherReason) {
  merge("m1", "old");
  const std::string victim = owners("m1")[1];
  world.fail_tasks({"indexDeletion", "indexCreation"}, victim);
  append(EntryKind::kDropIndex);
  world.create_index(kIndex);
  work_again();
  expect_nothing_lives_on(victim);
}

TEST_F(FailedEntriesTest, WhatADeleteAllMissedOnOneNodeIsDeletedThere) {
  merge("m1", "old");
  const std::string victim = owners("m1")[1];
  fail_on(victim, "documentDeletion");
  append(EntryKind::kClearDocuments);
  work_again();
  merge("m1", "fresh");
  run_pass(PassKind::kLight);
  expect_groups_equal();
  EXPECT_TRUE(document(node(victim), "id7").is_null() &&
              document(owner("id7", 1), "id7").is_null());
  EXPECT_EQ(document(node(victim), "m1").find("old"), nullptr);
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(FailedEntriesTest, SwapThatFailedOnOneNodeIsMadeGoodThere) {
  world.create_index("books");
  set_settings(Json::object({{"stopWords", Json::array({"of", "books"})}}), "books");
  std::vector<std::string> shared;
  std::vector<std::string> own;
  for (int i = 0; i < 40; ++i) shared.push_back("id" + std::to_string(i));
  for (int i = 0; i < 40; ++i) own.push_back("book" + std::to_string(i));
  world.write("books", shared, "of books");  // newer than their namesakes in movies
  world.write("books", own, "of books");
  settle();
  fail_on("b0", "indexSwap");
  world.swap_indexes(kIndex, "books");
  work_again();
  world.write(kIndex, {"id1", "book1"}, "after the swap");
  world.remove(kIndex, {"id2", "book2"});
  world.remove("books", {"id3"});
  merge("id4", "merged");
  settle();

  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 0U) << to_text(light);
  const auto equal = [&](const std::string& uid) {
    const auto& groups = world.topology().groups();
    std::map<std::string, Json> held[2];
    for (std::size_t g = 0; g < 2; ++g) {
      for (const auto& [id, text] : world.documents_of_group(groups[g], uid))
        held[g][id] = parse_json(text).value();
    }
    return held[0] == held[1] ? held[0].size() : 0;
  };
  EXPECT_EQ(equal(kIndex), 40U + 40U - 2U);
  EXPECT_EQ(equal("books"), 200U - 1U);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_TRUE(world.log().index_taints().empty());
}

TEST_F(FailedEntriesTest, SwapThatFailedOnOneNodeIsMadeGoodThereWhateverThePrimaryKeys) {
  Entry birth;
  birth.kind = EntryKind::kCreateIndex;
  birth.index_uid = "notes";  // without a primary key yet
  birth.arguments = Json::object({{"primaryKey", Json()}});
  world.append(std::move(birth));
  set_settings(Json::object({{"stopWords", Json::array({"of", "notes"})}}), "notes");
  settle();
  fail_on("b0", "indexSwap");
  world.swap_indexes(kIndex, "notes");
  work_again();
  ASSERT_TRUE(node("b0").disk().indexes.at(kIndex).primary_key);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_FALSE(node("b0").disk().indexes.at(kIndex).primary_key) << to_text(light);
  EXPECT_TRUE(node("b0").documents(kIndex).empty());
  EXPECT_EQ(world.documents_of_group(world.topology().groups()[1], "notes").size(), 200U);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_TRUE(world.log().index_taints().empty());
}

TEST_F(FailedEntriesTest, NothingOfWhatARenameThatFailedLeftOutIsMissingThere) {
  merge("m1", "old");  // without a base: by their stamps and bases the copies will be equal
  const std::string victim = owners("m1")[1];
  fail_on(victim, "indexUpdate");
  update_index(Json(), "films");
  work_again();
  merge("m1", "fresh", "films");
  const auto old = [&] {
    return node(victim).disk().indexes.at("films").documents.at("m1").find("old");
  };
  ASSERT_EQ(old(), nullptr);
  run_pass(PassKind::kLight);
  EXPECT_NE(old(), nullptr);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(FailedEntriesTest, WhatARenameLeftThereGoesThoughOthersHadFailedBefore) {
  fail_on("b0", "settingsUpdate");
  set_settings(Json::object({{"stopWords", Json::array({"b"})}}));
  settle();
  fail_on("b0", "indexUpdate");
  update_index(Json(), "films");
  work_again();
  ASSERT_TRUE(node("b0").disk().indexes.contains(kIndex));
  run_pass(PassKind::kLight);
  EXPECT_FALSE(node("b0").disk().indexes.contains(kIndex));
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(FailedEntriesTest, WhatARenameLeftThereGoesThoughItsNewNameIsDropped) {
  fail_on("b0", "indexUpdate");
  update_index(Json(), "films");
  work_again();
  append(EntryKind::kDropIndex, "films");  // b0 has none
  settle();
  expect_left_index_goes();
}

TEST_F(FailedEntriesTest, WhatARenameLeftThereGoesThoughAnotherWasDroppedUnderItsNewName) {
  world.create_index("films");
  settle();
  fail_on("b0", "indexDeletion");
  append(EntryKind::kDropIndex, "films");
  work_again();
  update_index(Json(), "films");  // fails on b0, which has such an index yet
  append(EntryKind::kDropIndex, "films");
  settle();
  expect_left_index_goes();
}

TEST_F(FailedEntriesTest, WhatARenameLeftThereStaysWhileNobodyElseHoldsIt) {
  fail_on("b0", "indexUpdate");
  update_index(Json(), "films");
  work_again();
  const std::size_t held = node("b0").documents(kIndex).size();
  for (const std::string name : {"a0", "a1"}) {
    node(name).options().down = true;
    ASSERT_TRUE(world.run_until([&] { return !world.cluster().status(name).healthy; }));
  }
  run_pass(PassKind::kLight);
  ASSERT_TRUE(node("b0").disk().indexes.contains(kIndex));
  EXPECT_EQ(node("b0").documents(kIndex).size(), held);
  for (const std::string name : {"a0", "a1"}) {
    node(name).options().down = false;
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status(name).healthy; }));
  }
  run_pass(PassKind::kLight);
  EXPECT_FALSE(node("b0").disk().indexes.contains(kIndex));
  EXPECT_EQ(node("b0").documents("films").size(), held);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(FailedEntriesTest, SettingsThatMostNodesDriftedToAreNotRightBecauseHealingFailed) {
  run_pass(PassKind::kLight);  // learns how they are read back
  const std::vector<std::string> drifted = {"a0", "a1", "b0"};
  for (const std::string& name : drifted) {
    node(name).set_directly(kIndex, "stopWords", Json::array({"the"}));
    fail_on(name, "settingsUpdate");
  }
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 0U);
  for (const Json& row : repairs().as_array())
    EXPECT_EQ(member(row, "repaired"), Json(false)) << to_text(row);
  work_again();
  run_pass(PassKind::kLight);
  for (const std::string& name : drifted)
    EXPECT_EQ(member(node(name).disk().indexes.at(kIndex).settings, "stopWords"),
              Json::array({"a"}))
        << name;
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(FailedEntriesTest, APrimaryKeyThatFailedThereIsAllThatIsMissing) {
  fail_on("b0", "indexUpdate");
  update_index("id", Json());
  work_again();
  ASSERT_EQ(world.log().index_taints().size(), 1U);
  for (const char* peer : {"a0", "a1"}) node(peer).options().down = true;
  world.run_for(Seconds(30));
  run_pass(PassKind::kLight);
  EXPECT_TRUE(world.log().index_taints().empty()) << "without a peer to compare it with";
}

TEST_F(FailedEntriesTest, DeleteAllThatFailedEverywhereBuriesNothing) {
  for (const auto& [name, each] : world.nodes) fail_on(name, "documentDeletion");
  append(EntryKind::kClearDocuments);
  work_again();
  owner("id7").delete_directly(kIndex, "id7");
  run_pass(PassKind::kLight);
  EXPECT_FALSE(document(owner("id7"), "id7").is_null());
  expect_groups_equal();
}

// What is there of other shards on those nodes is to be compared with their peers.
TEST_F(FailedEntriesTest, DeleteAllThatFailedOnAllOwnersOfAShardLeavesNoDoubtThere) {
  const std::set<std::string> failing = {"a0", "b0"};
  for (const std::string& name : failing) fail_on(name, "documentDeletion");
  EXPECT_EQ(world.await_task(world.clear(kIndex)).status, "failed");
  work_again();
  std::vector<std::string> kept;
  for (int i = 0; i < 200; ++i) {
    const std::string id = "id" + std::to_string(i);
    if (std::ranges::all_of(owners(id), [&](auto& owner) { return failing.contains(owner); }))
      kept.push_back(id);
  }
  ASSERT_GT(kept.size(), 0U);
  node("a0").delete_directly(kIndex, kept[0]);
  run_pass(PassKind::kLight);
  EXPECT_TRUE(world.log().index_taints().empty());
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  expect_groups_equal();
  EXPECT_EQ(world.documents_of_group(world.topology().groups()[0], kIndex).size(), kept.size());
}

TEST_F(FailedEntriesTest, TaintLastsUntilTheCopyWasComparedWithOneThatIsRight) {
  const Position index = world.log().catalogue().index(kIndex)->incarnation;
  const std::string right = owners("m1")[0];
  const std::string tainted = owners("m1")[1];
  fail_on(tainted, "documentAdditionOrUpdate");
  merge("m1", "first");
  work_again();
  ASSERT_TRUE(world.log().tainted(index, "m1", tainted));
  // Absent on the only node that answers, and nothing to compare it with.
  node(right).options().down = true;
  world.run_for(Seconds(30));
  run_pass(PassKind::kLight);
  EXPECT_TRUE(world.log().tainted(index, "m1", tainted));
  node(right).options().down = false;
  world.run_for(Seconds(30));
  merge("m1", "second");  // lands on nothing there: by stamp and base the copies are equal
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  EXPECT_FALSE(world.log().tainted(index, "m1", tainted));
  expect_groups_equal();
  EXPECT_NE(document(node(tainted), "m1").find("first"), nullptr);
}

// The other has it no more, and nothing was lost with that.
TEST_F(FailedEntriesTest, WhatFailedOnTheOnlyOwnerInSyncHidesNothingWhereItsClientWasTold) {
  const std::string tainted = owners("id7")[0];
  const std::string healing = owners("id7")[1];
  for (const std::string& owner : {tainted, healing}) fail_on(owner, "documentAdditionOrUpdate");
  const Position failed = world.write(kIndex, {"id7"}, "refused");
  ASSERT_EQ(world.await_task(failed).status, "failed");
  work_again();
  const Position index = world.log().catalogue().index(kIndex)->incarnation;
  ASSERT_TRUE(world.await(world.log().add_taints({{index, "id7", tainted, {failed}}}, failed)));
  ASSERT_TRUE(world.await(world.cluster().set_state(healing, ReplicaState::kStale, "a test")));
  node(healing).delete_directly(kIndex, "id7");
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(document(node(healing), "id7"), "v"), Json("first"));
}

// The log lets go of applied bodies after an hour.
class LostAfterwardsTest : public FailedEntriesTest {
 protected:
  LostAfterwardsTest() : FailedEntriesTest(forgetful()) {}
  static ForwardWorld::Options forgetful() {
    ForwardWorld::Options options;
    options.log.retention_age = std::chrono::hours(1);
    return options;
  }
};

TEST_F(LostAfterwardsTest, WhatFailedOnOneOwnerAndIsLostOnTheOtherIsReported) {
  const std::string failed = owners("id7")[0];
  const std::string lost = owners("id7")[1];
  fail_on(failed, "documentAdditionOrUpdate");
  ASSERT_EQ(world.await_task(world.write(kIndex, {"id7"}, "acknowledged")).status, "succeeded");
  work_again();
  world.run_for(std::chrono::hours(2));
  node(lost).wipe();
  run_pass(PassKind::kLight);
  settle();
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("no_source"));
  EXPECT_TRUE(document(node(lost), "id7").is_null()) << "the older copy, as if it were right";
  EXPECT_GT(node(lost).documents(kIndex).size(), 10U) << "the others are restored";
  EXPECT_EQ(world.cluster().status(lost).state, ReplicaState::kInSync) << "but for the one";
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(false));
  EXPECT_TRUE(document(node(lost), "id7").is_null());
  write(7, 8, "again");
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

// The client is told that the task failed, and that a part of it was applied.
TEST_F(LostAfterwardsTest, WhatFailedInAnotherShardOnlyMayBeLost) {
  std::string other = "id8";
  for (int i = 9; owners(other)[0] == owners("id7")[0] || owners(other)[1] == owners("id7")[1]; ++i)
    other = "id" + std::to_string(i);
  const std::string failed = owners("id7")[0];
  const std::string lost = owners("id7")[1];
  for (const std::string& name : {failed, owners(other)[0], owners(other)[1]})
    fail_on(name, "documentAdditionOrUpdate");
  ASSERT_EQ(world.await_task(world.write(kIndex, {"id7", other}, "in part")).status, "failed");
  work_again();
  ASSERT_EQ(member(document(node(lost), "id7"), "v"), Json("in part"));
  world.run_for(std::chrono::hours(2));
  node(lost).wipe();
  run_pass(PassKind::kLight);
  settle();
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("no_source"));
}

class OneGroupTest : public ReconcilerTest {
 protected:
  OneGroupTest() : ReconcilerTest({.groups = 1}) {}
};

TEST_F(OneGroupTest, DoubtThatNobodyCanEndIsReportedAndNoPassIsClean) {
  world.create_index("other");
  set_settings(Json::object({{"stopWords", Json::array({"a"})}}), "other");
  node("a0").fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    return task.type == "indexSwap" ? std::optional<std::string>("internal") : std::nullopt;
  });
  world.swap_indexes(kIndex, "other");
  world.run_until([&] { return world.all_done(); });
  node("a0").fail_tasks({});
  for (const PassKind kind : {PassKind::kDeep, PassKind::kLight}) {
    const Json pass = run_pass(kind);
    EXPECT_EQ(member(pass, "clean"), Json(false));
    const Json& its = member(pass, "indexes").as_array().front();
    const std::string problems = to_text(member(its, "problems"));
    EXPECT_NE(problems.find("node a0"), std::string::npos) << to_text(pass);
    const auto shards = world.topology().shards_of("a0");
    EXPECT_EQ(member(its, "divergence").size(), shards.size()) << to_text(pass);
    for (const Json& shard : member(its, "divergence").as_array()) {
      EXPECT_EQ(member(shard, "reason"), Json("in_doubt"));
      EXPECT_EQ(to_text(member(shard, "why")).find("\"\""), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace miroir
