// Changes of a primary key that failed on every node while clients went on.
#include "anti_entropy/taken_back_fake.h"

namespace miroir {
namespace {

class TakenBackKeysTest : public TakenBackTest {
 protected:
  void create(const std::string& uid, std::optional<std::string> key) {
    Entry entry;
    entry.kind = EntryKind::kCreateIndex;
    entry.task_type = "indexCreation";
    entry.index_uid = uid;
    entry.primary_key = key.value_or("");
    entry.arguments = Json::object({{"primaryKey", key ? Json(*key) : Json()}});
    world.append(std::move(entry));
  }
  // As settings or an empty creation make it.
  void create_without_key(const std::string& uid) {
    create(uid, std::nullopt);
    settle();
  }
};

TEST_F(TakenBackKeysTest, KeyThatFailedEverywhereIsNotMadeByTheReconciler) {
  create_without_key("other");
  stop_word(kOne, "the");
  settle();
  world.fail_tasks({"indexUpdate"});
  change_key(kOne, "sku");
  change_key("other", "sku");
  settle();
  expect_clean();
  expect_key(kOne, "id");
  expect_key("other", std::nullopt);
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  world.write(kOne, {"1"}, "x");
  world.write("other", {"2"}, "x");
  settle();
  expect_clean();
  expect_holds(kOne, {"1"});
  expect_holds("other", {"2"});
}

// They told the nodes the key: it is the index's all the same.
TEST_F(TakenBackKeysTest, DocumentsOfANewKeyThatFailedMakeItWhereThereWasNone) {
  create_without_key("other");
  world.fail_tasks({"indexUpdate"});
  change_key("other", "v");
  world.write("other", {"x"}, "x");
  settle();
  expect_clean();
  expect_key("other", "v");
  expect_holds("other", {"x"});
}

// They failed too, for the nodes have the one before.
TEST_F(TakenBackKeysTest, DocumentsOfANewKeyThatFailedDoNotMakeItWhereThereWasAnother) {
  world.fail_tasks({"indexUpdate"});
  change_key(kOne, "v");
  world.write(kOne, {"x"}, "x");
  settle();
  expect_clean();
  expect_key(kOne, "id");
  expect_holds(kOne, {});
  world.write(kOne, {"1"}, "x");
  settle();
  expect_clean();
  expect_holds(kOne, {"1"});
}

TEST_F(TakenBackKeysTest, AfterSeveralTheNewestThatDidNotFailCounts) {
  int changes = 0;
  for (auto& [name, each] : world.nodes) {
    each->fail_tasks([changes](const NodeTask& task) mutable -> std::optional<std::string> {
      const bool fails = task.type == "indexUpdate" && ++changes != 2;
      return fails ? std::optional<std::string>("internal") : std::nullopt;
    });
  }
  for (const char* key : {"sku", "isbn", "ean"}) change_key(kOne, key);
  settle();
  expect_clean();
  expect_key(kOne, "isbn");
}

TEST_F(TakenBackKeysTest, KeyAndNameThatFailedTogetherBothGoBack) {
  create_without_key("other");
  world.fail_tasks({"indexUpdate"});
  change_key(kOne, "sku", "renamed");
  change_key("other", "sku", "another");
  settle();
  expect_clean();
  expect_names({kOne, "other"});
  expect_key(kOne, "id");
  expect_key("other", std::nullopt);
}

TEST_F(TakenBackKeysTest, DocumentsUnderANameAndAKeyThatNobodyGotAreAnIndexOfTheirOwn) {
  world.fail_tasks({"indexUpdate"});
  change_key(kOne, "v", "renamed");
  world.write("renamed", {"x"}, "x");
  settle();
  expect_clean(true);
  expect_names({kOne, "renamed"});
  expect_key(kOne, "id");
  expect_key("renamed", "v");
  expect_holds("renamed", {"x"});
}

TEST_F(TakenBackKeysTest, OfAnIndexThatWasDroppedSinceNothingComesBack) {
  world.fail_tasks({"indexUpdate"});
  change_key(kOne, "sku");
  world.drop_index(kOne);
  settle();
  expect_clean();
  expect_names({});
}

TEST_F(TakenBackKeysTest, OfAnIndexWhoseDropFailedTooTheKeyIsTheOneBefore) {
  world.fail_tasks({"indexUpdate", "indexDeletion"});
  change_key(kOne, "sku");
  world.drop_index(kOne);
  settle();
  expect_clean(true);
  expect_key(kOne, "id");
}

TEST_F(TakenBackKeysTest, OfAnIndexWhoseCreationFailedTooThereIsNone) {
  world.fail_tasks({"indexUpdate", "indexCreation"});
  create("other", std::nullopt);
  change_key("other", "sku");
  settle();
  expect_clean(true);
  expect_key("other", std::nullopt);
}

// Documents made it, and told the nodes their key.
TEST_F(TakenBackKeysTest, OfAnIndexWhoseCreationFailedTooDocumentsTellTheKey) {
  world.fail_tasks({"indexUpdate", "indexCreation"});
  create("other", "id");
  change_key("other", "v");
  world.write("other", {"x"}, "x");
  settle();
  expect_clean();
  expect_key("other", "v");
  expect_holds("other", {"x"});
}

TEST_F(TakenBackKeysTest, OfWhatWasMadeSinceADropThatFailedItIsTheOneBefore) {
  world.write(kOne, {"1"}, "x");
  settle();
  world.fail_tasks({"indexDeletion"});
  world.drop_index(kOne);
  create(kOne, "v");
  settle();
  expect_clean(true);
  expect_key(kOne, "id");
  world.write(kOne, {"2"}, "x");
  settle();
  expect_clean();
  expect_holds(kOne, {"1", "2"});
}

TEST_F(TakenBackKeysTest, OrSinceARenameThatDid) {
  world.write(kOne, {"1"}, "x");
  settle();
  world.fail_tasks({"indexUpdate"});
  rename(kOne, "renamed");
  create(kOne, "v");
  settle();
  expect_clean(true);
  expect_names({kOne});
  expect_key(kOne, "id");
  expect_holds(kOne, {"1"});
}

TEST_F(TakenBackKeysTest, SurvivesACrashAtAnyMoment) {
  world.fail_tasks({"indexUpdate"});
  change_key(kOne, "sku");
  change_key(kOne, "isbn", "renamed");
  for (int crash = 0; crash < 40; ++crash) {
    world.run_for(Milliseconds(300));
    restart_after([] {});
  }
  settle();
  expect_clean();
  expect_names({kOne});
  expect_key(kOne, "id");
}

// Before another that was away failed it, too.
class HealedMeanwhileTest : public TakenBackKeysTest {
 protected:
  void heal_while_b0_is_away() {
    const Position change = world.log().head();
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status("a0").done >= change; }));
    run_pass(PassKind::kLight);
    ASSERT_GT(world.log().head(), change) << "it sent something";
    ASSERT_TRUE(world.set_down("b0", false));
  }
  // When a rename fails for it.
  void expect_theirs_stays_his() {
    const Json before = node("b0").disk().indexes.at("theirs").settings;
    ASSERT_TRUE(world.set_down("b0", true));
    rename(kOne, "theirs");
    heal_while_b0_is_away();
    settle();
    run_pass(PassKind::kLight);
    EXPECT_EQ(world.log().catalogue().index("theirs"), nullptr);
    EXPECT_EQ(node("b0").disk().indexes.at("theirs").settings, before);
  }
};

