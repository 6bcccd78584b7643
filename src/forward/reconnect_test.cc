#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

// A node is started again at the same address, on an empty disk, right after it answered: the next
// request reaches it over a new connection, and nothing fails.
class ReconnectTest : public testing::Test {
 protected:
  ReconnectTest() : world_(7, {}) {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", ids(), "first"));
    MIROIR_ASSERT(world_.run_until([&] { return world_.all_done(); }));
  }
  static std::vector<std::string> ids() {
    std::vector<std::string> ids;
    for (int i = 0; i < 40; ++i) ids.push_back("id" + std::to_string(i));
    return ids;
  }
  std::vector<std::string> ids_of(const std::string& node) const {
    std::vector<std::string> its = ids();
    std::erase_if(
        its, [&](const std::string& id) { return !world_.topology().owns(node, slot_of(id)); });
    return its;
  }
  bool is_noticed() {
    return world_.run_until(
        [&] { return world_.cluster().status("a0").state == ReplicaState::kStale; }, Seconds(5));
  }
  bool is_verified() {
    return world_.await(world_.cluster().verify("a0", world_.clock.now() + Seconds(5))).has_value();
  }
  // The next write reaches the node on another disk.
  void put_back_on_the_way(const SimulatedNode::Disk& disk,
                           EntryKind kind = EntryKind::kWriteDocuments) {
    bool put_back = false;
    world_.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
      if (node == "a0" && !std::exchange(put_back, true)) world_.nodes.at("a0")->restore(disk);
      return std::nullopt;
    };
    const std::uint64_t setbacks = world_.cluster().status("a0").setbacks;
    world_.write("books", ids(), "later", kind);
    EXPECT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").setbacks > setbacks; },
                                 Seconds(5)));
    world_.refuse = nullptr;
  }
  // It failed on all others that own these, and was lost with the disk.
  void expect_did_not_happen(Position lost) {
    EXPECT_EQ(world_.await_task(lost).status, "failed");
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    EXPECT_FALSE(world_.log().any_tainted(world_.log().catalogue().index("books")->incarnation));
  }
  Position rename(const std::string& index, const std::string& name) {
    Entry rename;
    rename.kind = EntryKind::kUpdateIndex;
    rename.index_uid = index;
    rename.arguments = Json::object({{"primaryKey", nullptr}, {"newUid", name}});
    return world_.append(std::move(rename));
  }
  bool is_in_doubt(const std::string& index, const std::string& node) {
    return world_.log().tainted(world_.log().catalogue().indexes().at(index).incarnation, "", node);
  }

  ForwardWorld world_;
};

TEST_F(ReconnectTest, EmptiedNodeIsNoticedBeforeTheNextWrite) {
  world_.nodes.at("a0")->wipe();
  world_.write("books", ids(), "second");
  EXPECT_TRUE(is_noticed());
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "books"), world_.documents_of_group(1, "books"));
}

TEST_F(ReconnectTest, NodeThatWasEmptiedOnTheWayIsNoticed) {
  bool wiped = false;
  world_.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node == "a0" && !std::exchange(wiped, true)) world_.nodes.at("a0")->wipe();
    return std::nullopt;
  };
  world_.write("books", ids(), "second");
  EXPECT_TRUE(is_noticed());
}

// The number that it had there is spent: it cannot be sent again.
TEST_F(ReconnectTest, IndexesAreInDoubtWhereADiskFromBeforeARenamingTookALaterEntry) {
  world_.create_index("films");
  world_.create_index("plays");
  world_.await_task(world_.write("films", ids(), "film"));
  const auto expect_doubt = [&](bool expected, const std::function<Position()>& change) {
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    const SimulatedNode::Disk older = world_.nodes.at("a0")->snapshot();
    const Position missed = change();
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    put_back_on_the_way(older);
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    EXPECT_FALSE(world_.nodes.at("a0")->disk().tasks.contains(static_cast<TaskUid>(missed)));
    for (const std::string index : {"books", "films"})
      EXPECT_EQ(is_in_doubt(index, "a0"), expected) << index;
    EXPECT_FALSE(is_in_doubt("books", "b0"));
  };
  const std::vector<std::function<Position()>> harmless = {
      [&] { return world_.write("films", ids(), "newer"); },
      [&] { return world_.create_index("more"); }};
  const std::vector<std::function<Position()>> renaming = {
      [&] { return world_.swap_indexes("films", "books"); },
      [&] { return world_.drop_index("plays"); }, [&] { return rename("more", "other"); }};
  for (const auto& change : harmless) expect_doubt(false, change);
  for (const auto& change : renaming) {
    expect_doubt(true, change);
    ASSERT_TRUE(world_.await(world_.log().clear_taints(world_.log().index_taints())));
  }
}

// The log knows no index of that name.
TEST_F(ReconnectTest, ADiskFromBeforeADropThatTookALaterEntryCountsAsHavingFailedIt) {
  const Position films = world_.create_index("films");
  const Position plays = world_.create_index("plays");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const SimulatedNode::Disk older = world_.nodes.at("a0")->snapshot();
  const Position dropped = world_.drop_index("films");
  const Position renamed = rename("plays", "other");
  const Position dropped_then = world_.drop_index("other");
  Entry left;  // of which the log does not tell any more whose name it was
  left.kind = EntryKind::kDropIndex;
  left.origin = Origin::kAntiEntropy;
  left.target = "a0";
  left.index_uid = "others";
  const Position dropped_here = world_.append(std::move(left));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  put_back_on_the_way(older);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const auto failed = [&](Position incarnation) {
    return world_.log().taint(incarnation, "", "a0").value_or(Taint()).failed;
  };
  EXPECT_EQ(failed(films), std::vector{dropped});
  EXPECT_EQ(failed(plays), (std::vector{renamed, dropped_then}));
  EXPECT_EQ(failed(0), std::vector{dropped_here});
}

