// What the log knew to have failed on one node, before it went back, a recovery does not forget.
#include <gtest/gtest.h>

#include <algorithm>

#include "recovery/recovery_world_fake.h"

namespace miroir {
namespace {

class RecoveryDoubtTest : public RecoveryTest {
 protected:
  RecoveryDoubtTest() {
    world_.await_task(world_.create_index("films"));
    world_.await_task(world_.write("films", {"1", "2", "3"}, "film"));
  }
  // That fails on the node alone; the copy of the store knows it.
  void fail_on(const std::string& node, const std::string& type,
               const std::function<Position()>& append) {
    world_.fail_tasks({type}, node);
    world_.await_task(append());
    world_.fail_tasks({});
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    copy_ = world_.store.snapshot();
  }
  void recover() {
    write("told by its metadata", 0, 40);
    restart_on(copy_);
    ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    EXPECT_TRUE(all_in_sync());
  }
  Position incarnation(const std::string& uid) {
    return world_.log().catalogue().index(uid)->incarnation;
  }
  bool tainted(const std::string& uid, const std::string& id, const std::string& node) {
    const IndexState* index = world_.log().catalogue().index(uid);
    return index != nullptr && index->taken_over() &&
           world_.log().tainted(index->incarnation, id, node);
  }

  MemoryStore::Tables copy_;
};

TEST_F(RecoveryDoubtTest, ANodeWhereASwapFailedIsNoSourceOfEither) {
  for (auto& [name, node] : world_.nodes) {
    node->set_directly("books", "stopWords", Json::array({"book"}));
    node->set_directly("films", "stopWords", Json::array({"film"}));
  }
  fail_on("a0", "indexSwap", [&] { return world_.swap_indexes("books", "films"); });
  recover();
  for (const char* uid : {"books", "films"}) {
    EXPECT_TRUE(tainted(uid, "", "a0")) << uid;
    EXPECT_FALSE(tainted(uid, "", "b0")) << uid;
  }
  const Json* words = world_.log().catalogue().index("books")->settings.find("stopWords");
  ASSERT_NE(words, nullptr);
  EXPECT_EQ(*words, Json::array({"film"}));
  // In a second one, too.
  copy_ = world_.store.snapshot();
  recover();
  EXPECT_TRUE(tainted("books", "", "a0"));
}

TEST_F(RecoveryDoubtTest, DocumentsThatFailedOnANodeStayTainted) {
  const std::string owner = world_.topology().owners(world_.topology().shard_of(slot_of("id1")))[0];
  fail_on(owner, "documentDeletion", [&] { return world_.remove("books", {"id1"}); });
  write("told by its metadata", 2, 40);
  restart_on(copy_);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_TRUE(tainted("books", "id1", owner));
}

TEST_F(RecoveryDoubtTest, ANodeThatFailedToMakeAnIndexOrToSetItIsASource) {
  fail_on("a0", "indexCreation", [&] { return world_.create_index("songs"); });
  fail_on("a0", "settingsUpdate", [&] {
    Entry entry;
    entry.kind = EntryKind::kUpdateSettings;
    entry.index_uid = "books";
    entry.task_type = "settingsUpdate";
    entry.arguments = Json::object({{"settings", Json::object()}});
    return world_.append(std::move(entry));
  });
  recover();
  EXPECT_FALSE(tainted("songs", "", "a0"));
  EXPECT_FALSE(tainted("books", "", "a0"));
}

// One that the log forgot to have dropped is made again by what was written to it before the nodes
// told.
TEST_F(RecoveryDoubtTest, AnIndexThatAllNodesHaveWithoutOurSettingsIsGivenThem) {
  copy_ = world_.store.snapshot();
  for (auto& [name, node] : world_.nodes)
    node->set_directly("books", "filterableAttributes", Json::array());
  recover();
  for (auto& [name, node] : world_.nodes) {
    const Json* rules = node->disk().indexes.at("books").settings.find("filterableAttributes");
    ASSERT_NE(rules, nullptr) << name;
    EXPECT_TRUE(to_text(*rules).contains("_miroir_*")) << name;
  }
}

TEST_F(RecoveryDoubtTest, AnIndexThatANodeFailedToDropDoesNotComeBack) {
  fail_on("b0", "indexDeletion", [&] { return world_.drop_index("films"); });
  recover();
  EXPECT_EQ(world_.log().catalogue().index("films"), nullptr);
  EXPECT_TRUE(world_.nodes.at("b0")->disk().indexes.contains("films"));
  const auto taints = world_.log().index_taints();
  EXPECT_TRUE(std::ranges::any_of(taints, [](const Taint& taint) { return taint.node == "b0"; }));
}

TEST_F(RecoveryDoubtTest, ANodeThatFailedToDropAnIndexIsNoSourceOfTheNextOfThatName) {
  fail_on("a0", "indexDeletion", [&] { return world_.drop_index("films"); });
  world_.await_task(world_.create_index("films"));
  world_.await_task(world_.write("films", {"4"}, "another"));
  recover();
  EXPECT_TRUE(tainted("films", "", "a0"));
  EXPECT_FALSE(tainted("films", "", "b0"));
}

TEST_F(RecoveryDoubtTest, NorWhereTheNextIsFoundNotToHaveBeenMade) {
  fail_on("a0", "indexDeletion", [&] { return world_.drop_index("films"); });
  world_.await_task(world_.create_index("films"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  copy_ = world_.store.snapshot();
  recover();
  ASSERT_TRUE(tainted("films", "", "a0"));
  const auto doubt = world_.log().taint(incarnation("films"), "", "a0");
  EXPECT_EQ(doubt->failed.front(), Taint::kUnnamed);
}

TEST_F(RecoveryDoubtTest, NorIsOneThatHadAnotherOfItsName) {
  world_.nodes.at("a0")->write_directly("songs", "1", Json::object({{"id", "1"}}));
  world_.await_task(world_.create_index("songs"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  copy_ = world_.store.snapshot();
  recover();
  EXPECT_TRUE(tainted("songs", "", "a0"));
  EXPECT_FALSE(tainted("songs", "", "b0"));
}

}  // namespace
}  // namespace miroir
