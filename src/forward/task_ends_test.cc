#include "forward/task_ends.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "forward/filter_slice.h"
#include "forward/forward_world_fake.h"
#include "forward/voiding.h"

namespace miroir {
namespace {

class TaskEndsTest : public testing::Test {
 protected:
  TaskEndsTest() : world_(5, options()) {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", {"1", "2"}, "first"));
  }

  static ForwardWorld::Options options() {
    ForwardWorld::Options options;
    options.nodes_per_group = 1;
    return options;
  }

  void down(bool down) {
    for (auto& [name, node] : world_.nodes) {
      node->options().down = down;
      ASSERT_TRUE(world_.run_until(
          [&, id = name] { return world_.cluster().status(id).healthy == !down; }));
    }
  }

  // As a kill -9 leaves it between what nodes are kept from and the task's end.
  void make_void(Position position) {
    for (const char* node : {"a0", "b0"})
      ASSERT_TRUE(world_.await(world_.log().record_failures({{position, node}}, canceled_by(7))));
  }

  void restart() {
    world_.crash();
    for (auto& [name, node] : world_.nodes) node->options().down = false;
    world_.start();
  }

  void change_row(const std::string& node, const std::map<std::string, Json>& members) {
    MemoryStore::Tables tables = world_.store.snapshot();
    std::string& row = tables[static_cast<std::size_t>(Table::kNode)].at(node);
    Json progress = *parse_json(row);
    for (const auto& [name, value] : members) progress.set(name, value);
    row = to_text(progress);
    world_.store.restore(std::move(tables));
  }

  bool settles() {
    return world_.run_until(
        [&] { return world_.process->forwarders->settled() >= world_.log().head(); }, Seconds(60));
  }

  Position remove_by_filter() { return world_.remove_by_filter("books", Json("v = first")); }

  // Its entries share a task, which is the last one's.
  std::vector<Position> write_in_parts(const std::vector<std::string>& ids) {
    std::vector<Position> parts;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      Entry entry;
      entry.kind = EntryKind::kWriteDocuments;
      entry.index_uid = "books";
      entry.task_type = "documentAdditionOrUpdate";
      entry.task = world_.log().head() + ids.size() - i;
      entry.task_details = Json::object(
          {{"receivedDocuments", std::uint64_t{ids.size()}}, {"indexedDocuments", Json()}});
      const std::string text = R"({"id":")" + ids[i] + R"(","v":"second"})";
      parts.push_back(
          world_.append_records(std::move(entry), {{slot_of(ids[i]), 0, ids[i], text}}));
    }
    return parts;
  }

  ForwardWorld world_;
};

TEST_F(TaskEndsTest, ADeleteByFilterThatWasMadeVoidEndsAfterAKill) {
  down(true);
  const Position removed = remove_by_filter();
  make_void(removed);
  restart();
  EXPECT_TRUE(settles()) << "nothing is trimmed, nor given to those who read the changes";
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "canceled");
  EXPECT_EQ(end.canceled_by, 7U);
  EXPECT_EQ(world_.documents_of_group(0, "books").size(), 2U);
}

TEST_F(TaskEndsTest, WhatWasCancelledFarAheadLeavesNodesCurrentAfterARestart) {
  down(true);
  const Position open = world_.write("books", {"1"}, "second");
  const Position canceled = world_.write("books", {"1"}, "third");
  make_void(canceled);
  ASSERT_TRUE(world_.await(world_.log().end_task(canceled, {"canceled", 1, 1, {}, {}})));
  world_.crash();
  world_.start();
  world_.run_for(Seconds(30));
  EXPECT_LT(world_.process->forwarders->newest_ended(), open);
}

TEST_F(TaskEndsTest, WhatEndsWithoutNodesLeavesThemCurrent) {
  down(true);
  Entry failed;
  failed.kind = EntryKind::kWriteDocuments;
  failed.index_uid = "books";
  failed.task_type = "documentAdditionOrUpdate";
  failed.born_failed = meili::api_error("internal", "nothing was right about it");
  const Position ended = world_.append(std::move(failed));
  EXPECT_EQ(world_.await_task(ended).status, "failed");
  EXPECT_LT(world_.process->forwarders->newest_ended(), ended);
  restart();
  world_.run_for(Seconds(1));
  EXPECT_LE(world_.process->forwarders->newest_ended(), world_.cluster().status("a0").done);
}

// Rows of progress are saved now and then: a kill -9 leaves them behind what was told.
TEST_F(TaskEndsTest, WhatNodesAppliedIsNewestThoughTheirRowsDoNotKnowIt) {
  const Position written = world_.write("books", {"1"}, "second");
  world_.await_task(written);
  world_.crash();
  for (const char* node : {"a0", "b0"})
    change_row(node, {{"done", written - 1}, {"settled", written - 1}});
  for (auto& [name, node] : world_.nodes) node->options().down = true;
  world_.start();
  world_.run_for(Seconds(30));
  EXPECT_EQ(world_.process->forwarders->newest_ended(), written);
}

