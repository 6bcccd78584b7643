// Creations and drops that failed on every node while clients went on.
#include "anti_entropy/taken_back_fake.h"

namespace miroir {
namespace {

class TakenBackDropsTest : public TakenBackTest {
 protected:
  // The text, on b0, of document 3, which is deleted then.
  std::string fill() {
    world.write(kOne, {"1", "2", "3"}, "old");
    stop_word(kOne, "the");
    settle();
    std::string copy = node("b0").documents(kOne).at("3");
    world.remove(kOne, {"3"});
    settle();
    return copy;
  }
};

TEST_F(TakenBackDropsTest, CreationThatFailedEverywhereIsNotMadeUpFor) {
  world.fail_tasks({"indexCreation"});
  make("made");
  settle();
  expect_names({kOne});
  expect_clean();
  expect_names({kOne});
  make("made");
  settle();
  expect_names({kOne, "made"});
  expect_clean();
}

TEST_F(TakenBackDropsTest, WhatClientsUsedSinceItsCreationFailedIsAnIndex) {
  world.fail_tasks({"indexCreation"});
  make("made");
  world.write("made", {"1"}, "x");
  settle();
  expect_clean(true);
  expect_names({kOne, "made"});
  expect_holds("made", {"1"});
}

// What nodes read back alike is not what the log says.
TEST_F(TakenBackDropsTest, SettingsOfAnIndexThatFailedEverywhereAreGivenToNodesAgain) {
  for (const bool repairs : {false, true}) {
    world.fail_tasks({"settingsUpdate"});
    make("made" + std::to_string(repairs));
    world.write("made" + std::to_string(repairs), {"1"}, "x");
    settle();
    run_pass(PassKind::kLight, repairs);
  }
  expect_clean(true);
  for (const auto& [name, each] : world.nodes) {
    for (const char* uid : {"made0", "made1"})
      EXPECT_NE(each->disk().indexes.at(uid).settings.find("filterableAttributes"), nullptr)
          << uid << " on " << name;
  }
  const Position head = world.log().head();
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.log().head(), head) << "once";
}

// Of a heal that failed nothing is remembered.
TEST_F(TakenBackDropsTest, AndWhereAHealCouldNotGiveThem) {
  world.fail_tasks({"settingsUpdate"}, "b0");
  make("made");
  settle();
  SimulatedNode::Disk disk = node("a0").snapshot();
  disk.indexes.erase("made");
  node("a0").restore(std::move(disk));
  world.fail_tasks({"settingsUpdate"});
  run_pass(PassKind::kLight);
  settle();
  expect_clean(true);
  for (const auto& [name, each] : world.nodes)
    EXPECT_NE(each->disk().indexes.at("made").settings.find("filterableAttributes"), nullptr)
        << name;
}

TEST_F(TakenBackDropsTest, AndWhereMoreFailedSinceThanIsNamed) {
  const Json words = Json::array({"the"});
  world.fail_tasks({"settingsUpdate"});
  set_settings(Json::object({{"stopWords", words}}), kOne);  // no client's
  settle();
  for (int i = 0; i < 10; ++i) {
    for (const char* failing : {"a0", "b0"}) {
      world.fail_tasks({"documentDeletion"}, failing);
      world.clear(kOne);
      settle();
    }
  }
  run_pass(PassKind::kLight);
  for (const auto& [name, each] : world.nodes) {
    const Json* held = each->disk().indexes.at(kOne).settings.find("stopWords");
    ASSERT_NE(held, nullptr) << name;
    EXPECT_EQ(*held, words) << name;
  }
}

TEST_F(TakenBackDropsTest, DropThatFailedEverywhereLeavesTheIndexWhatItWas) {
  const std::string copy = fill();
  const Position incarnation = world.log().catalogue().index(kOne)->incarnation;
  world.fail_tasks({"indexDeletion"});
  world.drop_index(kOne);
  settle();
  expect_names({kOne});
  EXPECT_EQ(world.log().catalogue().index(kOne)->incarnation, incarnation);
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  expect_clean();
  expect_holds(kOne, {"1", "2"});
  // Its deletes count still.
  node("b0").write_directly(kOne, "3", parse_json(copy).value());
  run_pass(PassKind::kDeep);
  expect_holds(kOne, {"1", "2"});
  // And now it goes.
  world.drop_index(kOne);
  settle();
  expect_names({});
  expect_clean();
}

TEST_F(TakenBackDropsTest, WhatWasDoneSinceADropThatFailedIsDoneToTheIndexThatIsThere) {
  const std::string copy = fill();
  world.fail_tasks({"indexDeletion"});
  world.drop_index(kOne);
  make(kOne);
  world.write(kOne, {"1", "4"}, "new");
  world.remove(kOne, {"2"});
  change_settings(kOne, Json::object({{"synonyms", Json::object({{"a", Json::array({"b"})}})}}));
  settle();
  expect_names({kOne});
  expect_clean(true);
  expect_holds(kOne, {"1", "4"});
  EXPECT_EQ(settings(kOne),
            Json::object({{"stopWords", Json::array({"the"})},
                          {"synonyms", Json::object({{"a", Json::array({"b"})}})}}));
  node("b0").write_directly(kOne, "3", parse_json(copy).value());
  run_pass(PassKind::kDeep);
  expect_holds(kOne, {"1", "4"});
}

// Nothing of it may be lost while it is not known what becomes of it.
TEST_F(TakenBackDropsTest, WhatOneNodeFailedToDropStaysWhileTheOtherIsAway) {
  world.write(kOne, {"1", "2"}, "x");
  settle();
  world.fail_tasks({"indexDeletion"});
  node("b0").options().down = true;
  world.drop_index(kOne);
  world.run_for(Seconds(60));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(node("a0").documents(kOne).size(), 2U);
  node("b0").options().down = false;
  settle();
  expect_clean();
  expect_names({kOne});
  expect_holds(kOne, {"1", "2"});
}

// The name is taken meanwhile, by a rename that must fail on every node.
TEST_F(TakenBackDropsTest, WhatWasRenamedToWhatADropDidNotSetFreeKeepsItsName) {
  world.create_index("other");
  world.write(kOne, {"1"}, "x");
  world.write("other", {"2"}, "x");
  settle();
  world.fail_tasks({"indexDeletion"});
  world.drop_index(kOne);
  rename("other", kOne);
  settle();
  expect_names({kOne, "other"});
  expect_clean();
  expect_holds(kOne, {"1"});
  expect_holds("other", {"2"});
}

TEST_F(TakenBackDropsTest, DropThatFailedOfWhatASwapThatFailedExchangedLeavesBoth) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "x");
  world.write("other", {"2", "3"}, "x");
  world.remove(kOne, {"2"});
  stop_word(kOne, "the");
  settle();
  world.fail_tasks({"indexSwap", "indexDeletion"});
  world.swap_indexes(kOne, "other");
  world.drop_index("other");
  settle();
  expect_clean(true);
  expect_names({kOne, "other"});
  expect_holds(kOne, {"1"});
  expect_holds("other", {"2", "3"});
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  EXPECT_EQ(settings("other"), Json::object());
}

