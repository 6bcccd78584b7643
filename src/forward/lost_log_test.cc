// The log is an older copy, and knows neither what the nodes did since nor which tasks were
// deleted.
#include <gtest/gtest.h>

#include <algorithm>

#include "cluster/own_tasks.h"
#include "forward/forward_world_fake.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

class LostLogTest : public ::testing::Test {
 protected:
  LostLogTest() : world_(7, options()) {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", {"1"}, "old"));
    settle();
  }
  static ForwardWorld::Options options() {
    ForwardWorld::Options options;
    options.nodes_per_group = 1;
    options.task_delay_max = Microseconds(100);
    options.forward.node_tasks_kept = 2;
    options.forward.tasks_forgotten_at_once = 2;
    return options;
  }

  // Until the nodes' rows are saved.
  void settle() {
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    world_.run_for(Seconds(1));
  }
  void hold_tasks(bool hold) {
    for (auto& [name, node] : world_.nodes) node->options().automatic = !hold;
    world_.run_for(Seconds(1));
  }
  // As a client's: settings come with it.
  Position create(const std::string& uid) {
    const Position position = world_.create_index(uid);
    Entry entry;
    entry.origin = Origin::kSystem;
    entry.kind = EntryKind::kUpdateSettings;
    entry.index_uid = uid;
    entry.arguments =
        Json::object({{"clientSettings", Json::object()},
                      {"settings", settings_for_node(Json::object(), Json::object(), "id")}});
    world_.append(std::move(entry));
    return position;
  }
  Position stop_word(const std::string& word) {
    const IndexState& index = *world_.log().catalogue().index("books");
    const Json change = Json::object({{"stopWords", Json::array({word})}});
    const Json after = merge_settings(index.settings, change);
    Entry entry;
    entry.kind = EntryKind::kUpdateSettings;
    entry.task_type = "settingsUpdate";
    entry.index_uid = "books";
    entry.arguments = Json::object({{"clientSettings", after},
                                    {"change", change},
                                    {"before", index.settings},
                                    {"previous", index.settings_version},
                                    {"settings", settings_for_node(after, index.settings, "id")}});
    return world_.append(std::move(entry));
  }

  MemoryStore::Tables copy() {
    if (world_.process) head_ = world_.log().head();
    return world_.store.snapshot();
  }
  void write_on() {
    for (int n = 0; n < 8; ++n) world_.await_task(world_.write("books", {"1"}, "new"));
  }
  // Until no node has a task that the copy knows.
  void forget_tasks() {
    const auto forgotten = [&](const auto& node) {
      return node.second->disk().tasks.begin()->first > head_;
    };
    ASSERT_TRUE(world_.run_until([&] { return std::ranges::all_of(world_.nodes, forgotten); }));
  }
  void put_back(const MemoryStore::Tables& tables) {
    restart_on(tables);
    await_told();
  }
  void restart_on(const MemoryStore::Tables& tables, bool is_cut = false) {
    if (world_.process && !is_cut_) settle();
    world_.crash();
    cut(is_cut);
    world_.store.restore(tables);
    world_.start();
  }
  void cut(bool is_cut) {
    is_cut_ = is_cut;
    for (auto& [name, network] : world_.networks) network.cut = is_cut;
  }
  void await_told() {
    for (const auto& [name, node] : world_.nodes) {
      const auto told = [&] {
        return world_.cluster().status(name).state_why.starts_with("the log went back");
      };
      EXPECT_TRUE(world_.run_until(told, Seconds(60))) << world_.cluster().status(name).state_why;
    }
    world_.run_for(Seconds(5));
  }
  void expect_held(const std::string& uid, const std::string& id, const std::string& value) {
    for (const auto& [name, node] : world_.nodes) {
      const auto documents = node->documents(uid);
      ASSERT_TRUE(documents.contains(id)) << name;
      EXPECT_NE(documents.at(id).find(value), std::string::npos) << documents.at(id);
    }
  }
  // Miroir dies once more, before a node told.
  void restart() {
    world_.run_for(Seconds(10));
    restart_on(world_.store.snapshot(), true);
  }
  // By a copy that lacks so many entries.
  void expect_taken_is_sent(int lost, bool restarted = false) {
    const MemoryStore::Tables older = copy();
    for (int n = 0; n < lost; ++n) world_.await_task(world_.write("books", {"1"}, "new"));
    restart_on(older, true);
    const Position one = world_.write("books", {"2"}, "taken");
    const Position other = world_.write("books", {"3"}, "taken");
    if (restarted) restart();
    cut(false);
    await_told();
    expect_held("books", "1", "new");
    expect_held("books", "2", "taken");
    expect_held("books", "3", "taken");
    EXPECT_EQ(world_.await_task(one).status, "succeeded");
    EXPECT_EQ(world_.await_task(other).status, "succeeded");
  }

