// What the log does not hold any more: for nodes that need it, and for those who ask what became of
// it.
#include <gtest/gtest.h>

#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

using Options = ForwardWorld::Options;

Options forgetful() {
  Options options;
  options.nodes_per_group = 1;
  options.log.retention_age = std::chrono::hours(1);
  options.log.tasks_kept = 5;
  return options;
}

void down(ForwardWorld& world, const std::string& node, bool down) {
  ASSERT_TRUE(world.set_down(node, down));
}

TEST(ForgottenTest, ANodeThatMissedForgottenEntriesIsNotInSync) {
  ForwardWorld world(1, forgetful());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  down(world, "b0", true);
  for (int n = 0; n < 5; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
  world.run_for(std::chrono::hours(2));
  // Young bodies after the gap: nothing that is read tells of it.
  for (int n = 0; n < 4; ++n) world.await_task(world.write("books", {"3"}, std::to_string(n)));
  world.run_for(std::chrono::minutes(2));
  ASSERT_GT(world.log().forgotten(), 4U);
  world.crash();
  world.start();
  world.run_for(Seconds(5));
  const Gauge lag =
      world.process->metrics.gauge("miroir_forwarder_lag_seconds", "", {{"node_id", "b0"}});
  EXPECT_GE(lag.value(), 120) << "the oldest that is left is counted";
  down(world, "b0", false);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kStale);
  EXPECT_FALSE(world.documents_of_group(1, "books").contains("2")) << "the reconciler brings it";
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("3"));
}

