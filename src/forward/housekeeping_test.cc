// What those who run the nodes do to them besides writing.
#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

constexpr const char* kSnapshot = "snapshotCreation";

class HousekeepingTest : public testing::Test {
 protected:
  HousekeepingTest() {
    world_.start();
    world_.create_index("books");
    world_.create_index("films");
    world_.await_task(world_.write("books", {"1", "2"}, "book"));
    world_.await_task(world_.write("films", {"1", "2"}, "film"));
    settle();
  }
  static ForwardWorld::Options options() {
    ForwardWorld::Options options;
    options.nodes_per_group = 1;
    options.task_delay_max = Microseconds(100);
    return options;
  }
  void settle() {
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    world_.run_for(Seconds(5));
  }
  void forget_tasks(SimulatedNode& node, TaskUid first, TaskUid before) {
    ASSERT_TRUE(node.enqueue(ForgetTasks{first, before}, std::nullopt, ""));
    node.settle();
  }
  // Since then a stranger's task has the number of the last one sent, and those before are gone.
  void put_back_and_delete_tasks(const SimulatedNode::Disk& old) {
    const TaskUid last = node_.disk().next_uid - 1;
    node_.restore(old);
    while (node_.disk().next_uid <= last) node_.make_task("taskCancelation");
    forget_tasks(node_, 0, last);
  }
  // As everybody looks who looks again.
  ReplicaState state_after_a_write(const std::string& node) {
    world_.write("books", {"3"}, "later");
    settle();
    return world_.cluster().status(node).state;
  }

  ForwardWorld world_{5, options()};
  SimulatedNode& node_ = *world_.nodes.at("a0");
};

TEST_F(HousekeepingTest, TasksThatChangeNoIndexLeaveTheNodesInSync) {
  for (const char* type : {kSnapshot, "dumpCreation", "export", "indexCompaction",
                           "upgradeDatabase", "taskDeletion"}) {
    for (auto& [name, node] : world_.nodes) node->make_task(type);
    for (const char* name : {"a0", "b0"})
      EXPECT_EQ(state_after_a_write(name), ReplicaState::kInSync)
          << type << ": " << world_.cluster().status(name).state_why;
  }
  EXPECT_EQ(node_.documents("books").size(), 3U);
  world_.crash();
  world_.start();
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kInSync);
}

// Where it then was, the store cannot take; it answers all the same, and what it lacks is kept.
TEST_F(HousekeepingTest, WhereTheStoreIsFullTheNodesAreNotAway) {
  node_.make_task(kSnapshot);
  world_.write("books", {"3"}, "later");
  world_.store.fill_disk(true);
  for (int second = 0; second < 10; ++second) {
    world_.run_for(Seconds(1));
    EXPECT_TRUE(world_.cluster().status("a0").healthy) << second;
  }
  world_.store.fill_disk(false);
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kInSync);
  EXPECT_EQ(node_.documents("books").size(), 3U);
}

TEST_F(HousekeepingTest, WhatChangesAnIndexOrMayIsNoticed) {
  for (const char* type : {"documentAdditionOrUpdate", "documentDeletion", "settingsUpdate",
                           "indexSwap", "taskCancelation", "networkTopologyChange"}) {
    for (const bool among_others : {false, true}) {
      ForwardWorld world(5, options());
      world.start();
      world.create_index("books");
      ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
      SimulatedNode& node = *world.nodes.at("a0");
      if (among_others) node.make_task(kSnapshot);
      node.make_task(type);
      if (among_others) node.make_task(kSnapshot);
      world.write("books", {"1"}, "a");
      ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
      EXPECT_EQ(world.cluster().status("a0").state, ReplicaState::kStale) << type;
    }
  }
}

// The copy has what is sent after such a task, and the node's row from before.
TEST_F(HousekeepingTest, WhatFollowsThemAndTellsItsPositionIsKnownThoughTheStoreIsPutBack) {
  node_.make_task(kSnapshot);
  node_.make_task(kSnapshot);
  world_.write("books", {"3"}, "later");
  const MemoryStore::Tables copy = world_.store.snapshot();
  settle();
  const TaskUid next = node_.disk().next_uid;
  world_.crash();
  world_.store.restore(copy);
  world_.start();
  settle();
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kInSync)
      << world_.cluster().status("a0").state_why;
  EXPECT_EQ(node_.documents("books").size(), 3U);
  EXPECT_EQ(node_.disk().next_uid, next) << "sent again";
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kInSync);
}

