// What a node failed, and is to do again because its disk was put back, while its task is open.
#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

class SentAgainTest : public testing::Test {
 protected:
  static ForwardWorld::Options options(int nodes_per_group) {
    ForwardWorld::Options options;
    options.nodes_per_group = nodes_per_group;
    return options;
  }

  void start(ForwardWorld& world) {
    world.start();
    incarnation_ = world.create_index("books");
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }

  // The node fails it, and is done with it once more on its old disk.
  static void put_back(ForwardWorld& world, const std::string& node, Position failed,
                       SimulatedNode::Disk old) {
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status(node).done >= failed; }));
    world.nodes.at(node)->fail_tasks(nullptr);
    world.nodes.at(node)->restore(std::move(old));
    ASSERT_TRUE(
        world.await(world.process->forwarders->recheck(node, world.clock.now() + Seconds(5))));
    world.run_for(Seconds(5));
    ASSERT_GE(world.cluster().status(node).done, failed);
  }

  // Of the document 1, once b0 has ended it too.
  void expect_told_as_the_tombstone_says(ForwardWorld& world, Position removed) {
    world.nodes.at("b0")->options().automatic = true;
    const bool succeeded = world.await_task(removed).status == "succeeded";
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    const auto tombstone = world.await(world.log().tombstone(incarnation_, "1"));
    ASSERT_TRUE(tombstone);
    EXPECT_EQ(tombstone->has_value(), succeeded);
  }

  static std::vector<std::string> owners(const ForwardWorld& world, const std::string& id) {
    return world.topology().owners(world.topology().shard_of(slot_of(id)));
  }
  // Two documents that have an owner in common, and another.
  static std::pair<std::string, std::string> together_in_the_first_group(
      const ForwardWorld& world) {
    const std::vector<std::string> its = owners(world, "0");
    for (int id = 1;; ++id) {
      const std::vector<std::string> others = owners(world, std::to_string(id));
      if (others[0] == its[0] && others[1] != its[1]) return {"0", std::to_string(id)};
    }
  }

  Position incarnation_ = 0;
};

