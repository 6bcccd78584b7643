#include "forward/forwarders.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

using Options = ForwardWorld::Options;

Options one_node_groups() {
  Options options;
  options.nodes_per_group = 1;
  return options;
}

std::uint64_t count(const TaskEnd& end, std::string_view name) {
  const Json* value = end.details.find(name);
  return value != nullptr && value->is_integer() ? value->as_uint64() : 999'999;
}

TEST(ForwardersTest, WriteReachesItsOwnersAndItsTaskEnds) {
  ForwardWorld world(1, {});
  world.start();
  world.create_index("books");
  const Position task = world.write("books", {"1", "2", "3", "4", "5"}, "a");
  const TaskEnd end = world.await_task(task);
  EXPECT_EQ(end.status, "succeeded");
  EXPECT_EQ(count(end, "receivedDocuments"), 5U);
  EXPECT_EQ(count(end, "indexedDocuments"), 5U);
  EXPECT_GE(end.finished, end.started);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.documents_of_group(0, "books").size(), 5U);
  EXPECT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
  for (const NodeConfig& node : world.topology().nodes()) {
    EXPECT_EQ(world.cluster().status(node.id).state, ReplicaState::kInSync);
    for (const auto& [id, text] : world.nodes.at(node.id)->documents("books")) {
      EXPECT_TRUE(world.topology().owns(node.id, slot_of(id)));
    }
  }
  EXPECT_EQ(world.unlike_the_log(), "");
}

TEST(ForwardersTest, BornFailedEntryEndsAsFailedAndReachesNobody) {
  ForwardWorld world(2, {});
  world.start();
  Entry entry;
  entry.kind = EntryKind::kDropIndex;
  entry.index_uid = "none";
  entry.task_type = "indexDeletion";
  entry.task_details = Json::object({{"deletedDocuments", 0}});
  entry.born_failed = meili::api_error("index_not_found", "Index `none` not found.");
  const TaskEnd end = world.await_task(world.append(std::move(entry)));
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(end.error.find("code")->as_string(), "index_not_found");
  EXPECT_TRUE(world.nodes.at("a0")->disk().tasks.empty());
}

TEST(ForwardersTest, TaskEndsWithoutTheNodeThatIsAwayWhichIsEqualWhenItReturns) {
  ForwardWorld world(3, one_node_groups());
  world.start();
  world.await_task(world.create_index("books"));
  world.nodes.at("b0")->options().down = true;
  ASSERT_EQ(world.await_task(world.write("books", {"1", "2"}, "a")).status, "succeeded");
  ASSERT_EQ(world.await_task(world.remove("books", {"2"})).status, "succeeded");
  EXPECT_FALSE(world.cluster().status("b0").healthy);
  EXPECT_NE(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
  world.nodes.at("b0")->options().down = false;
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }, Seconds(30)));
  EXPECT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kInSync);
}

TEST(ForwardersTest, NoTaskEndsWhileNoOwnerHasEndedIt) {
  ForwardWorld world(4, one_node_groups());
  world.start();
  world.await_task(world.create_index("books"));
  world.nodes.at("a0")->options().down = true;
  world.nodes.at("b0")->options().down = true;
  const Position task = world.write("books", {"1"}, "a");
  world.run_for(Seconds(60));
  EXPECT_FALSE(world.task_end(task));
  world.nodes.at("a0")->options().down = false;
  EXPECT_EQ(world.await_task(task).status, "succeeded");
}

TEST(ForwardersTest, FailureOnOneNodeTaintsThereUntilAWholeWriteIsApplied) {
  ForwardWorld world(5, one_node_groups());
  world.start();
  const Position born = world.create_index("books");
  world.await_task(world.write("books", {"1", "2"}, "a"));
  const Position failing = world.log().head() + 1;
  world.nodes.at("b0")->fail_tasks([&](const NodeTask& task) -> std::optional<std::string> {
    if (task.uid == failing) return "internal";
    return std::nullopt;
  });
  ASSERT_EQ(world.write("books", {"1"}, "b"), failing);
  // Applied on one owner: it happened.
  EXPECT_EQ(world.await_task(failing).status, "succeeded");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.log().tainted(born, "1", "b0"));
  EXPECT_FALSE(world.log().tainted(born, "1", "a0"));
  EXPECT_FALSE(world.log().tainted(born, "2", "b0"));

  world.await_task(world.write("books", {"1"}, "c", EntryKind::kMergeDocuments));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.log().tainted(born, "1", "b0")) << "a PUT does not make a copy whole";

  world.await_task(world.write("books", {"1"}, "d"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_FALSE(world.log().tainted(born, "1", "b0"));
  EXPECT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
}

TEST(ForwardersTest, FailureOnAllOwnersFailsTheTaskAndTaintsNothing) {
  ForwardWorld world(6, one_node_groups());
  world.start();
  const Position born = world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  const Position failing = world.log().head() + 1;
  for (auto& [id, node] : world.nodes) {
    node->fail_tasks([&](const NodeTask& task) -> std::optional<std::string> {
      if (task.uid == failing) return "invalid_document_geo_field";
      return std::nullopt;
    });
  }
  const TaskEnd end = world.await_task(world.write("books", {"1"}, "b"));
  EXPECT_EQ(end.status, "failed");
  ASSERT_NE(end.error.find("code"), nullptr);
  EXPECT_EQ(end.error.find("code")->as_string(), "invalid_document_geo_field");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.log().taints(born).empty());
}