  ForwardWorld world_;
  Position head_ = 0;  // of the copy
  bool is_cut_ = false;
};

TEST_F(LostLogTest, NodeWhoseTasksALostEntryDeletedIsNotSentTheLogAgain) {
  const MemoryStore::Tables older = copy();
  write_on();
  forget_tasks();
  put_back(older);
  expect_held("books", "1", "new");
}

TEST_F(LostLogTest, WhatWasUnderWayInTheCopyIsNotSentAgainToNodesThatTell) {
  world_.remove("books", {"1"});
  const MemoryStore::Tables older = copy();
  write_on();
  forget_tasks();
  put_back(older);
  expect_held("books", "1", "new");
}

TEST_F(LostLogTest, WhatACopyHoldsIsNotSentToNodesThatCameLater) {
  world_.remove("books", {"1"});
  settle();
  world_.crash();
  const MemoryStore::Tables older = copy();
  world_.add_group();
  world_.start();
  settle();
  write_on();
  put_back(older);
  expect_held("books", "1", "new");
}

// Once of another Miroir, whose indexes were deleted: its tasks are all that is left of that.
TEST_F(LostLogTest, WhoJoinsEmptyTellsNothingOfTheLog) {
  settle();
  world_.crash();
  world_.add_group();
  SimulatedNode& added = *world_.nodes.at("c0");
  for (const Position position : {Position{5}, Position{2'000'000}}) {
    WriteDocuments write{.index_uid = "films",
                         .primary_key = "id",
                         .merge = false,
                         .skip_creation = false,
                         .ndjson = "{\"id\":\"9\"}\n"};
    ASSERT_TRUE(added.enqueue(std::move(write), std::nullopt, task_metadata({position, 77})));
  }
  ASSERT_TRUE(added.enqueue(DropIndex{"films"}, std::nullopt, ""));
  added.settle();
  world_.start();
  const auto is_in_sync = [&](const auto& node) {
    return world_.cluster().status(node.first).state == ReplicaState::kInSync;
  };
  EXPECT_TRUE(
      world_.run_until([&] { return std::ranges::all_of(world_.nodes, is_in_sync); }, Seconds(60)))
      << world_.cluster().status("c0").state_why;
  EXPECT_GT(world_.log().head(), 2'000'000);
  expect_held("books", "1", "old");
}

// A lost swap gave the copy's last task another name.
TEST_F(LostLogTest, WhatALostSwapRenamedIsNotSentAgain) {
  create("films");
  settle();
  const Position dropped = world_.drop_index("films");
  const MemoryStore::Tables older = copy();
  create("films");
  world_.await_task(world_.write("films", {"2"}, "new"));
  world_.await_task(world_.swap_indexes("films", "books"));
  settle();
  world_.crash();
  for (auto& [name, node] : world_.nodes) {
    SimulatedNode::Disk disk = node->snapshot();
    disk.tasks.at(static_cast<TaskUid>(dropped)).task.index_uid = "books";
    node->restore(std::move(disk));
  }
  put_back(older);
  expect_held("films", "1", "old");
  expect_held("books", "2", "new");
}

