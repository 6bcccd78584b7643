// Swaps and renames that failed on every node while clients went on.
#include "anti_entropy/taken_back_fake.h"

namespace miroir {
namespace {

TEST_F(TakenBackTest, SwapThatFailedEverywhereLeavesBothIndexesWhatTheyWere) {
  world.create_index("other");
  world.write(kOne, {"1", "2", "3"}, "old");
  world.write("other", {"1", "8", "9"}, "older");
  stop_word(kOne, "the");
  world.remove("other", {"8"});
  world.remove(kOne, {"3"});
  settle();
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  // What comes between is done to what carries the name.
  world.write(kOne, {"4"}, "new");
  world.remove(kOne, {"2"});
  stop_word("other", "a");
  settle();
  expect_holds(kOne, {"1", "4"});
  expect_holds("other", {"1", "9"});
  expect_clean();
  expect_holds(kOne, {"1", "4"});
  expect_holds("other", {"1", "9"});
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  EXPECT_EQ(settings("other"), Json::object({{"stopWords", Json::array({"a"})}}));
}

// Each index goes on with its own deletes: a copy that one of them killed stays dead, and nothing
// dies of the other's.
TEST_F(TakenBackTest, DeletesFromBeforeASwapThatFailedStayTheIndexsOwn) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "old");
  world.write("other", {"1", "2"}, "old");
  settle();
  const auto copy = node("b0").documents(kOne).at("1");
  world.remove(kOne, {"1"});
  settle();
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  world.remove(kOne, {"2"});
  settle();
  node("b0").write_directly(kOne, "1", parse_json(copy).value());
  expect_clean();
  expect_holds(kOne, {});
  expect_holds("other", {"1", "2"});
}

TEST_F(TakenBackTest, DeleteAllBeforeASwapThatFailedIsTheIndexsOwn) {
  world.create_index("other");
  world.write("other", {"1"}, "old");
  world.write(kOne, {"1"}, "old");
  settle();
  const auto copy = node("b0").documents(kOne).at("1");
  world.clear(kOne);
  settle();
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  settle();
  node("b0").write_directly(kOne, "1", parse_json(copy).value());
  expect_clean();
  expect_holds(kOne, {});
  expect_holds("other", {"1"});
}

TEST_F(TakenBackTest, TaintFromBeforeASwapThatFailedIsHealed) {
  world.create_index("other");
  world.write(kOne, {"1"}, "old");
  world.write("other", {"1"}, "old");
  settle();
  world.fail_tasks({"documentAdditionOrUpdate"}, "b0");
  world.write(kOne, {"1"}, "new");
  world.run_until([&] { return world.all_done(); });
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  // On top of what it missed there.
  world.write(kOne, {"1"}, "merged", EntryKind::kMergeDocuments);
  settle();
  const Catalogue& catalogue = world.log().catalogue();
  EXPECT_TRUE(world.log().tainted(catalogue.index(kOne)->incarnation, "1", "b0"));
  EXPECT_FALSE(world.log().tainted(catalogue.index("other")->incarnation, "1", "b0"));
  expect_clean();
  for (const std::string name : {"a0", "b0"}) {
    const std::string text = node(name).documents(kOne).at("1");
    EXPECT_NE(text.find("new"), std::string::npos) << name << text;
    EXPECT_NE(text.find("merged"), std::string::npos) << name << text;
  }
}

TEST_F(TakenBackTest, SwapOfIndexesThatWereSwappedOnIsTakenBackByWhatTheyAre) {
  world.create_index("other");
  world.create_index("third");
  world.write(kOne, {"1"}, "x");
  world.write("other", {"2"}, "x");
  world.write("third", {"3"}, "x");
  settle();
  int swaps = 0;
  for (auto& [name, each] : world.nodes) {
    each->fail_tasks([swaps](const NodeTask& task) mutable -> std::optional<std::string> {
      const bool first = task.type == "indexSwap" && swaps++ == 0;
      return first ? std::optional<std::string>("internal") : std::nullopt;
    });
  }
  world.swap_indexes(kOne, "other");
  world.swap_indexes("other", "third");
  settle();
  expect_clean();
  expect_holds(kOne, {"1"});
  expect_holds("other", {"3"});
  expect_holds("third", {"2"});
}

TEST_F(TakenBackTest, RenameThatFailedEverywhereGivesTheNameBack) {
  world.write(kOne, {"1"}, "x");
  settle();
  const Position incarnation = world.log().catalogue().index(kOne)->incarnation;
  world.fail_tasks({"indexUpdate"});
  rename(kOne, "renamed");
  settle();
  expect_names({kOne});
  EXPECT_EQ(world.log().catalogue().index(kOne)->incarnation, incarnation);
  expect_clean();
  expect_holds(kOne, {"1"});
}