TEST_F(TakenBackDropsTest, DropOfTheNameThatARenamingSwapDidNotGiveLeavesTheIndex) {
  world.write(kOne, {"1", "2"}, "x");
  settle();
  world.fail_tasks({"indexSwap"});
  Entry swap;
  swap.kind = EntryKind::kSwapIndexes;
  swap.task_type = "indexSwap";
  swap.arguments =
      Json::array({Json::object({{"indexes", Json::array({kOne, "renamed"})}, {"rename", true}})});
  world.append(std::move(swap));
  world.drop_index("renamed");
  settle();
  expect_names({kOne});
  expect_clean();
  expect_holds(kOne, {"1", "2"});
}

TEST_F(TakenBackDropsTest, DeleteSinceASwapThatFailedWhoseOtherIndexWasDroppedStands) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "x");
  settle();
  const auto copy = node("b0").documents(kOne).at("1");
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  const Position removal = world.remove(kOne, {"1"});
  world.drop_index("other");
  settle();
  EXPECT_EQ(world.await_task(removal).status, "succeeded");
  expect_holds(kOne, {"2"});
  node("b0").write_directly(kOne, "1", *parse_json(copy));  // as a replica that missed it
  run_pass(PassKind::kLight);
  run_pass(PassKind::kDeep);
  expect_holds(kOne, {"2"});
}

// An index that got another's past twice: what it had before the first is nobody's any more.
TEST_F(TakenBackDropsTest, SettingsAreWhatTheLastThatWasTakenBackLeft) {
  world.create_index("other");
  stop_word(kOne, "the");
  settle();
  world.fail_tasks({"indexDeletion", "indexSwap"});
  world.drop_index(kOne);
  make(kOne);
  world.write(kOne, {"1"}, "x");
  world.swap_indexes(kOne, "other");
  settle();
  world.fail_tasks({"settingsUpdate"});
  stop_word("other", "and");
  settle();
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  EXPECT_EQ(settings("other"), Json::object());
  expect_clean();
}