TEST(ForwardersTest, OlderTaintOutlivesAnEntryThatFailedEverywhere) {
  ForwardWorld world(7, one_node_groups());
  world.start();
  const Position born = world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  const Position first = world.log().head() + 1;
  for (auto& [id, node] : world.nodes) {
    node->fail_tasks([&, here = id](const NodeTask& task) -> std::optional<std::string> {
      if (task.uid == first + 1 || (task.uid == first && here == "b0")) return "internal";
      return std::nullopt;
    });
  }
  world.await_task(world.write("books", {"1"}, "b"));
  EXPECT_EQ(world.await_task(world.write("books", {"1"}, "c")).status, "failed");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.log().tainted(born, "1", "b0"));
  EXPECT_FALSE(world.log().tainted(born, "1", "a0"));
}

TEST(ForwardersTest, WipedNodeIsStaleAndRefilledFromTheLog) {
  ForwardWorld world(8, {});
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2", "3", "4", "5", "6"}, "a"));
  world.await_task(world.remove("books", {"3"}));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.run_for(Seconds(5));
  world.nodes.at("a1")->wipe();
  const Position task = world.write("books", {"7", "8", "9"}, "b");
  EXPECT_EQ(world.await_task(task).status, "succeeded");
  ASSERT_TRUE(world.run_until([&] {
    return world.cluster().status("a1").state == ReplicaState::kStale && world.all_done();
  }));
  EXPECT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
  EXPECT_EQ(world.unlike_the_log(), "");
}

TEST(ForwardersTest, NodeRestoredFromAnOlderDiskIsStaleAndCatchesUp) {
  ForwardWorld world(9, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const SimulatedNode::Disk old = world.nodes.at("b0")->snapshot();
  world.await_task(world.write("books", {"1", "3"}, "b"));
  world.await_task(world.remove("books", {"2"}));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.nodes.at("b0")->restore(old);
  auto history =
      world.await(world.process->forwarders->recheck("b0", world.clock.now() + Seconds(5)));
  ASSERT_TRUE(history);
  EXPECT_EQ(history->verdict, History::Verdict::kWentBack);
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kStale);
  EXPECT_FALSE(world.cluster().readable("b0"));
  ASSERT_TRUE(world.run_until(
      [&] {
        return world.all_done() &&
               world.documents_of_group(0, "books") == world.documents_of_group(1, "books");
      },
      Seconds(30)));
  EXPECT_EQ(world.unlike_the_log(), "");
}

TEST(ForwardersTest, WhatFailedEverywhereIsNotSentToANodeThatWentBack) {
  ForwardWorld world(24, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "first"));
  const SimulatedNode::Disk old = world.nodes.at("b0")->snapshot();
  const auto fail_writes = [](const NodeTask& task) -> std::optional<std::string> {
    if (task.type != "documentAdditionOrUpdate") return std::nullopt;
    return "internal";
  };
  for (const std::string node : {"a0", "b0"}) world.nodes.at(node)->fail_tasks(fail_writes);
  EXPECT_EQ(world.await_task(world.write("books", {"1"}, "second")).status, "failed");
  for (const std::string node : {"a0", "b0"}) world.nodes.at(node)->fail_tasks(nullptr);
  world.await_task(world.write("books", {"2"}, "first"));

  world.nodes.at("b0")->restore(old);
  world.run_for(Seconds(2));
  world.await_task(world.write("books", {"3"}, "first"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.documents_of_group(1, "books"), world.documents_of_group(0, "books"));
  EXPECT_NE(world.documents_of_group(1, "books").at("1").find("first"), std::string::npos);
}

