#include "forward/voiding.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <set>

#include "forward/forward_world_fake.h"
#include "node_api/simulated_reads_fake.h"

namespace miroir {
namespace {

class VoidingTest : public testing::Test {
 protected:
  VoidingTest() : world_(3, options()) {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", {"1", "2"}, "first"));
  }

  static ForwardWorld::Options options() {
    ForwardWorld::Options options;
    options.nodes_per_group = 1;
    return options;
  }

  void down(const std::string& node, bool down) {
    world_.nodes.at(node)->options().down = down;
    ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status(node).healthy == !down; }));
  }

  // Requests on their way when the node went away: whether they arrived is not known.
  void lose_documents(const std::set<std::string>& nodes) {
    world_.refuse = [nodes](const std::string& node, const NodeWrite& write) {
      const bool lost = nodes.contains(node) && std::holds_alternative<WriteDocuments>(write);
      return lost ? std::optional(Error{ErrorCode::kUnavailable, "no answer"}) : std::nullopt;
    };
  }

  void fail_documents(const std::string& node) {
    world_.nodes.at(node)->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      if (task.type != "documentAdditionOrUpdate") return std::nullopt;
      return "invalid_document_fields";
    });
  }

  // At the next opportunity; counts what was cancelled.
  void begin_cancel(Position task, std::size_t& canceled) {
    const auto announce = [this, &canceled](std::size_t count, Voided) -> Async<Result<Position>> {
      canceled = count;
      co_return world_.log().head() + 1;
    };
    boost::asio::co_spawn(
        *world_.process->io,
        [](ForwardWorld& world, Position its, auto told) -> Async<void> {
          EXPECT_TRUE(co_await world.process->forwarders->cancel({its}, told));
        }(world_, task, announce),
        boost::asio::detached);
  }

  // How many of the tasks were cancelled, by which task.
  std::pair<std::size_t, Position> cancel(std::vector<Position> tasks) {
    std::size_t canceled = 0;
    const Position by = world_.log().head() + 1;
    const auto announce = [&](std::size_t count, Voided voided) -> Async<Result<Position>> {
      canceled = count;
      auto position = co_await world_.append_cancelation(std::move(voided));
      announced_ = world_.store.snapshot();
      co_return position;
    };
    EXPECT_TRUE(world_.await(world_.process->forwarders->cancel(std::move(tasks), announce)));
    return {canceled, by};
  }

  std::string value(const std::string& node, const std::string& id) {
    const auto documents = world_.nodes.at(node)->documents("books");
    const auto found = documents.find(id);
    if (found == documents.end()) return "absent";
    return found->second.find("first") != std::string::npos ? "first" : "second";
  }

  bool tainted(const std::string& id) {
    const Position books = world_.log().catalogue().index("books")->incarnation;
    return world_.log().tainted(books, id, "a0") || world_.log().tainted(books, id, "b0");
  }

  ForwardWorld world_;
  MemoryStore::Tables announced_;  // what is durable when a cancellation is
};

TEST_F(VoidingTest, WhatWasAnnouncedAsCancelledIsThoughMiroirCrashesThen) {
  lose_documents({"a0", "b0"});
  world_.write("books", {"1"}, "first");
  world_.run_for(Seconds(1));
  down("a0", true);
  down("b0", true);
  const Position write = world_.write("books", {"1"}, "second");
  const Position remove = world_.remove("books", {"2"});
  const auto [canceled, by] = cancel({write, remove});
  EXPECT_EQ(canceled, 2U);
  world_.crash();
  world_.store.restore(announced_);
  lose_documents({});
  world_.start();
  down("a0", false);
  down("b0", false);
  for (const Position task : {write, remove}) {
    EXPECT_EQ(world_.await_task(task).status, "canceled");
    EXPECT_EQ(world_.task_end(task)->canceled_by, by);
  }
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  for (const char* node : {"a0", "b0"})
    for (const char* id : {"1", "2"}) EXPECT_EQ(value(node, id), "first");
  for (const char* id : {"1", "2"}) EXPECT_FALSE(tainted(id));
}