TEST(ForgottenTest, ANodeAwayForLongerThanTheLogIsKeptIsHealedByComparison) {
  ForwardWorld world(22, forgetful());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  world.nodes.at("b0")->options().down = true;
  world.await_task(world.write("books", {"2"}, "a"));
  world.run_for(std::chrono::minutes(50));
  EXPECT_GT(world.log().bytes(), 0U) << "it may still come back";
  world.run_for(std::chrono::minutes(20));
  EXPECT_EQ(world.log().bytes(), 0U);
  world.nodes.at("b0")->options().down = false;
  ASSERT_TRUE(
      world.run_until([&] { return world.cluster().status("b0").state == ReplicaState::kStale; }));
  world.await_task(world.write("books", {"3"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_FALSE(world.documents_of_group(1, "books").contains("2")) << "the reconciler brings it";
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("3"));
}

TEST(ForgottenTest, ANodeWhoseLaneIsStoppedKeepsTheLogNoLongerThanOneThatIsAway) {
  ForwardWorld world(22, forgetful());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  world.refuse = [](const std::string& node, const NodeWrite&) {
    return node == "b0" ? std::optional(Error{ErrorCode::kInvalid, "bad"}) : std::nullopt;
  };
  for (int i = 0; i < 8; ++i) world.write("books", {"2"}, "a");
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status("b0").stopped; }));
  world.run_for(std::chrono::minutes(50));
  EXPECT_GT(world.log().bytes(), 0U) << "it may still take them";
  world.run_for(std::chrono::minutes(20));
  EXPECT_EQ(world.log().bytes(), 0U);
  EXPECT_TRUE(world.cluster().progress("b0").missed_entries());
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kStale);
  world.refuse = nullptr;
  world.await_task(world.write("books", {"3"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("3"));
}

TEST(ForgottenTest, NothingIsForgottenThatNoNodeHereHas) {
  ForwardWorld world(23, forgetful());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  for (const std::string node : {"a0", "b0"}) world.nodes.at(node)->options().down = true;
  const Position task = world.write("books", {"2"}, "a");
  world.run_for(std::chrono::hours(3));
  for (const std::string node : {"a0", "b0"}) world.nodes.at(node)->options().down = false;
  EXPECT_EQ(world.await_task(task).status, "succeeded");
}

TEST(ForgottenTest, WhatNoNodeHasAnyMoreIsKeptUntilOneHasItAgain) {
  Options options = forgetful();
  options.groups = 1;
  ForwardWorld world(1, options);
  SimulatedNode& node = *world.nodes.at("a0");
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  const SimulatedNode::Disk old = node.snapshot();
  world.await_task(world.write("books", {"2"}, "a"));
  world.run_for(std::chrono::minutes(2));
  node.options().full = true;  // so that it is not sent at once what it lacks
  node.restore(old);
  world.write("books", {"3"}, "a");
  world.run_for(std::chrono::hours(2));
  ASSERT_EQ(world.cluster().status("a0").state, ReplicaState::kStale);
  node.options().full = false;
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_TRUE(world.documents_of_group(0, "books").contains("2"));
}

// Whether an index took another's name among them, nobody knows any more.
TEST(ForgottenTest, WhereEvenOperationsOnIndexesAreForgottenAllOfTheNodesAreInDoubt) {
  for (const std::uint64_t kept : {0U, 10U}) {
    Options options = forgetful();
    options.log.operations_kept = kept;
    ForwardWorld world(6, options);
    world.start();
    for (const char* uid : {"books", "films"}) {
      world.create_index(uid);
      world.await_task(world.write(uid, {uid}, "a"));
    }
    down(world, "b0", true);
    world.swap_indexes("books", "films");
    for (int n = 0; n < 10; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
    world.run_for(std::chrono::hours(2));
    world.await_task(world.write("books", {"3"}, "young"));
    world.run_for(std::chrono::minutes(2));
    ASSERT_GT(world.log().forgotten(), 5U);
    ASSERT_EQ(world.log().operations_forgotten() > 0, kept == 0);
    world.crash();  // what is in memory is not forgotten yet
    world.start();
    down(world, "b0", false);
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    for (const char* uid : {"books", "films"}) {
      const Position incarnation = world.log().catalogue().index(uid)->incarnation;
      EXPECT_EQ(world.log().tainted(incarnation, "", "b0"), kept == 0) << uid;
    }
    EXPECT_EQ(world.documents_of_group(1, "films").contains("books"), kept > 0) << "swapped";
  }
}

TEST(ForgottenTest, ADiskThatTookALaterEntryMayLackASwapThatIsForgotten) {
  Options options = forgetful();
  options.log.operations_kept = 0;
  ForwardWorld world(6, options);
  world.start();
  for (const char* uid : {"books", "films"}) {
    world.create_index(uid);
    world.await_task(world.write(uid, {uid}, "a"));
  }
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const SimulatedNode::Disk older = world.nodes.at("b0")->snapshot();
  const Position swapped = world.swap_indexes("books", "films");
  for (int n = 0; n < 10; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
  world.run_for(std::chrono::hours(2));
  ASSERT_GE(world.log().operations_forgotten(), swapped);
  world.crash();  // what is in memory is not forgotten yet
  world.start();
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  bool put_back = false;
  world.refuse = [&](const std::string& node, const NodeWrite&) -> std::optional<Error> {
    if (node == "b0" && !std::exchange(put_back, true)) world.nodes.at("b0")->restore(older);
    return std::nullopt;
  };
  world.await_task(world.write("books", {"3"}, "later"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const Position incarnation = world.log().catalogue().index("books")->incarnation;
  EXPECT_TRUE(world.log().tainted(incarnation, "", "b0"));
}

TEST(ForgottenTest, AKeyThatWasDeletedLongAgoIsDeletedOnANodeThatWasAway) {
  ForwardWorld world(6, forgetful());
  world.start();
  world.create_index("books");
  const Json key = Json::object({{"uid", "k"}, {"name", "n"}});
  Entry put;
  put.kind = EntryKind::kPutKey;
  put.arguments = key;
  world.append(std::move(put));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_TRUE(world.nodes.at("b0")->disk().keys.contains("k"));
  down(world, "b0", true);
  Entry gone;
  gone.kind = EntryKind::kDeleteKey;
  gone.arguments = Json::object({{"uid", "k"}});
  const Position deleted = world.append(std::move(gone));
  for (int n = 0; n < 9; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
  world.run_for(std::chrono::hours(2));
  ASSERT_GT(world.log().forgotten(), deleted);
  down(world, "b0", false);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_FALSE(world.nodes.at("b0")->disk().keys.contains("k"));
}

// What a delete was to take away is still known by what it left.
TEST(ForgottenTest, ADeleteThatFailedEverywhereDidNotHappenThoughItsBodyIsTrimmed) {
  Options options;
  options.log.retention_age = Seconds(5);
  options.forward.trim_interval = Seconds(1);
  ForwardWorld world(3, options);
  const std::vector<std::string> owners =
      world.topology().owners(world.topology().shard_of(slot_of("1")));
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (auto& [name, node] : world.nodes) {
    node->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      if (task.type != "documentDeletion") return std::nullopt;
      return "internal";
    });
  }
  SimulatedNode& away = *world.nodes.at(owners[1]);
  away.options().automatic = false;
  const std::size_t tasks = away.disk().tasks.size();
  const Position removed = world.remove("books", {"1"});
  const Position incarnation = world.log().catalogue().index("books")->incarnation;
  ASSERT_TRUE(world.run_until([&] {
    return world.log().tainted(incarnation, "1", owners[0]) && away.disk().tasks.size() > tasks;
  }));
  down(world, owners[1], true);
  away.options().automatic = true;
  world.run_for(Seconds(20));
  ASSERT_GE(world.log().trimmed(), removed);
  down(world, owners[1], false);
  EXPECT_EQ(world.await_task(removed).status, "failed");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const auto tombstone = world.await(world.log().tombstone(incarnation, "1"));
  ASSERT_TRUE(tombstone);
  EXPECT_FALSE(tombstone->has_value());
  EXPECT_FALSE(world.log().tainted(incarnation, "1", owners[0]));
  EXPECT_FALSE(world.log().tainted(incarnation, "", owners[1]));
}

TEST(ForgottenTest, FailuresAreKeptUntilTheirTaskHasEnded) {
  ForwardWorld world(3, forgetful());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (auto& [name, node] : world.nodes) {
    node->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      if (task.type != "documentDeletion") return std::nullopt;
      return "internal";
    });
  }
  SimulatedNode& away = *world.nodes.at("b0");
  away.options().automatic = false;
  const std::size_t tasks = away.disk().tasks.size();
  const Position removed = world.remove("books", {"1"});
  const Position incarnation = world.log().catalogue().index("books")->incarnation;
  world.write("books", {"3"}, "so that b0's row does not keep the entry");
  ASSERT_TRUE(world.run_until([&] {
    return world.log().tainted(incarnation, "1", "a0") && away.disk().tasks.size() > tasks + 1;
  }));
  down(world, "b0", true);
  world.run_for(Seconds(10));
  world.crash();
  world.start();
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status("a0").healthy; }));
  world.write("books", {"1"}, "so that a0's taint does not either");
  for (int n = 0; n < 9; ++n) world.write("books", {"2"}, std::to_string(n));
  world.run_for(std::chrono::hours(2));
  ASSERT_GE(world.log().trimmed(), world.log().head() - 1);
  EXPECT_LT(world.log().forgotten(), removed);
  ASSERT_FALSE(world.task_end(removed)) << "b0 may have carried it out";
  away.options().automatic = true;
  down(world, "b0", false);
  EXPECT_EQ(world.await_task(removed).status, "failed");
  world.run_for(std::chrono::hours(2));
  EXPECT_GT(world.log().forgotten(), removed);
}