TEST_F(TaskEndsTest, ATaskThatAClientDeletedStaysDeletedAfterARestart) {
  down(true);
  world_.write("books", {"1"}, "second");  // open: where looking begins
  const Position removed = remove_by_filter();
  make_void(removed);
  ASSERT_TRUE(world_.await(world_.log().end_task(removed, {"canceled", 1, 1, {}, {}})));
  ASSERT_TRUE(world_.await(world_.log().forget_tasks({removed})));
  restart();
  EXPECT_TRUE(settles());
  EXPECT_FALSE(world_.task_end(removed));
}

TEST_F(TaskEndsTest, ATaskThatIsDeletedBeforeItIsSeenToEndStaysDeleted) {
  down(true);
  const Position written = world_.write("books", {"1"}, "second");
  ASSERT_TRUE(world_.await(world_.log().forget_tasks({written})));
  down(false);
  EXPECT_TRUE(settles());
  EXPECT_FALSE(world_.task_end(written));
}

TEST_F(TaskEndsTest, WhatAllOfItsOwnersSkippedEnds) {
  down(true);
  const Position written = world_.write("books", {"1"}, "second");
  world_.crash();
  // As after a disk that was put back, and a log that no longer held it.
  for (const char* node : {"a0", "b0"})
    change_row(node,
               {{"gaps", Json::array({Json::object({{"after", written - 1}, {"to", written}})})}});
  restart();
  EXPECT_TRUE(settles());
  EXPECT_TRUE(world_.task_end(written));
}

// Told before, it would not be taken back: that waits until it failed on every node.
TEST(TaskEndsOfShardsTest, RenameThatFailedOnAllOwnersWaitsForANodeThatOwnsNothing) {
  ForwardWorld::Options options;
  options.shards = 1;
  ForwardWorld world(5, options);
  const std::vector<std::string> owners = world.topology().owners(0);
  const std::string other = owners[0] == "a0" ? "a1" : "a0";
  world.start();
  world.create_index("books");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.nodes.at(other)->options().down = true;
  ASSERT_TRUE(world.run_until([&] { return !world.cluster().status(other).healthy; }));
  world.fail_tasks({"indexUpdate"});
  Entry rename;
  rename.kind = EntryKind::kUpdateIndex;
  rename.task_type = "indexUpdate";
  rename.index_uid = "books";
  rename.arguments = Json::object({{"primaryKey", Json()}, {"newUid", "films"}});
  const Position renamed = world.append(std::move(rename));
  world.run_for(Seconds(40));
  EXPECT_FALSE(world.task_end(renamed));
  EXPECT_EQ(world.await_task(renamed).status, "failed") << "and it is kept from that node";
  world.nodes.at(other)->options().down = false;
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.nodes.at(other)->disk().indexes.count("films"), 0U);
  EXPECT_NE(world.log().catalogue().index("books"), nullptr);
  EXPECT_EQ(world.log().catalogue().index("films"), nullptr);
}

TEST(TaskEndsOfShardsTest, NoTaskEndsBeforeAnEarlierOneOfAShardWhoseOwnersAreAway) {
  ForwardWorld world(5, {});
  const auto owners = [&](const std::string& id) {
    return world.topology().owners(world.topology().shard_of(slot_of(id)));
  };
  const std::string first = "0";
  std::string other = "1";
  const std::vector<std::string> away = owners(first);
  const auto is_away = [&](const std::string& node) { return std::ranges::count(away, node) > 0; };
  while (std::ranges::any_of(owners(other), is_away)) other += "1";
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {first, other}, "first"));
  const auto down = [&](bool down) {
    for (const std::string& name : away) {
      world.nodes.at(name)->options().down = down;
      const auto told = [&, id = name] { return world.cluster().status(id).healthy == !down; };
      ASSERT_TRUE(world.run_until(told));
    }
  };
  down(true);
  const Position earlier = world.write("books", {first}, "second");
  const Position last = world.write("books", {other}, "second");
  const std::string there = owners(other)[0];
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status(there).done >= last; }));
  world.run_for(Seconds(5));
  EXPECT_FALSE(world.task_end(last));
  down(false);
  world.await_task(last);
  EXPECT_TRUE(world.task_end(earlier));
}

TEST_F(TaskEndsTest, AStoreThatCannotBeReadIsNoBeginningOfATask) {
  const auto ends_task = [](const Batch& batch) {
    return std::ranges::any_of(batch.changes(),
                               [](const auto& change) { return change.table == Table::kTask; });
  };
  world_.store.fail_commits(ends_task);
  const std::vector<Position> parts = write_in_parts({"1", "2", "3"});
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.run_for(Seconds(1));
  world_.crash();
  world_.store.fail_commits(nullptr);
  for (const char* node : {"a0", "b0"})
    change_row(node, {{"done", parts[1]}, {"settled", parts[1]}});
  int failures = 1;
  world_.store.fail_reads([&](Table table, const std::string& key) {
    return table == Table::kEntry && key == key_of(parts[1]) && failures-- > 0;
  });
  world_.start();
  EXPECT_EQ(*world_.await_task(parts[2]).details.find("indexedDocuments"), Json(3));
}