TEST_F(VoidingTest, WhatNoNodeWasSentIsCancelledAndNeverSent) {
  lose_documents({"a0", "b0"});
  const Position sent = world_.write("books", {"1"}, "second");
  world_.run_for(Seconds(1));
  down("a0", true);
  down("b0", true);
  const Position write = world_.write("books", {"1"}, "second");
  const Position merge = world_.write("books", {"2"}, "second", EntryKind::kMergeDocuments);
  const Position remove = world_.remove("books", {"2"});
  const auto [canceled, by] = cancel({sent, write, merge, remove});
  EXPECT_EQ(canceled, 3U);
  EXPECT_FALSE(world_.task_end(sent));
  for (Position task : {write, merge, remove}) {
    ASSERT_TRUE(world_.task_end(task)) << "at once, whoever is away";
    EXPECT_EQ(world_.task_end(task)->status, "canceled");
    EXPECT_EQ(world_.task_end(task)->canceled_by, by);
    EXPECT_TRUE(world_.task_end(task)->error.is_null());
  }
  EXPECT_EQ(cancel({write}).first, 0U) << "it is cancelled already";

  lose_documents({});
  down("a0", false);
  down("b0", false);
  world_.await_task(world_.write("books", {"3"}, "first"));
  for (const std::string node : {"a0", "b0"}) {
    EXPECT_EQ(value(node, "1"), "second");
    EXPECT_EQ(value(node, "2"), "first");
    EXPECT_FALSE(world_.nodes.at(node)->disk().tasks.contains(static_cast<TaskUid>(write)));
  }
  EXPECT_FALSE(tainted("1") || tainted("2"));
  const Position books = world_.log().catalogue().index("books")->incarnation;
  EXPECT_FALSE(*world_.await(world_.log().tombstone(books, "2"))) << "nothing was deleted";
}

TEST_F(VoidingTest, ACancellationOutlivesTheProcess) {
  down("a0", true);
  down("b0", true);
  world_.write("books", {"1"}, "second");
  const Position write = world_.write("books", {"2"}, "second");
  ASSERT_EQ(cancel({write}).first, 1U);
  world_.crash();
  world_.nodes.at("a0")->options().down = false;
  world_.nodes.at("b0")->options().down = false;
  world_.start();
  world_.await_task(world_.write("books", {"3"}, "first"));
  EXPECT_EQ(value("a0", "1"), "second");
  EXPECT_EQ(value("a0", "2"), "first");
  EXPECT_EQ(value("b0", "2"), "first");
  EXPECT_EQ(world_.task_end(write)->status, "canceled");
}

// a0 went on past it, which no row says; b0 stands right before it, and could tell.
TEST_F(VoidingTest, ACancelledDeleteByFilterIsNotLookedUp) {
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  down("a0", true);
  down("b0", true);
  const Position removed = world_.remove_by_filter("books", "v = first");
  ASSERT_EQ(cancel({removed}).first, 1U);
  const Position write = world_.write("books", {"3"}, "first");
  const MemoryStore::Tables before = world_.store.snapshot();
  down("a0", false);
  ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").done >= write; }));
  world_.crash();
  world_.store.restore(before);
  world_.start();
  ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").done >= write; }));
  world_.run_for(Seconds(20));
  // Asked before its lane looks, it answers when that has passed it.
  world_.answer_time = Seconds(10);
  world_.answer_documents = [&](const std::string& name, const DocumentQuery& query) {
    return simulated_documents(*world_.nodes.at(name), query);
  };
  lose_documents({"b0"});
  world_.nodes.at("b0")->options().down = false;
  world_.cluster().report_healthy("b0");
  world_.run_for(Seconds(20));
  lose_documents({});
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const Position books = world_.log().catalogue().index("books")->incarnation;
  for (const char* id : {"1", "2"})
    EXPECT_FALSE(*world_.await(world_.log().tombstone(books, id))) << "nothing was deleted";
  EXPECT_EQ(world_.await_task(removed).status, "canceled");
  EXPECT_EQ(value("b0", "1"), "first");
}