TEST_F(HealedMeanwhileTest, KeyThatANodeFailedAgainIsTakenBack) {
  create_without_key("other");
  world.fail_tasks({"indexUpdate"});
  ASSERT_TRUE(world.set_down("b0", true));
  change_key("other", "sku");
  heal_while_b0_is_away();
  settle();
  expect_clean();
  expect_key("other", std::nullopt);
}

TEST_F(HealedMeanwhileTest, KeyOfWhatWasMadeUnderANameThatFailedIsNotThatOfTheIndexBefore) {
  world.write(kOne, {"1"}, "x");
  settle();
  world.fail_tasks({"indexUpdate"});
  ASSERT_TRUE(world.set_down("b0", true));
  change_key(kOne, "v", "renamed");
  heal_while_b0_is_away();
  ASSERT_TRUE(node("a0").disk().indexes.contains("renamed"));
  settle();
  run_pass(PassKind::kLight);
  expect_clean(true);
  expect_key(kOne, "id");
  expect_holds(kOne, {"1"});
  expect_names({kOne, "renamed"});
  world.write(kOne, {"2"}, "x");
  settle();
  expect_holds(kOne, {"1", "2"});
}

// Its creation there failed, and the settings that came with it did not.
TEST_F(HealedMeanwhileTest, WhatSettingsMadeUnderANameThatFailedIsAnIndexOfItsOwn) {
  stop_word(kOne, "the");
  world.write(kOne, {"1"}, "x");
  settle();
  world.fail_tasks({"indexUpdate", "indexCreation"});
  ASSERT_TRUE(world.set_down("b0", true));
  rename(kOne, "renamed");
  heal_while_b0_is_away();
  ASSERT_TRUE(node("a0").disk().indexes.contains("renamed"));
  settle();
  run_pass(PassKind::kLight);
  expect_clean(true);
  expect_holds(kOne, {"1"});
  expect_names({kOne, "renamed"});
}