TEST(ForwardersTest, ForeignTaskMovesTheOffsetAndNothingIsSkipped) {
  ForwardWorld world(10, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(world.nodes.at("b0")->enqueue(ClearDocuments{"books"}, std::nullopt, ""));
  }
  EXPECT_EQ(world.await_task(world.write("books", {"2"}, "b")).status, "succeeded");
  ASSERT_TRUE(world.run_until([&] {
    return world.cluster().status("b0").state == ReplicaState::kStale && world.all_done();
  }));
  EXPECT_NE(world.cluster().status("b0").state_why.find("somebody else"), std::string::npos);
  EXPECT_EQ(world.cluster().progress("b0").offset, 3);
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("2"));

  world.crash();
  world.start();
  world.await_task(world.write("books", {"3"}, "c"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("3"));
  EXPECT_EQ(world.nodes.at("b0")->disk().tasks.rbegin()->first, world.log().head() + 3);
}

TEST(ForwardersTest, NodeThatJoinsLaterIsFilledFromTheLogAndThenInSync) {
  ForwardWorld world(11, one_node_groups());
  world.nodes.at("b0")->options().down = true;
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2"}, "a"));
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kJoining);
  world.nodes.at("b0")->options().down = false;
  ASSERT_TRUE(world.run_until(
      [&] { return world.cluster().status("b0").state == ReplicaState::kInSync; }, Seconds(60)));
  EXPECT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
}

TEST(ForwardersTest, NodeWithIndexesOfItsOwnJoinsWithoutBeingTrusted) {
  ForwardWorld world(12, one_node_groups());
  ASSERT_TRUE(world.nodes.at("b0")->enqueue(CreateIndex{"old", "id"}, std::nullopt, ""));
  world.nodes.at("b0")->settle();
  world.start();
  world.create_index("books");
  EXPECT_EQ(world.await_task(world.write("books", {"1"}, "a")).status, "succeeded");
  world.run_for(Seconds(30));
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kJoining);
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("1"));
}

TEST(ForwardersTest, NodeWithoutTaskNumbersIsNeverWrittenTo) {
  ForwardWorld world(13, one_node_groups());
  world.nodes.at("b0")->options().speaks_task_ids = false;
  world.start();
  world.create_index("books");
  EXPECT_EQ(world.await_task(world.write("books", {"1"}, "a")).status, "succeeded");
  EXPECT_TRUE(world.nodes.at("b0")->disk().tasks.empty());
  EXPECT_NE(
      world.cluster().status("b0").unhealthy_why.find("--experimental-replication-parameters"),
      std::string::npos);
}

TEST(ForwardersTest, DeleteByFilterDeletesTheRowsThatMatchedAtItsTurn) {
  ForwardWorld world(14, {});
  world.start();
  world.create_index("books");
  world.write("books", {"1", "2", "3", "4", "5", "6", "7"}, "old");
  world.write("books", {"2", "5"}, "new");
  const Position task = world.remove_by_filter("books", Json("v = old"));
  world.write("books", {"3", "9"}, "old");
  const TaskEnd end = world.await_task(task);
  EXPECT_EQ(end.status, "succeeded");
  EXPECT_EQ(count(end, "deletedDocuments"), 5U);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  std::set<std::string> left;
  for (const auto& [id, text] : world.documents_of_group(0, "books")) left.insert(id);
  EXPECT_EQ(left, (std::set<std::string>{"2", "3", "5", "9"}));
  EXPECT_EQ(world.documents_of_group(0, "books"), world.documents_of_group(1, "books"));
  auto entry = world.await(world.log().entry(task));
  ASSERT_TRUE(entry);
  EXPECT_EQ((*entry)->kind, EntryKind::kDeleteDocuments);
  EXPECT_TRUE(world.await(world.log().tombstone((*entry)->incarnation, "1"))->has_value());
}

TEST(ForwardersTest, DeleteByFilterIsNotJudgedByATaintedCopy) {
  ForwardWorld world(15, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2"}, "old"));
  const Position failing = world.log().head() + 1;
  // On the node that would be asked first, document 1 stays "old".
  world.nodes.at("a0")->fail_tasks([&](const NodeTask& task) -> std::optional<std::string> {
    if (task.uid == failing) return "internal";
    return std::nullopt;
  });
  world.await_task(world.write("books", {"1"}, "new"));
  world.await_task(world.remove_by_filter("books", Json("v = old")));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("1"));
  EXPECT_FALSE(world.documents_of_group(1, "books").contains("2"));
}