// What it was before is told of it only where its drop was taken back: no node is given it.
TEST_F(TakenBackDropsTest, SettingsGoOnFromWhatWasDroppedBeforeItsRenameWasTakenBack) {
  stop_word(kOne, "the");
  settle();
  for (auto& [name, each] : world.nodes) {
    each->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      const bool drops_it = task.type == "indexDeletion" && task.index_uid == kOne;
      const bool makes_it = task.type == "settingsUpdate" && !to_text(task.details).contains("the");
      return drops_it || makes_it || task.type == "indexUpdate" ? std::optional("internal")
                                                                : std::nullopt;
    });
  }
  node("b0").options().automatic = false;  // until all of it is there
  world.drop_index(kOne);
  make(kOne);
  rename(kOne, "renamed");
  make(kOne);
  world.write(kOne, {"1"}, "x");
  world.drop_index("renamed");
  node("b0").options().automatic = true;
  settle();
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  expect_clean(true);
  for (const auto& [name, each] : world.nodes) {
    const Json* words = each->disk().indexes.at(kOne).settings.find("stopWords");
    EXPECT_TRUE(words != nullptr && *words == Json::array({"the"})) << name;
  }
}

// A drop is taken back after the later rename that it waited for: what was done between the two to
// the index that was renamed is not done to that which stays.
class WaitedForARenameTest : public TakenBackDropsTest {
 protected:
  void SetUp() override {
    TakenBackDropsTest::SetUp();
    world.create_index("other");
    stop_word(kOne, "the");
    settle();
    world.fail_tasks({"indexDeletion"});
    world.drop_index(kOne);
    stop_word("other", "and");
    rename("other", kOne);
    world.write(kOne, {"1"}, "x");  // so that it is one
  }
  void expect_settings_of_both() {
    EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
    EXPECT_EQ(settings("other"), Json::object({{"stopWords", Json::array({"and"})}}));
    expect_clean(true);
    expect_holds(kOne, {"1"});
    expect_names({kOne, "other"});
  }
};

TEST_F(WaitedForARenameTest, SettingsStayApartWhenOthersFailLater) {
  settle();
  world.fail_tasks({"settingsUpdate"});
  stop_word(kOne, "failed");
  settle();
  expect_settings_of_both();
}

TEST_F(WaitedForARenameTest, AndWhenItIsDroppedInVainAgain) {
  world.drop_index(kOne);
  settle();
  expect_settings_of_both();
}

TEST_F(TakenBackDropsTest, DropThatFailedEverywhereSurvivesACrashAtAnyMoment) {
  world.write(kOne, {"1", "2"}, "old");
  world.remove(kOne, {"1"});
  settle();
  world.fail_tasks({"indexDeletion"});
  world.drop_index(kOne);
  make(kOne);
  world.write(kOne, {"3"}, "new");
  for (int crash = 0; crash < 40; ++crash) {
    world.run_for(Milliseconds(300));
    restart_after([] {});
  }
  settle();
  expect_clean(true);
  expect_holds(kOne, {"2", "3"});
}

TEST_F(TakenBackDropsTest, SettingsThatFailedBeforeADropAreTakenBackThoughMiroirCrashes) {
  world.write(kOne, {"1"}, "x");
  stop_word(kOne, "the");
  settle();
  stop_reconciler();  // which would take its time before the crash
  world.store.take_time(world.clock, Milliseconds(50), 1);
  world.fail_tasks({"settingsUpdate", "indexDeletion"});
  for (auto& [name, each] : world.nodes) each->options().automatic = false;
  stop_word(kOne, "failed");
  world.drop_index(kOne);
  world.run_for(Seconds(1));
  for (auto& [name, each] : world.nodes) each->process_next_batch();
  world.run_for(Seconds(1));  // so that nobody asks for the settings again
  for (auto& [name, each] : world.nodes) each->options().automatic = true;
  ASSERT_TRUE(world.run_until([&] { return world.log().catalogue().index(kOne) != nullptr; }));
  restart_after([] {});
  settle();
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  expect_clean();
}

TEST_F(TakenBackDropsTest, DropThatFailedIsNotReplayed) {
  world.write(kOne, {"1"}, "x");
  settle();
  world.fail_tasks({"indexDeletion"});
  world.drop_index(kOne);
  settle();
  world.write(kOne, {"2"}, "x");
  settle();
  node("b0").wipe();
  settle();
  expect_clean(true);
  expect_names({kOne});
  expect_holds(kOne, {"1", "2"});
}

}  // namespace
}  // namespace miroir