TEST_F(SentAgainTest, ADeleteIsToldAsItsTombstoneSays) {
  ForwardWorld world(3, options(1));
  start(world);
  world.await_task(world.write("books", {"1", "2"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const SimulatedNode::Disk old = world.nodes.at("a0")->snapshot();
  for (const char* node : {"a0", "b0"}) world.fail_tasks({"documentDeletion"}, node);
  world.nodes.at("b0")->options().automatic = false;
  const Position removed = world.remove("books", {"1"});
  put_back(world, "a0", removed, old);
  expect_told_as_the_tombstone_says(world, removed);
}

// Killed right behind that it failed; the old disk still has it in its queue.
TEST_F(SentAgainTest, ADeleteThatTheOldDiskHasYetToDoIsToldAsItsTombstoneSays) {
  ForwardWorld world(3, options(1));
  start(world);
  world.await_task(world.write("books", {"1", "2"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  SimulatedNode& node = *world.nodes.at("a0");
  for (const char* each : {"a0", "b0"}) {
    world.fail_tasks({"documentDeletion"}, each);
    world.nodes.at(each)->options().automatic = false;
  }
  const Position removed = world.remove("books", {"1"});
  const auto last = [&] { return node.disk().tasks.rbegin()->second.task.type; };
  ASSERT_TRUE(world.run_until([&] { return last() == "documentDeletion"; }));
  const SimulatedNode::Disk old = node.snapshot();
  node.options().automatic = true;
  ASSERT_TRUE(world.run_until([&] { return world.log().tainted(incarnation_, "1", "a0"); }));
  world.crash();
  node.fail_tasks(nullptr);
  node.restore(old);
  world.start();
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status("a0").done >= removed; }));
  expect_told_as_the_tombstone_says(world, removed);
}

TEST_F(SentAgainTest, ADropIsToldAsTheCatalogueSays) {
  ForwardWorld world(4, options(1));
  start(world);
  const SimulatedNode::Disk old = world.nodes.at("a0")->snapshot();
  for (const char* node : {"a0", "b0"}) world.fail_tasks({"indexDeletion"}, node);
  world.nodes.at("b0")->options().automatic = false;
  Entry drop;
  drop.kind = EntryKind::kDropIndex;
  drop.task_type = "indexDeletion";
  drop.index_uid = "books";
  drop.incarnation = incarnation_;
  const Position dropped = world.append(drop);
  put_back(world, "a0", dropped, old);
  world.nodes.at("b0")->options().automatic = true;
  const bool succeeded = world.await_task(dropped).status == "succeeded";
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.log().catalogue().index("books") == nullptr, succeeded);
}

// Whether Miroir is there to see it, or is started on it.
class StrangersSettingsTest : public SentAgainTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(MiroirIsAway, StrangersSettingsTest, testing::Bool());

// Such tasks carry no position: what it says tells a stranger's from Miroir's own.
TEST_P(StrangersSettingsTest, AreNotTakenForThoseThatHadTheirNumberBefore) {
  ForwardWorld world(6, options(1));
  start(world);
  SimulatedNode& node = *world.nodes.at("a0");
  const SimulatedNode::Disk old = node.snapshot();
  node.options().automatic = false;
  world.fail_tasks({"settingsUpdate"});
  Entry change;
  change.kind = EntryKind::kUpdateSettings;
  change.task_type = "settingsUpdate";
  change.index_uid = "books";
  const Json settings = Json::object({{"stopWords", Json::array({"the"})}});
  change.arguments =
      Json::object({{"clientSettings", settings},
                    {"settings", settings_for_node(settings, Json::object(), "id")}});
  const Position changed = world.append(std::move(change));
  const auto number = static_cast<TaskUid>(changed);
  ASSERT_TRUE(world.run_until([&] {
    return node.disk().tasks.contains(number) && world.cluster().status("b0").done >= changed;
  }));
  if (GetParam()) world.crash();
  node.fail_tasks(nullptr);
  node.restore(old);
  const UpdateSettings theirs{"books", Json::object({{"stopWords", Json::array({"theirs"})}})};
  ASSERT_EQ(node.enqueue(theirs, std::nullopt, "").value().uid, number);
  node.settle();
  world.fail_tasks({"settingsUpdate"}, "a0");
  node.options().automatic = true;
  if (GetParam()) world.start();
  EXPECT_EQ(world.await_task(changed).status, "failed");
}

// Of its parts only those are sent that did not fail on all owners.
TEST_F(SentAgainTest, APartThatFailedOnAllOwnersIsToldThoughTheOtherWasApplied) {
  ForwardWorld world(5, options(2));
  start(world);
  const auto [one, other] = together_in_the_first_group(world);
  const std::string node = owners(world, one)[0];
  world.await_task(world.write("books", {one, other}, "first"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const SimulatedNode::Disk old = world.nodes.at(node)->snapshot();
  for (const std::string& failing : {node, owners(world, other)[1]})
    world.fail_tasks({"documentAdditionOrUpdate"}, failing);
  SimulatedNode& slow = *world.nodes.at(owners(world, one)[1]);
  slow.options().automatic = false;
  const Position written = world.write("books", {one, other}, "second");
  ASSERT_TRUE(world.run_until(
      [&] { return world.cluster().status(owners(world, other)[1]).done >= written; }));
  put_back(world, node, written, old);
  slow.options().automatic = true;
  const TaskEnd end = world.await_task(written);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_NE(world.documents_of_group(0, "books").at(other).find("first"), std::string::npos);
  EXPECT_EQ(end.status, "failed");
}

// The whole write of the one did not happen, so it ends no earlier failure.
TEST_F(SentAgainTest, APartThatFailedOnAllOwnersEndsNoTaintWhenTheOtherIsApplied) {
  ForwardWorld world(5, options(2));
  start(world);
  const auto [one, other] = together_in_the_first_group(world);
  const std::string node = owners(world, one)[0];
  world.await_task(world.write("books", {one, other}, "first"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.fail_tasks({"documentAdditionOrUpdate"}, node);
  world.await_task(world.write("books", {one}, "missed", EntryKind::kMergeDocuments));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_TRUE(world.log().tainted(incarnation_, one, node));
  const SimulatedNode::Disk old = world.nodes.at(node)->snapshot();
  world.fail_tasks({"documentAdditionOrUpdate"}, owners(world, one)[1]);
  const Position written = world.write("books", {one, other}, "second");
  world.await_task(written);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.log().tainted(incarnation_, one, node));
  put_back(world, node, written, old);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_NE(world.documents_of_group(0, "books").at(other).find("second"), std::string::npos);
  EXPECT_EQ(world.documents_of_group(0, "books").at(one).find("second"), std::string::npos);
  EXPECT_TRUE(world.log().tainted(incarnation_, one, node)) << "the PUT is still missing there";
}

}  // namespace
}  // namespace miroir