// For that the rename fails.
TEST_F(HealedMeanwhileTest, WhatSomebodyElseHasUnderANameThatFailedStaysHis) {
  stop_word(kOne, "the");
  world.write(kOne, {"1"}, "x");
  settle();
  for (auto& [name, each] : world.nodes)
    each->write_directly("theirs", "1", Json::object({{"id", "1"}}));
  expect_theirs_stays_his();
  expect_holds(kOne, {"1"});
}

// Nor is it made by the key that his is given, where it has none.
TEST_F(HealedMeanwhileTest, WhatSomebodyElseHasWithoutAKeyUnderANameThatFailedStaysHis) {
  for (auto& [name, each] : world.nodes) {
    SimulatedNode::Disk disk = each->snapshot();
    auto& theirs = disk.indexes["theirs"] = disk.indexes.at(kOne);
    theirs.primary_key.reset();
    theirs.settings.set("stopWords", Json::array({"his"}));
    each->restore(std::move(disk));
  }
  expect_theirs_stays_his();
  EXPECT_NE(world.log().catalogue().index(kOne), nullptr);
}

// Nor is it dropped where the name that was given up is another's by then.
TEST_F(TakenBackKeysTest, WhatSomebodyElseHasUnderANameThatFailedIsNotDropped) {
  for (const bool anew : {false, true}) {
    const std::string theirs = anew ? "theirs" : "his";
    for (auto& [name, each] : world.nodes)
      each->write_directly(theirs, "1", Json::object({{"id", "1"}}));
    world.write(kOne, {"1"}, "x");
    settle();
    ASSERT_TRUE(world.set_down("b0", true));
    rename(kOne, theirs);
    if (anew) {
      make(kOne);
      world.write(kOne, {"2"}, "x");
    }
    world.run_for(Seconds(3));
    ASSERT_TRUE(world.set_down("b0", false));
    settle();
    run_pass(PassKind::kDeep);
    expect_holds(kOne, anew ? std::set<std::string>{"1", "2"} : std::set<std::string>{"1"});
    EXPECT_EQ(world.log().catalogue().index(theirs), nullptr);
    for (auto& [name, each] : world.nodes) EXPECT_EQ(each->documents(theirs).size(), 1U) << name;
    // All that is wrong is that it is there.
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "mismatches"), Json(anew ? 4 : 2));
  }
}

TEST_F(TakenBackKeysTest, WhereANodeHasTheNewKeyItIsMadeOnAll) {
  world.fail_tasks({"indexUpdate"}, "b0");
  change_key(kOne, "sku");
  settle();
  run_pass(PassKind::kDeep);
  expect_key(kOne, "sku");
}

}  // namespace
}  // namespace miroir