TEST(ForgottenTest, WhatWasSkippedIsNotApplied) {
  ForwardWorld world(2, forgetful());
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  down(world, "b0", true);
  for (int n = 0; n < 5; ++n) world.await_task(world.write("books", {"2"}, std::to_string(n)));
  world.run_for(std::chrono::hours(2));
  world.nodes.at("a0")->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type != "documentAdditionOrUpdate") return std::nullopt;
    return "internal";
  });
  const Position young = world.write("books", {"4"}, "a");
  world.run_for(Seconds(5));
  down(world, "b0", false);
  EXPECT_EQ(world.await_task(young).status, "succeeded") << "only what is gone is skipped";
  EXPECT_TRUE(world.documents_of_group(1, "books").contains("4"));
}

// It failed on the one owner that was there, and is gone before the other could be kept from it.
TEST(ForgottenTest, WhatFailedAndWasSkippedDidNotHappen) {
  Options options;
  options.nodes_per_group = 1;
  options.log.retention_age = Seconds(20);
  ForwardWorld world(5, options);
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1"}, "a"));
  down(world, "b0", true);
  world.nodes.at("a0")->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type != "documentAdditionOrUpdate") return std::nullopt;
    return "internal";
  });
  const Position failed = world.write("books", {"1"}, "b");
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status("a0").done >= failed; }));
  const Position books = world.log().catalogue().index("books")->incarnation;
  EXPECT_EQ(world.log().taints(books).size(), 1U);
  ASSERT_TRUE(world.run_until([&] { return world.log().trimmed() >= failed; }, Seconds(50)));
  ASSERT_FALSE(world.task_end(failed)) << "b0 is awaited";
  down(world, "b0", false);
  EXPECT_EQ(world.await_task(failed).status, "failed");
  EXPECT_TRUE(world.cluster().progress("b0").skipped(failed));
  EXPECT_TRUE(world.log().taints(books).empty());
}