TEST_F(VoidingTest, ACancellationOutlivesANodesOlderDisk) {
  const SimulatedNode::Disk old = world_.nodes.at("a0")->snapshot();
  down("a0", true);
  down("b0", true);
  world_.write("books", {"1"}, "second");
  const Position write = world_.write("books", {"2"}, "second");
  ASSERT_EQ(cancel({write}).first, 1U);
  down("a0", false);
  down("b0", false);
  world_.await_task(world_.write("books", {"3"}, "first"));
  world_.nodes.at("a0")->restore(old);
  world_.run_for(Seconds(2));
  world_.await_task(world_.write("books", {"4"}, "first"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done() && value("a0", "4") == "first"; }));
  EXPECT_EQ(value("a0", "1"), "second");
  EXPECT_EQ(value("a0", "2"), "first") << "replayed without what was cancelled";
}

TEST_F(VoidingTest, WhatIsCancelledWhileANewNodesLaneAsksWhatBecameOfItIsNotSent) {
  world_.crash();
  world_.add_group();
  world_.nodes.at("c0")->options().down = true;
  world_.start();
  ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").healthy; }));
  down("a0", true);
  down("b0", true);
  world_.write("books", {"2"}, "second");
  world_.run_for(Seconds(1));
  const Position write = world_.write("books", {"1"}, "second");
  bool asked = false;
  std::size_t canceled = 0;
  world_.store.fail_reads([&](Table table, const std::string& key) {
    if (table == Table::kOutcome && key == key_of(write) && !std::exchange(asked, true))
      begin_cancel(write, canceled);
    return false;
  });
  down("c0", false);
  ASSERT_TRUE(world_.run_until([&] { return canceled > 0; }));
  down("a0", false);
  down("b0", false);
  world_.await_task(world_.write("books", {"3"}, "first"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.task_end(write)->status, "canceled");
  for (const char* node : {"a0", "b0", "c0"}) EXPECT_EQ(value(node, "1"), "first") << node;
}

TEST_F(VoidingTest, NothingIsCancelledThatIndexesCountOn) {
  down("a0", true);
  down("b0", true);
  world_.write("books", {"1"}, "second");
  const Position create = world_.create_index("films");
  Entry clear;
  clear.kind = EntryKind::kClearDocuments;
  clear.index_uid = "books";
  clear.task_type = "documentDeletion";
  EXPECT_EQ(cancel({create, world_.append(std::move(clear))}).first, 0U);
}

TEST_F(VoidingTest, WhatFailedWhereItEndedIsKeptFromAnOwnerThatIsAway) {
  fail_documents("a0");
  down("b0", true);
  const Position write = world_.write("books", {"1"}, "second");
  const TaskEnd end = world_.await_task(write);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(*end.error.find("code"), Json("invalid_document_fields"));
  EXPECT_EQ(end.error.find(kNeverSent), nullptr);
  EXPECT_FALSE(tainted("1"));

  down("b0", false);
  world_.nodes.at("a0")->fail_tasks(nullptr);
  world_.await_task(world_.write("books", {"3"}, "first"));
  EXPECT_EQ(value("b0", "1"), "first");
  EXPECT_EQ(value("a0", "1"), "first");
}

TEST_F(VoidingTest, WhatMayHaveBeenSentStaysOpenUntilItsNodeTells) {
  fail_documents("a0");
  lose_documents({"b0"});
  const Position write = world_.write("books", {"1"}, "second");
  world_.run_for(Seconds(1));
  down("b0", true);
  world_.run_for(Seconds(60));
  EXPECT_FALSE(world_.task_end(write));
  lose_documents({});
  down("b0", false);
  EXPECT_EQ(world_.await_task(write).status, "succeeded");
  EXPECT_EQ(value("b0", "1"), "second");
  EXPECT_TRUE(tainted("1"));
}

}  // namespace
}  // namespace miroir