TEST_F(ReconnectTest, ItMayHaveTakenItLongAfter) {
  world_.create_index("films");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const SimulatedNode::Disk older = world_.nodes.at("a0")->snapshot();
  world_.swap_indexes("films", "books");
  for (int i = 0; i < 1'100; ++i) world_.write("books", {ids()[0]}, std::to_string(i));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  put_back_on_the_way(older);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_TRUE(is_in_doubt("books", "a0"));
}

TEST_F(ReconnectTest, ADiskFromWhenAnIndexWasInDoubtThatTookALaterEntryIsInDoubt) {
  const SimulatedNode::Disk older = world_.nodes.at("a0")->snapshot();
  const Position held = world_.log().head();
  world_.await_task(world_.write("books", ids(), "repaired"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const Position incarnation = world_.log().catalogue().index("books")->incarnation;
  ASSERT_TRUE(world_.await(world_.cluster().end_doubts({Taint{incarnation, "", "a0", {held}}})));
  put_back_on_the_way(older);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_TRUE(is_in_doubt("books", "a0"));
}

// What it holds under a name it was sent under that name.
TEST_F(ReconnectTest, AnEmptyDiskThatTookALaterEntryHasNoOtherIndex) {
  world_.create_index("films");
  world_.swap_indexes("films", "books");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  put_back_on_the_way({});
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_FALSE(is_in_doubt("books", "a0"));
}

// Nor is its task seen to end any more; others failed it.
TEST_F(ReconnectTest, WhatADiskThatTookALaterEntryWasToDoDidNotHappen) {
  SimulatedNode& node = *world_.nodes.at("a0");
  const SimulatedNode::Disk older = node.snapshot();
  node.options().automatic = false;
  world_.fail_tasks({"documentAdditionOrUpdate"});
  const Position lost = world_.write("books", ids_of("a0"), "lost");
  for (const std::string peer : {"b0", "b1"}) {
    ASSERT_TRUE(
        world_.run_until([&] { return world_.cluster().status(peer).done >= lost; }, Seconds(5)));
  }
  world_.fail_tasks({});
  put_back_on_the_way(older);
  node.options().automatic = true;
  expect_did_not_happen(lost);
}

TEST_F(ReconnectTest, WhatADiskThatTookALaterEntryHadDoneDidNotHappenWhereOthersFailIt) {
  const SimulatedNode::Disk older = world_.nodes.at("a0")->snapshot();
  for (const std::string peer : {"b0", "b1"}) world_.nodes.at(peer)->options().automatic = false;
  const Position lost = world_.write("books", ids_of("a0"), "lost");
  ASSERT_TRUE(
      world_.run_until([&] { return world_.cluster().status("a0").done >= lost; }, Seconds(5)));
  put_back_on_the_way(older);
  for (const std::string peer : {"b0", "b1"}) {
    SimulatedNode& node = *world_.nodes.at(peer);
    node.options().batch_tasks_max = 1;
    world_.fail_tasks({"documentAdditionOrUpdate"}, peer);
    if (node.disk().tasks.contains(static_cast<TaskUid>(lost))) node.process_next_batch();
    node.fail_tasks(nullptr);
    node.options().automatic = true;
  }
  expect_did_not_happen(lost);
}

TEST_F(ReconnectTest, WhatADiskThatTookALaterEntryLostIsTaintedThereWhereOthersDidIt) {
  const SimulatedNode::Disk older = world_.nodes.at("a0")->snapshot();
  const std::string id = ids_of("a0")[0];
  for (const std::string peer : {"b0", "b1"}) world_.nodes.at(peer)->options().automatic = false;
  const Position lost = world_.write("books", {id}, "lost", EntryKind::kMergeDocuments);
  ASSERT_TRUE(
      world_.run_until([&] { return world_.cluster().status("a0").done >= lost; }, Seconds(5)));
  put_back_on_the_way(older, EntryKind::kMergeDocuments);
  for (const std::string peer : {"b0", "b1"}) world_.nodes.at(peer)->options().automatic = true;
  EXPECT_EQ(world_.await_task(lost).status, "succeeded");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const Position incarnation = world_.log().catalogue().index("books")->incarnation;
  EXPECT_TRUE(world_.log().tainted(incarnation, id, "a0"));
}

TEST_F(ReconnectTest, NewConnectionToTheSameNodeIsNoReasonToLookAtAllItsHistory) {
  int sent = 0;
  world_.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node != "a0") return std::nullopt;
    ++sent;
    world_.nodes.at(node)->restore(world_.nodes.at(node)->snapshot());
    return std::nullopt;
  };
  for (int i = 0; i < 20; ++i) world_.write("books", ids(), std::to_string(i));
  const Instant began = world_.clock.now();
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(sent, 20) << "each once";
  EXPECT_LT(world_.clock.now() - began, Seconds(5)) << "without backing off";
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kInSync);
  EXPECT_TRUE(is_verified());
}

TEST_F(ReconnectTest, TasksThatAnEmptiedNodeLostDidNotEnd) {
  SimulatedNode& node = *world_.nodes.at("a0");
  const SimulatedNode::Disk older = node.snapshot();
  node.options().automatic = false;
  world_.write("books", ids(), "second");
  world_.run_for(Seconds(1));
  world_.crash();
  world_.start();
  world_.run_for(Seconds(1));  // its lane has seen them
  node.restore(older);
  node.options().automatic = true;
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "books"), world_.documents_of_group(1, "books"));
}

}  // namespace
}  // namespace miroir