// What a0 fails while b0 is away, and b0 skips.
class SkippedFailuresTest : public ::testing::Test {
 protected:
  SkippedFailuresTest() {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", {"1"}, "a"));
    down(world_, "b0", true);
    world_.nodes.at("a0")->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      if (!task.type.starts_with("document")) return std::nullopt;
      return "internal";
    });
  }
  static Options options() {
    Options options;
    options.nodes_per_group = 1;
    options.log.retention_age = Seconds(20);
    return options;
  }
  void skip() {
    const Position head = world_.log().head();
    ASSERT_TRUE(world_.run_until([&] { return world_.log().trimmed() >= head; }, Seconds(60)));
    down(world_, "b0", false);
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    ASSERT_TRUE(world_.cluster().progress("b0").skipped(head));
  }
  Position incarnation() { return world_.log().catalogue().index("books")->incarnation; }

  ForwardWorld world_{6, options()};
};

TEST_F(SkippedFailuresTest, DeletesBeforeAnotherFailureAreTakenBack) {
  world_.remove("books", {"1"});
  world_.remove("books", {"1"});
  world_.write("books", {"1"}, "b");
  ASSERT_TRUE(world_.await(world_.log().tombstone(incarnation(), "1")).value());
  skip();
  EXPECT_FALSE(world_.await(world_.log().tombstone(incarnation(), "1")).value());
}

TEST_F(SkippedFailuresTest, EachOfSeveralFailuresOfADocumentDidNotHappen) {
  for (const char* body : {"b", "c", "d"})
    world_.write("books", {"1"}, body, EntryKind::kMergeDocuments);
  const auto failures = [&] {
    const std::vector<Taint> taints = world_.log().taints(incarnation());
    return taints.empty() ? 0U : taints.front().failed.size();
  };
  ASSERT_TRUE(world_.run_until([&] { return failures() == 3; }));
  skip();
  EXPECT_EQ(failures(), 0U);
}

TEST_F(SkippedFailuresTest, AnIndexIsNotInDoubtForADeleteAllThatDidNotHappen) {
  world_.write("books", {"1"}, "0", EntryKind::kMergeDocuments);
  Entry clear;
  clear.kind = EntryKind::kClearDocuments;
  clear.index_uid = "books";
  const Position cleared = world_.append(std::move(clear));
  world_.write("books", {"1"}, "b", EntryKind::kMergeDocuments);
  ASSERT_TRUE(world_.run_until([&] { return !world_.log().index_taints().empty(); }));
  skip();
  ASSERT_TRUE(world_.cluster().progress("b0").skipped(cleared));
  EXPECT_TRUE(world_.log().index_taints().empty());
}

TEST_F(SkippedFailuresTest, AnOperationThatDidNotHappenIsNotSentToWhoSkippedIt) {
  world_.create_index("films");
  world_.fail_tasks({"indexSwap"}, "a0");
  world_.write("books", {"2"}, "b");
  const Position swapped = world_.swap_indexes("books", "films");
  world_.write("books", {"1"}, "b");
  ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").done > swapped; }));
  ASSERT_FALSE(world_.task_end(swapped)) << "b0 is awaited";
  skip();
  ASSERT_TRUE(world_.cluster().progress("b0").skipped(swapped));
  EXPECT_FALSE(world_.nodes.at("b0")->disk().tasks.contains(static_cast<TaskUid>(swapped)));
}