TEST_F(LostLogTest, WhatVanishedFromNodesThatTellDidNotFail) {
  hold_tasks(true);
  const Position removed = world_.remove("books", {"1"});
  const Position made = create("films");
  world_.run_for(Seconds(1));
  const MemoryStore::Tables older = copy();
  hold_tasks(false);
  world_.await_task(world_.write("films", {"2"}, "new"));
  write_on();
  forget_tasks();
  put_back(older);
  expect_held("films", "2", "new");
  for (const Position position : {removed, made}) {
    const auto failures = world_.await(world_.log().failures(position));
    ASSERT_TRUE(failures);
    EXPECT_TRUE(failures->empty()) << position;
    EXPECT_EQ(world_.await_task(position).status, "succeeded");
  }
}

// Under numbers that the lost log had given too: to more entries than it, or to fewer.
TEST_F(LostLogTest, WhatIsTakenBeforeNodesTellIsSent) { expect_taken_is_sent(8); }
TEST_F(LostLogTest, WhatIsTakenBeforeNodesTellIsSentWhereLessIsLost) { expect_taken_is_sent(1); }

TEST_F(LostLogTest, WhatIsTakenBeforeNodesTellIsSentThoughMiroirIsRestarted) {
  expect_taken_is_sent(8, true);
}
TEST_F(LostLogTest, WhatIsTakenBeforeNodesTellIsSentThoughMiroirIsRestartedWhereLessIsLost) {
  expect_taken_is_sent(1, true);
}