TEST_F(TakenBackTest, RenamesThereAndBackThatFailedLeaveTheIndexWhatItWas) {
  world.write(kOne, {"1"}, "x");
  settle();
  world.fail_tasks({"indexUpdate"});
  rename(kOne, "renamed");
  rename("renamed", kOne);
  settle();
  expect_names({kOne});
  expect_clean();
  expect_holds(kOne, {"1"});
}

TEST_F(TakenBackTest, WhatWasWrittenUnderANameThatNobodyGotIsAnIndexOfItsOwn) {
  world.write(kOne, {"1", "2"}, "x");
  world.remove(kOne, {"2"});
  stop_word(kOne, "the");
  settle();
  world.fail_tasks({"indexUpdate"});
  rename(kOne, "renamed");
  world.write("renamed", {"5"}, "x");
  settle();
  expect_clean(true);
  expect_names({kOne, "renamed"});
  expect_holds(kOne, {"1"});
  expect_holds("renamed", {"5"});
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
  EXPECT_EQ(settings("renamed"), Json::object());
}

// Both names are written under while nobody knows yet that the rename failed.
TEST_F(TakenBackTest, WhatWasMadeInTheOldPlaceSinceIsTheOldIndex) {
  world.write(kOne, {"1", "2"}, "x");
  world.remove(kOne, {"2"});
  settle();
  world.fail_tasks({"indexUpdate"});
  rename(kOne, "renamed");
  world.write("renamed", {"5"}, "x");
  world.create_index(kOne);
  world.write(kOne, {"6"}, "x");
  settle();
  expect_clean(true);
  expect_names({kOne, "renamed"});
  expect_holds(kOne, {"1", "6"});
  expect_holds("renamed", {"5"});
}

TEST_F(TakenBackTest, DropOfWhatASwapThatFailedExchangedTakesTheOther) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "x");
  stop_word(kOne, "the");
  settle();
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  Entry drop;
  drop.kind = EntryKind::kDropIndex;
  drop.index_uid = "other";
  world.append(std::move(drop));
  settle();
  expect_clean();
  expect_names({kOne});
  expect_holds(kOne, {"1", "2"});
  EXPECT_EQ(settings(kOne), Json::object({{"stopWords", Json::array({"the"})}}));
}

// A node that comes later is sent none of it, and nothing is taken back again.
TEST_F(TakenBackTest, WhatIsReplayedWasDecided) {
  world.create_index("other");
  world.write(kOne, {"1"}, "x");
  world.write("other", {"2"}, "x");
  settle();
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  settle();
  const Position head = world.log().head();
  node("b0").wipe();
  settle();
  run_pass(PassKind::kDeep);
  expect_clean();
  expect_holds(kOne, {"1"});
  expect_holds("other", {"2"});
  for (Position position = head + 1; position <= world.log().head(); ++position) {
    const auto entry = world.await(world.log().entry(position));
    if (entry) EXPECT_TRUE((*entry)->target) << name((*entry)->kind);
  }
}

TEST_F(TakenBackTest, NothingIsDroppedThatACreationOrARenameFoundThere) {
  for (auto& [name, each] : world.nodes)
    each->write_directly("strangers", "1", Json::object({{"id", "1"}}));
  world.create_index("strangers");
  settle();
  for (auto& [name, each] : world.nodes)
    each->write_directly("theirs", "1", Json::object({{"id", "1"}}));
  world.write(kOne, {"1"}, "x");
  rename(kOne, "theirs");
  settle();
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kDeep);
  for (const auto& [name, each] : world.nodes) {
    EXPECT_EQ(each->documents("strangers").size(), 1U) << name;
    EXPECT_EQ(each->documents("theirs").size(), 1U) << name;
  }
  expect_holds(kOne, {"1"});
}

TEST_F(TakenBackTest, SurvivesACrashAtAnyMoment) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "old");
  world.write("other", {"1", "2"}, "old");
  world.remove(kOne, {"1"});
  settle();
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  world.remove(kOne, {"2"});
  for (int crash = 0; crash < 40; ++crash) {
    world.run_for(Milliseconds(300));
    restart_after([] {});
  }
  settle();
  expect_clean();
  expect_holds(kOne, {});
  expect_holds("other", {"1", "2"});
}

TEST_F(TakenBackTest, WhereANodeSwappedItIsMadeOnAll) {
  world.create_index("other");
  world.write(kOne, {"1"}, "x");
  world.write("other", {"2"}, "x");
  settle();
  world.fail_tasks({"indexSwap"}, "b0");
  world.swap_indexes(kOne, "other");
  settle();
  expect_clean();
  expect_holds(kOne, {"2"});
  expect_holds("other", {"1"});
}

}  // namespace
}  // namespace miroir
