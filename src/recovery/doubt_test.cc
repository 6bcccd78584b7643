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

// It is away, deletes are trimmed, and the store is copied before or after: that it was never sent
// them is known to nothing but its tasks.
class UnknownGapTest : public RecoveryDoubtTest {
 protected:
  UnknownGapTest() {
    world_.options.log.retention_age = Seconds(20);
    restart_on(world_.store.snapshot());
    settle();
    MIROIR_ASSERT(world_.set_down("a0", true));
    for (int n = 0; n < 40; ++n) ids_.push_back("id" + std::to_string(n));
    removed_ = world_.remove("books", ids_);
  }
  void settle() {
    MIROIR_ASSERT(world_.run_until([&] { return world_.all_done(); }));
    world_.run_for(Seconds(1));
  }
  void await_trimmed() {
    MIROIR_ASSERT(world_.run_until([&] { return world_.log().trimmed() >= removed_; }));
  }
  void come_back() {
    MIROIR_ASSERT(world_.set_down("a0", false));
    settle();
  }
  // That it alone was sent, and all others forgot to have been, as the log did.
  void write_to_it_alone() {
    for (const char* node : {"a1", "b0", "b1"}) MIROIR_ASSERT(world_.set_down(node, true));
    world_.write("books", ids_, "told by its metadata");
    world_.run_for(Seconds(1));
    for (const char* node : {"a1", "b0", "b1"}) world_.nodes.at(node)->options().down = false;
  }

  std::vector<std::string> ids_;
  Position removed_ = 0;
};

TEST_F(UnknownGapTest, ANodeThatWasNotSentWhatTheLogNoLongerHeldIsNoSourceOfIt) {
  await_trimmed();
  copy_ = world_.store.snapshot();
  come_back();
  ASSERT_TRUE(world_.cluster().progress("a0").skipped(removed_));
  recover();
  EXPECT_TRUE(tainted("books", "", "a0"));
  for (const char* node : {"a1", "b0", "b1"}) EXPECT_FALSE(tainted("books", "", node)) << node;
  EXPECT_TRUE(world_.cluster().progress("a0").skipped(removed_));
}

TEST_F(UnknownGapTest, OfThoseWhoseBodiesTheCopyHasTheDocumentsAreTainted) {
  world_.run_for(Seconds(5));
  ASSERT_LT(world_.log().trimmed(), removed_);
  copy_ = world_.store.snapshot();
  await_trimmed();
  come_back();
  ASSERT_TRUE(world_.cluster().progress("a0").skipped(removed_));
  recover();
  EXPECT_FALSE(tainted("books", "", "a0"));
  EXPECT_FALSE(world_.cluster().progress("a0").skipped(removed_));
  for (const std::string& id : ids_) {
    for (const auto& [name, node] : world_.nodes) {
      const bool owns = world_.topology().owns(name, slot_of(id));
      EXPECT_EQ(tainted("books", id, name), owns && name == "a0") << id << " on " << name;
    }
  }
}

TEST_F(UnknownGapTest, ANodeThatHasTheirTasksOrHadLacksNothing) {
  for (const bool deleted : {false, true}) {
    MIROIR_ASSERT(world_.set_down("a0", true));
    removed_ = world_.remove("books", ids_);
    world_.run_for(Seconds(5));
    copy_ = world_.store.snapshot();
    come_back();
    SimulatedNode& node = *world_.nodes.at("a0");
    const auto uid = static_cast<TaskUid>(static_cast<std::int64_t>(removed_) +
                                          world_.cluster().progress("a0").offset);
    ASSERT_TRUE(node.disk().tasks.contains(uid));
    if (deleted) ASSERT_TRUE(node.enqueue(ForgetTasks{uid, uid + 1}, std::nullopt, ""));
    node.settle();
    write_to_it_alone();
    world_.networks.at("a0").cut = true;
    restart_on(copy_);
    await_trimmed();
    world_.networks.at("a0").cut = false;
    ASSERT_TRUE(world_.run_until([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
    ASSERT_TRUE(world_.run_until([&] { return awaiting_recovery(world_.cluster()).empty(); }));
    settle();
    EXPECT_NE(node.disk().tasks.contains(uid), deleted);
    EXPECT_TRUE(all_in_sync());
    EXPECT_FALSE(tainted("books", "", "a0")) << deleted;
    EXPECT_FALSE(world_.cluster().progress("a0").skipped(removed_)) << deleted;
  }
}

}  // namespace
}  // namespace miroir