TEST(ForwardersTest, DeleteByFilterWaitsForTheCopyWithoutTaint) {
  ForwardWorld world(22, one_node_groups());
  world.start();
  world.create_index("books");
  const Position failing = world.log().head() + 1;
  world.nodes.at("a0")->fail_tasks([&](const NodeTask& task) -> std::optional<std::string> {
    if (task.uid == failing) return "internal";
    return std::nullopt;
  });
  world.await_task(world.write("books", {"1"}, "old"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.nodes.at("b0")->options().down = true;
  const Position task = world.remove_by_filter("books", Json("v = old"));
  world.run_for(Seconds(20));
  EXPECT_FALSE(world.task_end(task)) << "a0, which lacks the document, may not judge it";
  world.nodes.at("b0")->options().down = false;
  EXPECT_EQ(count(world.await_task(task), "deletedDocuments"), 1U);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.documents_of_group(1, "books").empty());
}

TEST(ForwardersTest, DeleteByFilterWaitsForItsOnlySourceAndTheLaneWithIt) {
  ForwardWorld world(16, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "old"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.nodes.at("a0")->options().down = true;
  world.nodes.at("b0")->options().down = true;
  world.crash();
  world.start();
  const Position task = world.remove_by_filter("books", Json("v = old"));
  world.run_for(Seconds(20));
  EXPECT_FALSE(world.task_end(task));
  world.nodes.at("b0")->options().down = false;
  EXPECT_EQ(count(world.await_task(task), "deletedDocuments"), 1U);
}

TEST(ForwardersTest, DeleteByFilterGoesOnWhenNoReplicaIsInSync) {
  Options options = one_node_groups();
  options.groups = 1;
  ForwardWorld world(17, options);
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2"}, "old"));
  world.nodes.at("a0")->wipe();
  const Position task = world.remove_by_filter("books", Json("v = old"));
  world.write("books", {"3"}, "old");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }, Seconds(60)));
  EXPECT_TRUE(world.task_end(task));
  EXPECT_EQ(world.documents_of_group(0, "books").size(), 1U);
}

TEST(ForwardersTest, RefusedWriteIsAFailedOutcomeHereAndTheLaneMovesOn) {
  ForwardWorld world(20, one_node_groups());
  world.start();
  const Position born = world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  bool refusing = true;
  world.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node == "b0" && std::exchange(refusing, false)) return Error{ErrorCode::kInvalid, "bad"};
    return std::nullopt;
  };
  const Position refused = world.write("books", {"1"}, "b");
  EXPECT_EQ(world.await_task(refused).status, "succeeded");
  EXPECT_EQ(world.await_task(world.write("books", {"2"}, "c")).status, "succeeded");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.await(world.log().failures(refused))->contains("b0"));
  EXPECT_TRUE(world.log().tainted(born, "1", "b0"));
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("2"));
  EXPECT_FALSE(world.cluster().status("b0").stopped);
}

TEST(ForwardersTest, SeveralRefusalsInARowStopTheLaneAndNothingMoreIsLost) {
  ForwardWorld world(21, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"0"}, "a"));
  bool refusing = true;
  world.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node == "b0" && refusing) return Error{ErrorCode::kInvalid, "bad"};
    return std::nullopt;
  };
  Position last = 0;
  for (int i = 1; i <= 8; ++i) last = world.write("books", {std::to_string(i)}, "b");
  // A stopped lane holds up nobody's task.
  EXPECT_EQ(world.await_task(last).status, "succeeded");
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status("b0").stopped; }));
  EXPECT_LT(world.cluster().status("b0").done, last);
  refusing = false;
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }, Seconds(60)));
  EXPECT_FALSE(world.cluster().status("b0").stopped);
  // Four were refused before it stopped; the rest arrived.
  EXPECT_EQ(world.documents_of_group(1, "books").size(), 9U - 4U);
}

TEST(ForwardersTest, KeysArePutOnEveryNode) {
  ForwardWorld world(18, {});
  world.start();
  Entry entry;
  entry.kind = EntryKind::kPutKey;
  entry.arguments =
      Json::object({{"uid", "11111111-1111-4111-8111-111111111111"}, {"name", "reader"}});
  world.append(entry);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (auto& [id, node] : world.nodes) EXPECT_EQ(node->disk().keys.size(), 1U);
  entry.kind = EntryKind::kDeleteKey;
  world.append(entry);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (auto& [id, node] : world.nodes) EXPECT_TRUE(node->disk().keys.empty());
}

TEST(ForwardersTest, ProgressIsDurableSoonAfterItIsMade) {
  ForwardWorld world(19, one_node_groups());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.run_for(Milliseconds(500));
  for (const auto& [node, row] : world.log().progress()) {
    EXPECT_EQ(row.done, world.log().head());
    EXPECT_EQ(row.acknowledged, world.log().head());
    EXPECT_EQ(row.state, "in_sync");
  }
}

}  // namespace
}  // namespace miroir