// The clock was ahead when the lost entries were taken, and the first of them are no documents.
TEST_F(LostLogTest, WhatIsTakenByAClockThatWasSetBackIsSentThoughMiroirIsRestarted) {
  world_.options.forward.node_tasks_kept = 100;
  restart_on(copy());
  const MemoryStore::Tables older = copy();
  world_.clock.set_wall_offset(Seconds(3'600));
  world_.await_task(stop_word("a"));
  world_.await_task(stop_word("b"));
  world_.await_task(world_.write("books", {"1"}, "new"));
  settle();
  world_.clock.set_wall_offset(Seconds(0));
  restart_on(older, true);
  const Position taken = world_.write("books", {"2"}, "taken");
  restart();
  cut(false);
  await_told();
  expect_held("books", "1", "new");
  expect_held("books", "2", "taken");
  EXPECT_EQ(world_.await_task(taken).status, "succeeded");
}

// Neither the swap's task nor a row of the copy tells that this run of Miroir reached b0.
TEST_F(LostLogTest, WhatANodeDidAfterTheCopyWithoutDocumentsIsNotSentAgain) {
  create("films");
  world_.await_task(world_.write("films", {"2"}, "film"));
  settle();
  world_.networks.at("b0").cut = true;
  world_.run_for(Seconds(10));
  world_.crash();
  world_.start();
  world_.await_task(world_.swap_indexes("films", "books"));
  const MemoryStore::Tables older = copy();
  world_.networks.at("b0").cut = false;
  settle();
  write_on();
  put_back(older);
  expect_held("films", "1", "old");
  expect_held("books", "2", "film");
}

// Somebody deleted those that would tell, and not the last one that the copy's row knows.
TEST_F(LostLogTest, WhatANodeDidAfterTheCopyIsNotSentAgainWhereItsTasksWereDeleted) {
  world_.options.forward.node_tasks_kept = 100;
  world_.networks.at("b0").cut = true;
  world_.run_for(Seconds(10));
  world_.crash();
  world_.start();
  world_.await_task(world_.write("books", {"1"}, "older"));
  const MemoryStore::Tables older = copy();
  world_.networks.at("b0").cut = false;
  write_on();
  settle();
  SimulatedNode::Disk disk = world_.nodes.at("b0")->snapshot();
  std::erase_if(disk.tasks, [&](const auto& task) { return task.first >= head_; });
  world_.nodes.at("b0")->restore(std::move(disk));
  ASSERT_TRUE(world_.nodes.at("b0")->enqueue(ForgetTasks{1, 2}, std::nullopt, ""));
  world_.nodes.at("b0")->settle();
  world_.run_for(Seconds(10));
  world_.await_task(world_.write("books", {"2"}, "new"));
  put_back(older);
  expect_held("books", "1", "new");
}

// Its disk was put back, and somebody else took a number, after the row that the copy has.
class OtherNumbersTest : public LostLogTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(MoreIsLost, OtherNumbersTest, testing::Bool());

TEST_P(OtherNumbersTest, WhatFailedUnderAnotherNumberThanTheCopySaysFailed) {
  world_.options.forward.node_tasks_kept = 100;
  world_.crash();
  world_.start();
  SimulatedNode& node = *world_.nodes.at("b0");
  SimulatedNode::Disk before = node.snapshot();
  world_.await_task(world_.write("books", {"2"}, "kept"));
  settle();
  ASSERT_TRUE(world_.set_down("b0", true));
  node.restore(std::move(before));
  ASSERT_TRUE(node.enqueue(CreateIndex{"strange", {}}, std::nullopt, ""));
  world_.fail_tasks({"documentDeletion"});
  const Position removed = world_.remove("books", {"2"});
  world_.run_for(Seconds(1));
  const MemoryStore::Tables older = copy();
  ASSERT_TRUE(world_.set_down("b0", false));
  EXPECT_EQ(world_.await_task(removed).status, "failed");
  world_.fail_tasks({});
  if (GetParam()) write_on();
  restart_on(older);
  EXPECT_EQ(world_.await_task(removed).status, "failed");
  expect_held("books", "2", "kept");
}

class NewLogTest : public LostLogTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Restarted, NewLogTest, testing::Bool());

TEST_P(NewLogTest, WhatItTakesBeforeNodesTellIsSent) {
  write_on();
  restart_on({}, true);
  world_.create_index("books");
  const Position written = world_.write("books", {"2"}, "taken");
  if (GetParam()) restart();
  cut(false);
  await_told();
  expect_held("books", "2", "taken");
  EXPECT_EQ(world_.await_task(written).status, "succeeded");
}

// A request of the Miroir that died was still on its way when the nodes were looked at.
TEST_F(LostLogTest, WhatComesLateUnderANumberThatWasGivenAgainIsTold) {
  const MemoryStore::Tables older = copy();
  std::map<std::string, SimulatedNode::Disk> before;
  for (auto& [name, node] : world_.nodes) before[name] = node->snapshot();
  world_.await_task(world_.write("books", {"1"}, "new"));
  settle();
  std::map<std::string, std::string> late;
  for (auto& [name, node] : world_.nodes) {
    late[name] = node->disk().tasks.rbegin()->second.task.custom_metadata;
    node->restore(before.at(name));
  }
  restart_on(older);
  settle();
  for (auto& [name, node] : world_.nodes) {
    WriteDocuments write{.index_uid = "books",
                         .primary_key = "id",
                         .merge = false,
                         .skip_creation = false,
                         .ndjson = "{\"id\":\"9\"}\n"};
    ASSERT_TRUE(node->enqueue(std::move(write), std::nullopt, late.at(name)));
  }
  world_.write("books", {"1"}, "taken");
  await_told();
  expect_held("books", "1", "taken");
}

// It was then, and what clients changed since is lost.
TEST_F(LostLogTest, NothingIsTakenBackOnNodesThatTell) {
  hold_tasks(true);
  world_.fail_tasks({"settingsUpdate"});
  const Position failed = stop_word("failed");
  world_.run_for(Seconds(1));
  const MemoryStore::Tables older = copy();
  hold_tasks(false);
  EXPECT_EQ(world_.await_task(failed).status, "failed");
  world_.fail_tasks({});
  settle();
  world_.await_task(stop_word("new"));
  write_on();
  put_back(older);
  EXPECT_EQ(world_.await_task(failed).status, "failed");
  for (const auto& [name, node] : world_.nodes) {
    const Json& settings = node->disk().indexes.at("books").settings;
    EXPECT_NE(to_text(settings).find("new"), std::string::npos) << name << to_text(settings);
  }
}

}  // namespace
}  // namespace miroir
