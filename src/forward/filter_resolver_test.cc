#include "forward/filter_resolver.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "base/assert.h"
#include "forward/forward_world_fake.h"
#include "forward/plan.h"
#include "node_api/simulated_reads_fake.h"

namespace miroir {
namespace {

ForwardWorld::Options two_nodes() {
  ForwardWorld::Options options;
  options.nodes_per_group = 1;
  return options;
}

class FilterResolverTest : public testing::Test {
 protected:
  FilterResolverTest() : world_(81, two_nodes()) {
    world_.start();
    world_.create_index("books");
    world_.await_task(world_.write("books", {"1", "2", "3"}, "a"));
    MIROIR_ASSERT(world_.run_until([&] { return world_.all_done(); }));
  }
  SimulatedNode& node() { return *world_.nodes.at("a0"); }
  void let_nobody_be_in_sync() {
    ASSERT_TRUE(world_.await(world_.cluster().set_states(
        {{"a0", {ReplicaState::kStale, "a test"}}, {"b0", {ReplicaState::kStale, "a test"}}})));
  }

  void expect_deleted_in_spite_of_a_disk_that_fell_back() {
    const TaskEnd end = world_.await_task(world_.remove_by_filter("books", "v = a"));
    EXPECT_EQ(end.status, "succeeded") << to_text(end.error);
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    for (const int group : {0, 1}) EXPECT_TRUE(world_.documents_of_group(group, "books").empty());
    EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
  }