TEST_F(HousekeepingTest, AStrangersSwapAmongThemIsNotTheOneThatWaits) {
  node_.make_task(kSnapshot);
  node_.make_task("indexSwap");
  world_.swap_indexes("books", "films");
  settle();
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
}

// By its number it would have been sent, had Miroir seen what came before it.
TEST_F(HousekeepingTest, AStrangersSwapAmongThemIsNotTheOneThatWaitsThoughMiroirRestarts) {
  for (const bool canceled : {false, true}) {
    ForwardWorld world(5, options());
    SimulatedNode& node = *world.nodes.at("a0");
    world.start();
    for (const char* name : {"books", "films", "plays"}) {
      world.create_index(name);
      world.await_task(world.write(name, {"1", "2"}, name));
    }
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    world.run_for(Seconds(5));
    for (const char* name : {"a0", "b0"}) ASSERT_TRUE(world.set_down(name, true));
    if (canceled) {
      const Position position = world.write("books", {"3"}, "later");
      const auto announce = [&](std::size_t, Voided voided) {
        return world.append_cancelation(std::move(voided));
      };
      ASSERT_TRUE(world.await(world.process->forwarders->cancel({position}, announce)));
    }
    world.swap_indexes("books", "films");
    world.run_for(Seconds(1));
    world.crash();
    for (int i = 0; i < (canceled ? 3 : 1); ++i) node.make_task(kSnapshot);
    ASSERT_TRUE(node.enqueue(SwapIndexes{{{"books", "plays", false}}}, std::nullopt, ""));
    node.settle();
    world.start();
    for (const char* name : {"a0", "b0"}) ASSERT_TRUE(world.set_down(name, false));
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    EXPECT_EQ(world.cluster().status("a0").state, ReplicaState::kStale) << canceled;
  }
}

// By its number it would have been sent, had what waits before it not been.
TEST_F(HousekeepingTest, AStrangersTaskAmongThemIsNotOneThatWaitsBehindOthers) {
  ASSERT_TRUE(world_.set_down("a0", true));
  world_.write("books", {"3"}, "later");
  world_.create_index("plays");
  world_.run_for(Seconds(1));
  world_.crash();
  node_.options().down = false;
  node_.make_task(kSnapshot);
  node_.make_task(kSnapshot);
  ASSERT_TRUE(node_.enqueue(CreateIndex{"plays", "id"}, std::nullopt, ""));
  node_.settle();
  world_.start();
  settle();
  EXPECT_EQ(node_.documents("books").size(), 3U);
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
}

TEST_F(HousekeepingTest, DeletionOfOldTasksLeavesTheNodeInSync) {
  forget_tasks(node_, 0, node_.disk().next_uid - 1);
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kInSync);
}

TEST_F(HousekeepingTest, AWriteWhoseTaskIsDeletedIsNoticed) {
  const TaskUid written = node_.disk().next_uid;
  node_.make_task("documentAdditionOrUpdate");
  node_.make_task(kSnapshot);
  forget_tasks(node_, written, written + 1);
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kStale);
}

// The documents are older than what the log keeps of bodies: what is done again to them is not
// followed by themselves.
TEST_F(HousekeepingTest, WhereTheFinishedTasksAreDeletedEverywhereNothingIsDoneAgain) {
  world_.swap_indexes("books", "films");
  world_.clear("films");
  world_.await_task(world_.write("films", {"4"}, "film"));
  settle();
  const auto books = node_.documents("books");
  const auto films = node_.documents("films");
  ASSERT_EQ(films.size(), 1U);
  for (auto& [name, node] : world_.nodes) forget_tasks(*node, 0, node->disk().next_uid);
  const TaskUid deletion = node_.disk().next_uid - 1;
  const Position newest = world_.write("films", {"5"}, "film");
  settle();
  EXPECT_EQ(node_.documents("books"), books);
  EXPECT_EQ(node_.documents("films").size(), 2U);
  EXPECT_EQ(node_.disk().tasks.size(), 2U) << "the deletion and the write";
  EXPECT_EQ(node_.disk().tasks.rbegin()->first, deletion + 1);
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale) << "it is compared";
  EXPECT_EQ(world_.task_end(newest)->status, "succeeded");
}