TEST_F(SkippedFailuresTest, WhatANodeAppliedBetweenTwoGapsItDoesNotLack) {
  world_.fail_tasks({});
  const Position first = world_.write("books", {"1"}, "b");
  skip();
  const auto proven =
      world_.await(world_.cluster().prove_in_sync("b0", world_.cluster().status("b0").setbacks));
  ASSERT_TRUE(proven) << proven.error().message;
  const Position between = world_.write("books", {"1"}, "c");
  world_.await_task(between);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  down(world_, "b0", true);
  const Position second = world_.write("books", {"1"}, "d");
  skip();
  const NodeProgress progress = world_.cluster().progress("b0");
  EXPECT_TRUE(progress.lacks(first));
  EXPECT_FALSE(progress.lacks(between));
  EXPECT_TRUE(progress.lacks(second));
}

TEST(ForgottenTest, ANodeThatJoinsLaterIsNotSentWhatWasCancelledOrFailedBefore) {
  Options options;
  options.nodes_per_group = 1;
  ForwardWorld world(3, options);
  world.nodes.at("b0")->options().down = true;
  world.start();
  world.create_index("books");
  world.nodes.at("a0")->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type != "documentAdditionOrUpdate") return std::nullopt;
    return "internal";
  });
  EXPECT_EQ(world.await_task(world.write("books", {"1"}, "a")).status, "failed");
  world.nodes.at("a0")->fail_tasks(nullptr);
  world.await_task(world.write("books", {"2"}, "a"));
  down(world, "b0", false);
  ASSERT_TRUE(
      world.run_until([&] { return world.cluster().status("b0").state == ReplicaState::kInSync; }));
  world.await_task(world.write("books", {"3"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.documents_of_group(1, "books"), world.documents_of_group(0, "books"));
  EXPECT_EQ(world.documents_of_group(1, "books").size(), 2U);
  world.crash();
  world.start();
  world.await_task(world.write("books", {"4"}, "a"));
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kInSync);
}

TEST(ForgottenTest, TasksUnderWayOnARestoredDiskAreWatchedToTheirEnd) {
  Options options;
  options.nodes_per_group = 1;
  options.task_delay_max = Seconds(60);
  ForwardWorld world(4, options);
  world.start();
  world.create_index("books");
  for (int n = 0; n < 5; ++n) world.write("books", {std::to_string(n)}, "a");
  world.run_for(Milliseconds(500));
  const SimulatedNode::Disk old = world.nodes.at("b0")->snapshot();  // enqueued, not ended
  for (int n = 5; n < 9; ++n) world.write("books", {std::to_string(n)}, "a");
  world.run_for(Milliseconds(500));
  world.nodes.at("b0")->restore(old);
  ASSERT_TRUE(
      world.run_until([&] { return world.cluster().status("b0").state == ReplicaState::kStale; }));
  const Position newest_kept = old.tasks.rbegin()->first;
  ASSERT_FALSE(
      world.nodes.at("b0")->disk().tasks.at(static_cast<TaskUid>(newest_kept)).task.ended());
  EXPECT_LT(world.cluster().status("b0").done, newest_kept) << "they have not ended";
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(world.documents_of_group(1, "books"), world.documents_of_group(0, "books"));
}

// A log that was lost, and begins with indexes as the nodes held them, fills no node.
TEST(ForgottenTest, EmptyNodeIsNotInSyncByReplayWhereARecoveryTookAnIndexOver) {
  for (const bool recovered : {false, true}) {
    ForwardWorld world(9, {});
    for (const char* name : {"b0", "b1"}) world.nodes.at(name)->options().down = true;
    world.start();
    world.create_index("books");
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status("a0").done > 0; }));
    if (recovered) world.take_over_index("books");
    world.await_task(world.write("books", {"1"}, "a"));
    for (const char* name : {"b0", "b1"}) world.nodes.at(name)->options().down = false;
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    world.run_for(Seconds(30));
    EXPECT_EQ(world.cluster().status("b0").state,
              recovered ? ReplicaState::kJoining : ReplicaState::kInSync);
  }
}

}  // namespace
}  // namespace miroir