TEST_F(TaskEndsTest, ATaskThatIsOpenIsFoundThoughItsGroupWasTakenAway) {
  world_.crash();
  world_.add_group();
  world_.start();
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  for (const char* node : {"a0", "b0"}) {
    world_.nodes.at(node)->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      if (task.type != "documentAdditionOrUpdate") return std::nullopt;
      return "internal";
    });
  }
  // What it was sent it may still apply.
  world_.refuse = [](const std::string& node, const NodeWrite&) {
    return node == "c0" ? std::optional(Error{ErrorCode::kUnavailable, "no answer"}) : std::nullopt;
  };
  const Position failed = world_.write("books", {"1"}, "second");
  world_.run_for(Seconds(5));
  for (const char* node : {"a0", "b0"}) world_.nodes.at(node)->fail_tasks(nullptr);
  world_.write("books", {"2"}, "second");
  world_.run_for(Seconds(5));
  ASSERT_FALSE(world_.task_end(failed));
  world_.crash();
  world_.remove_group();
  world_.start();
  EXPECT_TRUE(settles());
  EXPECT_EQ(world_.await_task(failed).status, "failed");
}

// A delete by filter in two parts. a0 alone does the first, and loses it while b0 is at the second.
class LostPartTest : public testing::Test {
 protected:
  LostPartTest() : world_(5, options()) {
    world_.start();
    world_.create_index("films");
    world_.create_index("books");
    world_.await_task(world_.write("books", {id(0, "a0", "b0"), id(1, "a0", "b0")}, "first"));
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    old_ = node("a0").snapshot();
  }
  static ForwardWorld::Options options() {
    ForwardWorld::Options options;
    options.shards = 64;
    return options;
  }
  SimulatedNode& node(const std::string& name) { return *world_.nodes.at(name); }
  std::string id(std::size_t slice, const std::string& owner, const std::string& other) const {
    for (int id = 0;; ++id) {
      const Slot slot = slot_of(std::to_string(id));
      const auto owners = world_.topology().owners(world_.topology().shard_of(slot));
      if (slot / 32'768 == slice && owners == std::vector{owner, other}) return std::to_string(id);
    }
  }
  Position remove_slice(std::size_t slice) {
    Entry entry;
    entry.kind = EntryKind::kDeleteByFilter;
    entry.index_uid = "books";
    entry.task_type = "documentDeletion";
    entry.task = world_.log().head() + 2 - slice;
    entry.arguments = slice_arguments("v = first", slice, 2);
    entry.task_details = Json::object({{"providedIds", 0}, {"deletedDocuments", Json()}});
    return world_.append(std::move(entry));
  }
  void remove_until_b0_is_at_the_second() {
    world_.fail_tasks({"documentDeletion"}, "b0");
    const Position first = remove_slice(0);
    ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("b0").done >= first; }));
    world_.run_for(Seconds(1));
    world_.fail_tasks({}, "b0");
    node("b0").options().automatic = false;
    last_ = remove_slice(1);
    ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").done >= last_; }));
    ASSERT_TRUE(node("a0").documents("books").empty());
  }
  void expect_told_as_failed() {
    world_.run_for(Seconds(3));
    node("b0").options().automatic = true;
    EXPECT_EQ(world_.await_task(last_).status, "failed");
    const Position incarnation = world_.log().catalogue().index("books")->incarnation;
    const std::string lost = id(0, "a0", "b0");
    EXPECT_FALSE(world_.await(world_.log().tombstone(incarnation, lost))->has_value());
    for (const char* each : {"a0", "b0"}) EXPECT_TRUE(node(each).documents("books").contains(lost));
  }

  ForwardWorld world_;
  SimulatedNode::Disk old_;
  Position last_ = 0;
};

TEST_F(LostPartTest, WhereItsDiskTookALaterEntryTheTaskFails) {
  ASSERT_TRUE(world_.set_down("b1", true));
  world_.fail_tasks({"documentAdditionOrUpdate"}, "a1");
  const Position waits_for_b1 = world_.write("films", {id(0, "a1", "b1")}, "a");
  remove_until_b0_is_at_the_second();
  node("a0").restore(old_);
  world_.write("films", {id(0, "a0", "b0")}, "a");
  expect_told_as_failed();
  EXPECT_FALSE(world_.task_end(waits_for_b1));
}

TEST_F(LostPartTest, WhereItFailsWhenItIsSentAgainTheTaskFails) {
  remove_until_b0_is_at_the_second();
  world_.fail_tasks({"documentDeletion"}, "a0");
  node("a0").restore(old_);
  ASSERT_TRUE(
      world_.await(world_.process->forwarders->recheck("a0", world_.clock.now() + Seconds(5))));
  expect_told_as_failed();
}

}  // namespace
}  // namespace miroir
