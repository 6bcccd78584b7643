#include <gtest/gtest.h>

#include "cluster/history.h"
#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

// As the log would tell it of that node.
Result<History> history_of_a0(ForwardWorld& world, NodeProgress progress,
                              std::string_view node = "a0") {
  return world.await(check_history(world.cluster().client("a0"), std::move(progress),
                                   {world.log(), node}, world.clock.now() + Seconds(5)));
}

// A rename takes the tasks before it along, and keeps its own under the old name: a swap of what
// was made there since takes that one along.
TEST(OwnTasksTest, RenamesOwnTaskIsKnownByTheOldNameToo) {
  ForwardWorld world(7, {});
  world.start();
  world.create_index("books");
  Entry rename;
  rename.kind = EntryKind::kUpdateIndex;
  rename.index_uid = "books";
  rename.arguments = Json::object({{"primaryKey", nullptr}, {"newUid", "renamed"}});
  const Position renamed = world.append(std::move(rename));
  world.create_index("books");
  world.create_index("other");
  world.swap_indexes("books", "other");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));

  SimulatedNode::Disk disk = world.nodes.at("a0")->snapshot();
  NodeProgress progress = world.cluster().progress("a0");
  progress.acknowledged = renamed - 1;
  progress.acknowledged_at = disk.tasks.at(static_cast<TaskUid>(renamed - 1)).task.enqueued_at;
  for (const auto& [uid, verdict] :
       {std::pair("books", History::Verdict::kOurs), std::pair("renamed", History::Verdict::kOurs),
        std::pair("other", History::Verdict::kOurs),
        std::pair("strangers", History::Verdict::kForeign)}) {
    disk.tasks.at(static_cast<TaskUid>(renamed)).task.index_uid = uid;
    world.nodes.at("a0")->restore(disk);
    const auto history = history_of_a0(world, progress);
    ASSERT_TRUE(history) << history.error().message;
    EXPECT_EQ(history->verdict, verdict) << uid << ": " << history->why;
  }
}

// A lost entry's task came under a number that the log gave again: what a known entry follows is
// there, though the task itself tells nothing.
TEST(OwnTasksTest, SwapBeforeAKnownEntryIsKnownThoughALostOneCameBefore) {
  ForwardWorld world(7, {});
  world.start();
  world.create_index("books");
  world.create_index("other");
  const Position before = world.log().head();
  const Position given_again = world.write("books", {"1"}, "first");
  const EntryStamp stamp = world.log().head_stamp();
  world.swap_indexes("books", "other");
  for (int id = 0; id < 20; ++id) world.write("other", {std::to_string(id)}, "second");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));

  SimulatedNode::Disk disk = world.nodes.at("a0")->snapshot();
  NodeProgress progress = world.cluster().progress("a0");
  progress.acknowledged = before;
  progress.acknowledged_at = disk.tasks.at(static_cast<TaskUid>(before)).task.enqueued_at;
  disk.tasks[static_cast<TaskUid>(given_again)].task = disk.tasks.rbegin()->second.task;
  disk.tasks.at(static_cast<TaskUid>(given_again)).task.uid = static_cast<TaskUid>(given_again);
  disk.tasks.at(static_cast<TaskUid>(given_again)).task.custom_metadata =
      task_metadata({given_again, stamp - 1});
  world.nodes.at("a0")->restore(disk);
  const auto history = history_of_a0(world, progress);
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_EQ(history->lost, given_again);
  EXPECT_EQ(history->resume_after, disk.tasks.rbegin()->first);
}

// A stranger deletes tasks of a node under the number of an entry that deletes tasks of another:
// what follows was not sent to this one yet.
TEST(OwnTasksTest, EntryForAnotherNodeMadeNoTaskHere) {
  ForwardWorld world(7, {});
  world.start();
  world.create_index("books");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const NodeProgress progress = world.cluster().progress("a0");
  Entry forget;
  forget.origin = Origin::kSystem;
  forget.kind = EntryKind::kForgetNodeTasks;
  forget.target = "b0";
  forget.arguments = Json::object({{"first", 1}, {"before", 1}});
  world.append(std::move(forget));
  SimulatedNode::Disk disk = world.nodes.at("a0")->snapshot();
  NodeTask task = disk.tasks.rbegin()->second.task;
  ++task.uid;
  task.type = "taskDeletion";
  task.index_uid.clear();
  disk.tasks[task.uid].task = task;
  world.nodes.at("a0")->restore(disk);
  for (const char* node : {"a0", "b0"}) {
    const auto history = history_of_a0(world, progress, node);
    ASSERT_TRUE(history) << history.error().message;
    EXPECT_EQ(history->resume_after, progress.acknowledged + (node == std::string("b0") ? 1 : 0));
  }
}

// A stranger's deletion explains that the last task is gone, but not that another has its number.
TEST(OwnTasksTest, ADiskThatGaveANumberAgainWasPutBackWhateverWasDeleted) {
  ForwardWorld::Options options;
  options.nodes_per_group = 1;
  ForwardWorld world(7, options);
  world.start();
  world.create_index("books");
  const auto last = static_cast<TaskUid>(world.write("books", {"1"}, "first"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const NodeProgress progress = world.cluster().progress("a0");
  ASSERT_EQ(progress.acknowledged, last);
  world.write("books", {"1"}, "second");
  world.write("books", {"1"}, "third");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));

  SimulatedNode::Disk disk = world.nodes.at("a0")->snapshot();
  const auto give_to_stranger = [&](TaskUid uid, const char* type) {
    NodeTask& task = disk.tasks.at(uid).task;
    task.type = type;
    task.custom_metadata.clear();
    task.enqueued_at = disk.tasks.rbegin()->second.task.enqueued_at;
  };
  give_to_stranger(last, "taskCancelation");
  give_to_stranger(last + 1, "taskDeletion");
  for (const bool given_again : {true, false}) {
    if (!given_again) disk.tasks.erase(last);
    world.nodes.at("a0")->restore(disk);
    const auto history = history_of_a0(world, progress);
    ASSERT_TRUE(history) << history.error().message;
    EXPECT_EQ(history->put_back, given_again) << history->why;
    EXPECT_EQ(history->resume_after, last + 2);
  }
}

}  // namespace
}  // namespace miroir