  ForwardWorld world_;
};

TEST_F(FilterResolverTest, EmptiedDiskDoesNotSayThatNothingMatches) {
  node().restore({});  // nobody noticed yet: in sync, answering, and everything done
  ASSERT_EQ(world_.cluster().status("a0").state, ReplicaState::kInSync);
  expect_deleted_in_spite_of_a_disk_that_fell_back();
}

TEST_F(FilterResolverTest, EmptiedDiskDoesNotSayThatTheFilterIsWrong) {
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    if (name == "a0" && node().disk().tasks.empty())
      return fail(ErrorCode::kInvalid, "attribute `v` is not filterable");
    return simulated_documents(*world_.nodes.at(name), query);
  };
  node().restore({});
  expect_deleted_in_spite_of_a_disk_that_fell_back();
}

TEST_F(FilterResolverTest, EmptiedDiskThatItsLaneNoticedFirstSaysNothing) {
  world_.answer_time = Seconds(3);  // so that the lane has gone on before the answer arrives
  bool emptied = false;
  world_.answer_documents = [&](const std::string& name, const DocumentQuery& query) {
    if (name == "a0" && !std::exchange(emptied, true)) {
      node().restore({});
      boost::asio::co_spawn(
          *world_.process->io,
          world_.process->forwarders->recheck("a0", world_.clock.now() + Seconds(5)),
          boost::asio::detached);
    }
    return simulated_documents(*world_.nodes.at(name), query);
  };
  expect_deleted_in_spite_of_a_disk_that_fell_back();
}

TEST_F(FilterResolverTest, NodeOfAGroupThatWasTakenAwayHasNoDocumentsInDoubt) {
  world_.fail_tasks({"documentDeletion"}, "b0");
  world_.await_task(world_.clear("books"));
  ASSERT_EQ(world_.log().index_taints().size(), 1U);
  world_.crash();
  world_.remove_group();
  world_.start();
  world_.await_task(world_.write("books", {"4"}, "a"));
  EXPECT_EQ(world_.await_task(world_.remove_by_filter("books", "v = a")).status, "succeeded");
  EXPECT_TRUE(world_.documents_of_group(0, "books").empty());
}

// Whether its document matches only the other knows.
TEST_F(FilterResolverTest, WhereOnlyWhoFailedIsThereItFailsInsteadOfHoldingUpAllWrites) {
  world_.create_index("films");
  world_.fail_tasks({"documentAdditionOrUpdate"}, "a0");
  world_.await_task(world_.write("books", {"1"}, "b"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.fail_tasks({});
  world_.nodes.at("b0")->options().down = true;
  ASSERT_TRUE(world_.run_until([&] { return !world_.cluster().status("b0").healthy; }));
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.write("films", {"1"}, "a");
  world_.run_for(Seconds(30));
  EXPECT_FALSE(world_.task_end(removed)) << "it may be back soon";
  ASSERT_TRUE(world_.run_until([&] { return world_.documents_of_group(0, "films").size() == 1; },
                               Seconds(60)));
  world_.nodes.at("b0")->options().down = false;
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(*end.error.find("code"), Json("miroir_shard_unavailable"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  for (const int group : {0, 1}) EXPECT_EQ(world_.documents_of_group(group, "books").size(), 3U);
  EXPECT_EQ(world_.cluster().status("b0").state, ReplicaState::kInSync);
}

// Its disk is full, and was before the delete: it answers, and gets no further.
TEST_F(FilterResolverTest, WhereWhoKnowsTakesNoWritesItFailsInsteadOfHoldingUpAllWrites) {
  world_.create_index("films");
  world_.fail_tasks({"documentAdditionOrUpdate"}, "b0");
  world_.await_task(world_.write("books", {"1"}, "b"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.fail_tasks({});
  node().options().full = true;
  world_.write("films", {"1"}, "a");
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.write("films", {"2"}, "a");
  world_.run_for(Seconds(30));
  EXPECT_FALSE(world_.task_end(removed)) << "there may be room soon";
  ASSERT_TRUE(world_.run_until([&] { return world_.documents_of_group(1, "films").size() == 2; },
                               Seconds(60)));
  node().options().full = false;
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(*end.error.find("code"), Json("miroir_shard_unavailable"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "films").size(), 2U);
}

// The node works at what it was sent before.
TEST_F(FilterResolverTest, WhoIsSlowIsWaitedFor) {
  world_.fail_tasks({"documentAdditionOrUpdate"}, "b0");
  world_.await_task(world_.write("books", {"1"}, "b"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.fail_tasks({});
  node().options().automatic = false;
  world_.write("books", {"4"}, "a");
  world_.run_for(Seconds(1));
  ASSERT_TRUE(world_.set_down("a0", true));
  ASSERT_TRUE(world_.set_down("a0", false));
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(300));
  EXPECT_FALSE(world_.task_end(removed));
  node().options().automatic = true;
  EXPECT_EQ(world_.await_task(removed).status, "succeeded");
}

TEST_F(FilterResolverTest, WhoIsAwayForLongIsWaitedForOnce) {
  world_.create_index("films");
  world_.fail_tasks({"documentAdditionOrUpdate"}, "a0");
  world_.await_task(world_.write("books", {"1"}, "b"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.fail_tasks({});
  ASSERT_TRUE(world_.set_down("b0", true));
  world_.run_for(Seconds(40));
  for (int i = 0; i < 5; ++i) world_.remove_by_filter("books", "v = a");
  world_.write("films", {"1"}, "a");
  EXPECT_TRUE(world_.run_until([&] { return world_.documents_of_group(0, "films").size() == 1; },
                               Seconds(30)));
}

TEST_F(FilterResolverTest, WhereNobodyCanBeReadItFailsInsteadOfHoldingUpAllWrites) {
  world_.create_index("films");
  world_.answer_documents = [](const std::string&, const DocumentQuery&) -> Result<DocumentPage> {
    return fail(ErrorCode::kCorrupt, "an answer without results");
  };
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.write("films", {"1"}, "a");
  world_.run_for(Seconds(30));
  EXPECT_FALSE(world_.task_end(removed));
  ASSERT_TRUE(world_.run_until([&] { return world_.documents_of_group(0, "films").size() == 1; },
                               Seconds(90)));
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(*end.error.find("code"), Json("miroir_shard_unavailable"));

  const Instant before = world_.clock.now();
  world_.await_task(world_.remove_by_filter("books", "v = a"));
  EXPECT_LT(world_.clock.now() - before, Seconds(30)) << "it is known";
  world_.run_for(Seconds(10));
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    if (name == "a0") return fail(ErrorCode::kCorrupt, "an answer without results");
    return simulated_documents(*world_.nodes.at(name), query);
  };
  EXPECT_EQ(world_.await_task(world_.remove_by_filter("books", "v = a")).status, "succeeded");
}

TEST_F(FilterResolverTest, WhereOneCanNotBeReadTheOtherTells) {
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    if (name == "a0") return fail(ErrorCode::kCorrupt, "an answer without results");
    return simulated_documents(*world_.nodes.at(name), query);
  };
  EXPECT_EQ(world_.await_task(world_.remove_by_filter("books", "v = a")).status, "succeeded");
}

// Document 1 is "b" on a0, and as it was on b0, where that write failed.
TEST_F(FilterResolverTest, WhereNobodyIsInSyncWhoFailedDoesNotTell) {
  world_.fail_tasks({"documentAdditionOrUpdate"}, "b0");
  world_.await_task(world_.write("books", {"1"}, "b"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.fail_tasks({});
  let_nobody_be_in_sync();
  ASSERT_TRUE(world_.set_down("a0", true));
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(30));
  EXPECT_FALSE(world_.task_end(removed));
  ASSERT_TRUE(world_.set_down("a0", false));
  EXPECT_EQ(world_.await_task(removed).status, "succeeded");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "books").size(), 1U);
}

// Both are as they were before the swap, under each other's names in the catalogue.
class OtherPrimaryKeyTest : public FilterResolverTest {
 protected:
  void SetUp() override {
    Entry entry;
    entry.kind = EntryKind::kCreateIndex;
    entry.index_uid = "goods";
    entry.primary_key = "sku";
    entry.arguments = Json::object({{"primaryKey", "sku"}});
    entry.task_type = "indexCreation";
    world_.append(std::move(entry));
    world_.create_index("films");
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    world_.fail_tasks({"indexSwap"});
  }
  void expect_failed_without_a_change(Position removed) {
    world_.write("films", {"1"}, "a");
    EXPECT_TRUE(world_.run_until([&] { return world_.documents_of_group(0, "films").size() == 1; },
                                 Seconds(30)));
    const TaskEnd end = world_.await_task(removed);
    ASSERT_EQ(end.status, "failed");
    EXPECT_EQ(*end.error.find("code"), Json("miroir_shard_unavailable")) << to_text(end.error);
    for (const int group : {0, 1}) EXPECT_EQ(world_.documents_of_group(group, "books").size(), 3U);
  }
};

TEST_F(OtherPrimaryKeyTest, DocumentsWithoutItHoldUpNobody) {
  world_.swap_indexes("books", "goods");
  expect_failed_without_a_change(world_.remove_by_filter("books", "v = a"));
}

TEST_F(OtherPrimaryKeyTest, ItsValuesAreNoIds) {
  world_.answer_documents = [&](const std::string& name, const DocumentQuery& query) {
    auto page = simulated_documents(*world_.nodes.at(name), query);
    const bool of_sku = std::ranges::count(query.fields, "sku") > 0;
    if (page && of_sku) page->documents = {R"({"sku":"2"})"};  // of the document 1
    return page;
  };
  world_.swap_indexes("books", "goods");
  expect_failed_without_a_change(world_.remove_by_filter("books", "v = a"));
}

TEST_F(OtherPrimaryKeyTest, AnIndexThatShouldHoldNothingIsNotTakenForEmpty) {
  Entry entry;
  entry.kind = EntryKind::kCreateIndex;
  entry.index_uid = "empty";
  entry.arguments = Json::object({{"primaryKey", Json()}});
  entry.task_type = "indexCreation";
  world_.append(std::move(entry));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.swap_indexes("books", "empty");
  expect_failed_without_a_change(world_.remove_by_filter("books", "v = a"));
}

// A log that went back by so little that nobody tells of it: to before it was known what matched,
// which a0 has carried out, and b0 was away for.
class CarriedOutBeforeTest : public FilterResolverTest {
 protected:
  void SetUp() override {
    down("b0", true);
    position_ = world_.remove_by_filter("books", "v = a");
    const MemoryStore::Tables open = world_.store.snapshot();
    ASSERT_TRUE(unresolved(**world_.await(world_.log().entry(position_))));
    ASSERT_TRUE(world_.run_until([&] { return node().documents("books").empty(); }));
    world_.crash();
    world_.store.restore(open);
    world_.start();
  }
  void down(const std::string& name, bool down) { ASSERT_TRUE(world_.set_down(name, down)); }
  SimulatedNode& other() { return *world_.nodes.at("b0"); }
  Position position_ = 0;
};

TEST_F(CarriedOutBeforeTest, WhoHasNotTellsWhatMatches) {
  world_.run_for(Seconds(30));
  EXPECT_FALSE(world_.task_end(position_)) << "it is not known yet what it deletes";
  down("b0", false);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.await_task(position_).status, "succeeded");
  EXPECT_TRUE(other().documents("books").empty());
}

TEST_F(CarriedOutBeforeTest, WhoIsAwayForLongIsGivenUp) {
  EXPECT_EQ(world_.await_task(position_).status, "succeeded");
  EXPECT_EQ(world_.cluster().status("b0").state, ReplicaState::kStale);
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kInSync);
  world_.await_task(world_.write("books", {"4"}, "b"));
}

TEST_F(CarriedOutBeforeTest, WhoHasNotTellsAlsoWhereNobodyIsInSync) {
  let_nobody_be_in_sync();
  world_.run_for(Seconds(30));
  EXPECT_FALSE(world_.task_end(position_));
  down("b0", false);
  EXPECT_EQ(world_.await_task(position_).status, "succeeded");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_TRUE(other().documents("books").empty());
}

TEST_F(CarriedOutBeforeTest, WhoIsAwayForLongIsGivenUpAlsoWhereNobodyIsInSync) {
  let_nobody_be_in_sync();
  EXPECT_EQ(world_.await_task(position_).status, "succeeded");
  world_.await_task(world_.write("books", {"4"}, "b"));
}

TEST_F(CarriedOutBeforeTest, WhereAllHaveNothingMatches) {
  world_.crash();
  other().restore(node().snapshot());
  world_.start();
  down("b0", false);
  EXPECT_EQ(world_.await_task(position_).status, "succeeded");
  const TaskEnd end = world_.await_task(world_.write("books", {"1"}, "a"));
  EXPECT_EQ(end.status, "succeeded");
  for (const int group : {0, 1}) EXPECT_EQ(world_.documents_of_group(group, "books").size(), 1U);
}

// As before, but it failed on a0.
class FailedBeforeTest : public CarriedOutBeforeTest {
 protected:
  void SetUp() override {
    world_.fail_tasks({"documentDeletion"}, "a0");
    down("b0", true);
    position_ = world_.remove_by_filter("books", "v = a");
    const MemoryStore::Tables open = world_.store.snapshot();
    ASSERT_TRUE(
        world_.run_until([&] { return !world_.await(world_.log().failures(position_))->empty(); }));
    world_.crash();
    world_.store.restore(open);
    world_.start();
    world_.fail_tasks({});
  }
};

TEST_F(FailedBeforeTest, WhereWhoHasNotIsGivenUpItFails) {
  EXPECT_EQ(world_.await_task(position_).status, "failed");
  down("b0", false);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  for (const int group : {0, 1}) EXPECT_EQ(world_.documents_of_group(group, "books").size(), 3U);
}

TEST_F(FailedBeforeTest, WhoHasNotCarriesItOut) {
  down("b0", false);
  EXPECT_EQ(world_.await_task(position_).status, "succeeded");
  EXPECT_TRUE(other().documents("books").empty());
}

// a0 has carried it out, c0 is there and is filled by comparison, and b0 is awaited.
TEST(FilterResolverOfThreeGroupsTest, WhereOneWhoIsFilledHasNotTheOthersAreAwaited) {
  ForwardWorld::Options options = two_nodes();
  options.groups = 3;
  ForwardWorld world(81, options);
  world.start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2", "3"}, "a"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (const char* name : {"b0", "c0"}) world.nodes.at(name)->options().down = true;
  ASSERT_TRUE(world.run_until([&] { return !world.cluster().status("c0").healthy; }));
  const Position removed = world.remove_by_filter("books", "v = a");
  const MemoryStore::Tables open = world.store.snapshot();
  ASSERT_TRUE(world.run_until([&] { return world.nodes.at("a0")->documents("books").empty(); }));
  world.crash();
  world.store.restore(open);
  world.start();
  ASSERT_TRUE(
      world.await(world.cluster().set_states({{"a0", {ReplicaState::kStale, "a test"}},
                                              {"b0", {ReplicaState::kStale, "a test"}},
                                              {"c0", {ReplicaState::kJoining, "a test"}}})));
  world.nodes.at("c0")->options().down = false;
  world.run_for(Seconds(30));
  EXPECT_FALSE(world.task_end(removed));
  world.nodes.at("b0")->options().down = false;
  EXPECT_EQ(world.await_task(removed).status, "succeeded");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (const int group : {1, 2}) EXPECT_TRUE(world.documents_of_group(group, "books").empty());
}

// b0 lacks what the log does not hold any more, and a0 has an index more than Miroir made.
class NobodyInSyncTest : public testing::Test {
 protected:
  NobodyInSyncTest() : world_(81, forgetful()) { world_.start(); }
  static ForwardWorld::Options forgetful() {
    ForwardWorld::Options options = two_nodes();
    options.log.retention_age = Seconds(20);
    return options;
  }
  void down(const std::string& name, bool down) { ASSERT_TRUE(world_.set_down(name, down)); }
  void miss_entries_on_b0() {
    down("b0", true);
    world_.await_task(world_.write("books", {"1", "2"}, "a"));
    const Position head = world_.log().head();
    ASSERT_TRUE(world_.run_until([&] { return world_.log().trimmed() >= head; }));
    down("b0", false);
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  }
  void lose_a0(ReplicaState state_of_b0) {
    ASSERT_EQ(world_.cluster().status("b0").state, state_of_b0);
    ASSERT_TRUE(world_.nodes.at("a0")->enqueue(CreateIndex{"films", {}}, std::nullopt, ""));
    ASSERT_TRUE(
        world_.await(world_.process->forwarders->recheck("a0", world_.clock.now() + Seconds(5))));
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    ASSERT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
    down("a0", true);
  }
  void expect_that_a0_is_asked(ReplicaState state_of_b0) {
    lose_a0(state_of_b0);
    testing::internal::CaptureStderr();
    const Position removed = world_.remove_by_filter("books", "v = a");
    world_.run_for(Seconds(40));
    const std::string logged = testing::internal::GetCapturedStderr();
    EXPECT_FALSE(world_.task_end(removed)) << "a0 knows";
    const std::size_t told = logged.find("nodes=\"a0\"");
    EXPECT_NE(told, std::string::npos) << logged;
    EXPECT_EQ(logged.find("nodes=", told + 1), std::string::npos) << logged;
    down("a0", false);
    EXPECT_EQ(world_.await_task(removed).status, "succeeded");
    EXPECT_TRUE(world_.documents_of_group(0, "books").empty());
  }
  ForwardWorld world_;
};

TEST_F(NobodyInSyncTest, WhoMissedEntriesDoesNotSayThatNothingMatches) {
  world_.create_index("books");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  miss_entries_on_b0();
  expect_that_a0_is_asked(ReplicaState::kStale);
}

TEST_F(NobodyInSyncTest, WhereWhoKnowsStaysAwayItFails) {
  world_.create_index("books");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  miss_entries_on_b0();
  lose_a0(ReplicaState::kStale);
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(120));
  down("a0", false);
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "failed");
  EXPECT_EQ(*end.error.find("code"), Json("miroir_shard_unavailable"));
  EXPECT_EQ(world_.documents_of_group(0, "books").size(), 2U);
}

TEST_F(NobodyInSyncTest, WhoJoinsDoesNotSayThatNothingMatches) {
  world_.nodes.at("b0")->options().down = true;
  world_.create_index("books");
  miss_entries_on_b0();
  expect_that_a0_is_asked(ReplicaState::kJoining);
}

TEST_F(NobodyInSyncTest, WhoIsFilledFromALogThatLacksWhatWasTakenOverDoesNot) {
  world_.create_index("books");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.await_task(world_.write("books", {"1", "2"}, "a"));
  world_.take_over_index("books");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.nodes.at("b0")->restore({});
  ASSERT_TRUE(
      world_.await(world_.process->forwarders->recheck("b0", world_.clock.now() + Seconds(5))));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  ASSERT_FALSE(world_.cluster().progress("b0").missed_entries());
  for (const char* id : {"1", "2"}) world_.nodes.at("b0")->delete_directly("books", id);
  expect_that_a0_is_asked(ReplicaState::kStale);
}

}  // namespace
}  // namespace miroir
