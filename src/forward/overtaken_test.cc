#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

// A repair of "1" on b0 whose copies were read before something else befell the document.
class OvertakenTest : public ::testing::Test {
 protected:
  OvertakenTest() : world_(71, options()) {
    world_.start();
    world_.create_index("books");
    read_at_ = world_.write("books", {"1", "2"}, "a");
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    copy_ = world_.documents_of_group(0, "books");
    for (const char* id : {"1", "2"}) node("b0").delete_directly("books", id);
  }

  static ForwardWorld::Options options() {
    ForwardWorld::Options given;
    given.nodes_per_group = 1;
    return given;
  }

  Position repair(const std::vector<std::string>& ids) {
    Entry entry;
    entry.origin = Origin::kAntiEntropy;
    entry.kind = EntryKind::kRepairDocuments;
    entry.index_uid = "books";
    entry.target = "b0";
    entry.arguments = Json::object({{"readAt", read_at_}});
    std::vector<BodyRecord> records;
    for (const std::string& id : ids) records.push_back({slot_of(id), 0, id, copy_.at(id)});
    return world_.append_records(std::move(entry), std::move(records));
  }

  SimulatedNode& node(const std::string& id) { return *world_.nodes.at(id); }
  std::map<std::string, std::string> on_b0() {
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    return world_.documents_of_group(1, "books");
  }

  ForwardWorld world_;
  Position read_at_ = 0;
  std::map<std::string, std::string> copy_;
};

TEST_F(OvertakenTest, RepairThatNothingOvertookIsSent) {
  repair({"1", "2"});
  EXPECT_EQ(on_b0(), copy_);
}

TEST_F(OvertakenTest, WholeWriteInBetweenIsNotSetBack) {
  world_.write("books", {"1"}, "newer");
  repair({"1", "2"});
  const auto documents = on_b0();
  EXPECT_EQ(documents.at("1"), world_.documents_of_group(0, "books").at("1"));
  EXPECT_EQ(documents.at("2"), copy_.at("2")) << "only what was overtaken is left out";
}

TEST_F(OvertakenTest, DeletedDocumentDoesNotComeBack) {
  world_.remove("books", {"1"});
  repair({"1", "2"});
  EXPECT_FALSE(on_b0().contains("1"));
}

TEST_F(OvertakenTest, PutInBetweenIsNotLost) {
  world_.write("books", {"1"}, "merged", EntryKind::kMergeDocuments);
  repair({"1"});
  EXPECT_NE(on_b0().at("1").find("merged"), std::string::npos);
}

TEST_F(OvertakenTest, NothingComesBackAfterADeleteAll) {
  Entry clear;
  clear.kind = EntryKind::kClearDocuments;
  clear.index_uid = "books";
  world_.append(std::move(clear));
  repair({"1", "2"});
  EXPECT_TRUE(on_b0().empty());
}

TEST_F(OvertakenTest, WhatIsWrittenAfterTheRepairLandsOnIt) {
  repair({"1"});
  world_.write("books", {"1"}, "merged", EntryKind::kMergeDocuments);
  EXPECT_EQ(on_b0().at("1"), world_.documents_of_group(0, "books").at("1"));
}

TEST_F(OvertakenTest, RepairOfWhichNothingIsLeftMakesNoTaskAndNoDoubt) {
  world_.write("books", {"1"}, "newer");
  const Position dropped = repair({"1"});
  on_b0();
  EXPECT_FALSE(node("b0").disk().tasks.contains(static_cast<TaskUid>(dropped)));
  EXPECT_TRUE(world_.await(world_.log().failures(dropped))->contains("b0"));
  // Nor after a crash, when the lane looks for the tasks that it may have sent.
  world_.write("books", {"2"}, "newer");
  world_.run_for(Milliseconds(20));
  world_.crash();
  world_.start();
  on_b0();
  EXPECT_EQ(world_.cluster().status("b0").state, ReplicaState::kInSync);
  EXPECT_TRUE(world_.log().taints(1).empty());
}

}  // namespace
}  // namespace miroir