// Or while Miroir is dead, all that nodes had ended; or all but what they are at.
TEST_F(HousekeepingTest, WhatWasUnderWayWhenItsTaskWasDeletedEverywhereDidNotFail) {
  for (const bool all : {true, false}) {
    const auto books = node_.documents("books");
    const auto films = node_.documents("films");
    for (auto& [name, node] : world_.nodes) node->options().automatic = false;
    const Position swapped = world_.swap_indexes("books", "films");
    world_.create_index(all ? "one" : "other");
    world_.run_for(Seconds(1));
    world_.crash();
    for (auto& [name, node] : world_.nodes) {
      forget_tasks(*node, 0, node->disk().next_uid - (all ? 0 : 1));
      node->options().automatic = true;
    }
    world_.start();
    EXPECT_EQ(world_.await_task(swapped).status, "succeeded");
    settle();
    EXPECT_EQ(node_.documents("books"), films);
    EXPECT_EQ(node_.documents("films"), books);
    for (const char* name : {"a0", "b0"})
      EXPECT_EQ(world_.cluster().status(name).state, ReplicaState::kStale) << "it is compared";
  }
}

TEST_F(HousekeepingTest, ATaskThatIsGoneEndsAlsoWhereEachRequestOpensAConnection) {
  node_.options().keeps_connections = false;
  node_.options().automatic = false;
  const Position written = world_.write("books", {"4"}, "a");
  world_.run_for(Seconds(1));
  world_.crash();
  forget_tasks(node_, 0, node_.disk().next_uid - 1);
  forget_tasks(node_, 0, node_.disk().next_uid);
  node_.options().automatic = true;
  world_.start();
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }, Seconds(60)));
  EXPECT_EQ(world_.await_task(written).status, "succeeded");
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale) << "it is compared";
}

// A disk that was put back lacks what came after it, whoever deleted its tasks.
TEST_F(HousekeepingTest, WhereTheFinishedTasksOfAnOlderDiskAreDeletedItIsSentTheLog) {
  const SimulatedNode::Disk old = node_.snapshot();
  world_.await_task(world_.write("films", {"4"}, "film"));
  world_.await_task(world_.write("films", {"5"}, "film"));
  settle();
  node_.restore(old);
  forget_tasks(node_, 0, node_.disk().next_uid);
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kStale);
  EXPECT_EQ(node_.documents("films").size(), 4U);
}

// Numbers are given once: a task that somebody deleted left its own to nobody.
TEST_F(HousekeepingTest, AnOlderDiskThatGaveTheNumberAgainIsSentWhatIsOpenWhateverWasDeleted) {
  const SimulatedNode::Disk old = node_.snapshot();
  node_.options().automatic = false;
  world_.fail_tasks({"documentAdditionOrUpdate"});
  const Position open = world_.write("films", {"4"}, "film");
  ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("b0").done >= open; }));
  world_.run_for(Seconds(1));
  world_.crash();
  put_back_and_delete_tasks(old);
  node_.options().automatic = true;
  world_.start();
  EXPECT_EQ(world_.await_task(open).status, "failed");
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale) << "it is compared";
  EXPECT_TRUE(world_.log().index_taints().empty());
}

// Nothing tells whether that disk is from before the swap.
TEST_F(HousekeepingTest, AnOlderDiskWhoseTasksWereDeletedIsInDoubtWhereThereWasASwap) {
  const SimulatedNode::Disk old = node_.snapshot();
  world_.swap_indexes("books", "films");
  settle();
  put_back_and_delete_tasks(old);
  EXPECT_EQ(state_after_a_write("a0"), ReplicaState::kStale);
  EXPECT_EQ(world_.log().index_taints().size(), 2U);
}

}  // namespace
}  // namespace miroir
