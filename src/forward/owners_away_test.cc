// Deletes by filter while owners are away, cannot be read, or are busy.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/assert.h"
#include "forward/forward_world_fake.h"
#include "node_api/simulated_reads_fake.h"

namespace miroir {
namespace {

// Each group has two nodes; some shards are those of a0 and b0 alone, some those of the others.
class OwnersAwayTest : public testing::Test {
 protected:
  OwnersAwayTest() : world_(81, {}) {
    world_.start();
    world_.create_index("books");
    world_.create_index("films");
    world_.await_task(world_.write("books", {id_of("a0", "b0"), id_of("a1", "b1")}, "a"));
    MIROIR_ASSERT(world_.run_until([&] { return world_.all_done(); }));
    world_.answer_documents = [this](const std::string& name,
                                     const DocumentQuery& query) -> Result<DocumentPage> {
      if (name == unread_) return fail(ErrorCode::kUnavailable, "timed out");
      return simulated_documents(*world_.nodes.at(name), query);
    };
  }
  std::string id_of(const std::string& one, const std::string& other) const {
    int id = 0;
    const auto is_theirs = [&](Slot slot) {
      return world_.topology().owns(one, slot) && world_.topology().owns(other, slot);
    };
    while (!is_theirs(slot_of(std::to_string(id)))) ++id;
    return std::to_string(id);
  }
  void down(const std::set<std::string>& names, bool down) {
    for (const std::string& name : names) world_.nodes.at(name)->options().down = down;
    ASSERT_TRUE(world_.run_until([&] {
      return std::ranges::all_of(
          names, [&](const auto& name) { return world_.cluster().status(name).healthy == !down; });
    }));
  }
  // Long ago. By now it alone can tell of its shards.
  void let_a1_not_be_read_once() {
    unread_ = "a1";
    world_.await_task(world_.remove_by_filter("books", "v = b"));
    unread_.clear();
    let_only_a1_tell_of_its_shards();
    world_.run_for(Seconds(3'600));
  }
  void let_only_a1_tell_of_its_shards() {
    world_.fail_tasks({"documentAdditionOrUpdate"}, "b1");
    world_.await_task(world_.write("books", {id_of("a1", "b1")}, "b"));
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    world_.fail_tasks({});
  }

  ForwardWorld world_;
  std::string unread_;  // this node does not tell
};

TEST_F(OwnersAwayTest, WhereAllOfAShardAreItFailsInsteadOfHoldingUpAllWrites) {
  down({"a0", "b0"}, true);
  testing::internal::CaptureStderr();
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.write("films", {id_of("a1", "b1")}, "a");
  world_.run_for(Seconds(30));
  EXPECT_FALSE((*world_.await(world_.log().entry(removed)))->born_failed) << "may be back soon";
  EXPECT_TRUE(world_.run_until([&] { return world_.documents_of_group(0, "films").size() == 1; },
                               Seconds(60)));
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_NE(logged.find("delete by filter waits"), std::string::npos) << logged;
  down({"a0", "b0"}, false);
  const TaskEnd end = world_.await_task(removed);
  ASSERT_EQ(end.status, "failed");
  EXPECT_EQ(*end.error.find("code"), Json("miroir_shard_unavailable"));
  for (const int group : {0, 1}) EXPECT_EQ(world_.documents_of_group(group, "books").size(), 2U);
}

TEST_F(OwnersAwayTest, WhoCouldNotBeReadOnceIsThere) {
  let_a1_not_be_read_once();
  for (const char* name : {"a0", "b0"}) world_.nodes.at(name)->options().automatic = false;
  world_.write("books", {id_of("a0", "b0")}, "a");
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(1));
  for (const char* name : {"a0", "b0"}) world_.nodes.at(name)->options().automatic = true;
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "succeeded") << to_text(end.error);
}

// …also where another one does not tell at first.
TEST_F(OwnersAwayTest, WhoCouldNotBeReadOnceIsAsked) {
  let_a1_not_be_read_once();
  unread_ = "a0";
  const TaskEnd end = world_.await_task(world_.remove_by_filter("books", "v = a"));
  EXPECT_EQ(end.status, "succeeded") << to_text(end.error);
}

// The shard of a1 is not what is waited for: a0 is busy, and b0 goes away.
TEST_F(OwnersAwayTest, WhoCouldNotBeReadIsAskedAgainWhenTheOthersAreThere) {
  let_only_a1_tell_of_its_shards();
  unread_ = "a1";
  world_.nodes.at("a0")->options().automatic = false;
  world_.write("books", {id_of("a0", "b0")}, "a");
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(1));
  down({"b0"}, true);
  unread_.clear();
  world_.run_for(Seconds(300));
  EXPECT_FALSE(world_.task_end(removed));
  world_.nodes.at("a0")->options().automatic = true;
  EXPECT_EQ(world_.await_task(removed).status, "succeeded");
}

// a1 does not tell once, and then a0 only after a minute.
TEST_F(OwnersAwayTest, WhoCouldNotBeReadOnceIsAskedAlsoWhereAnotherTakesLong) {
  let_only_a1_tell_of_its_shards();
  bool once = false;
  bool hung = false;
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    world_.answer_time = Milliseconds(1);
    if (name == "a1" && !std::exchange(once, true)) return fail(ErrorCode::kUnavailable, "");
    if (name == "a0" && once && !std::exchange(hung, true)) {
      world_.answer_time = Seconds(61);
      return fail(ErrorCode::kUnavailable, "timed out");
    }
    return simulated_documents(*world_.nodes.at(name), query);
  };
  const TaskEnd end = world_.await_task(world_.remove_by_filter("books", "v = a"));
  EXPECT_EQ(end.status, "succeeded") << to_text(end.error);
  EXPECT_TRUE(hung);
}

// Two failures a minute apart are not one of a minute.
TEST_F(OwnersAwayTest, WhoCouldNotBeReadOnceAMinuteAgoIsAwaited) {
  unread_ = "a1";
  world_.await_task(world_.remove_by_filter("books", "v = b"));
  unread_.clear();
  let_only_a1_tell_of_its_shards();
  world_.run_for(Seconds(70));
  unread_ = "a1";
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(5));
  unread_.clear();
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "succeeded") << to_text(end.error);
}

// b0 is away. a1 does not tell at first, and then only once b1 was asked in its place, for a
// minute.
TEST_F(OwnersAwayTest, WhoHasToldIsNotAwaitedWhileAnotherTakesLong) {
  down({"b0"}, true);
  bool once = false;
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    world_.answer_time = Milliseconds(1);
    if (name == "a1" && !std::exchange(once, true)) return fail(ErrorCode::kUnavailable, "");
    if (name != "b1") return simulated_documents(*world_.nodes.at(name), query);
    world_.nodes.at("a0")->options().down = true;
    world_.answer_time = Seconds(61);
    return fail(ErrorCode::kUnavailable, "timed out");
  };
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(300));
  down({"a0", "b0"}, false);
  const TaskEnd end = world_.await_task(removed);
  EXPECT_EQ(end.status, "succeeded") << to_text(end.error);
  EXPECT_EQ(world_.answer_time, Microseconds(Milliseconds(1)));
}

// Its lane learns of it, and that it is back, about a minute later.
TEST_F(OwnersAwayTest, WhomEachReadTakesDownIsNotAskedForEver) {
  let_only_a1_tell_of_its_shards();
  double& lost = world_.networks.at("a1").lose_request;
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    if (name != "a1") return simulated_documents(*world_.nodes.at(name), query);
    lost = 1;
    return fail(ErrorCode::kUnavailable, "connection reset");
  };
  const Position removed = world_.remove_by_filter("books", "v = a");
  int times = 0;
  while (times < 10 && world_.run_until([&] { return lost == 1; }, Seconds(120))) {
    ++times;
    world_.run_for(Seconds(58));
    lost = 0;
  }
  EXPECT_LT(times, 4);
  EXPECT_EQ(world_.await_task(removed).status, "failed");
}

// a0 alone can tell of one of its shards, and does; of the other neither does.
TEST_F(OwnersAwayTest, WhereNobodyTellsOfOneShardItFails) {
  world_.fail_tasks({"documentAdditionOrUpdate"}, "b0");
  world_.await_task(world_.write("books", {id_of("a0", "b0")}, "b"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  world_.fail_tasks({});
  const Slot slot = slot_of(id_of("a0", "b1"));
  world_.answer_documents = [&](const std::string& name,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    if (std::ranges::any_of(query.slots, [&](const SlotRange& range) {
          return range.first <= slot && slot <= range.last;
        }))
      return fail(ErrorCode::kUnavailable, "timed out");
    return simulated_documents(*world_.nodes.at(name), query);
  };
  const TaskEnd end = world_.await_task(world_.remove_by_filter("books", "v = a"));
  EXPECT_EQ(end.status, "failed");
}

// a0 could not be read before all went away, and is back before a1, which it is not asked without.
TEST_F(OwnersAwayTest, WhoIsBackFirstIsNotTheOneThatCannotBeRead) {
  world_.answer_documents = [](const std::string&, const DocumentQuery&) -> Result<DocumentPage> {
    return fail(ErrorCode::kUnavailable, "timed out");
  };
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(1));
  down({"a0", "a1", "b0", "b1"}, true);
  world_.answer_documents = nullptr;
  world_.run_for(Seconds(600));
  down({"a0", "b0"}, false);
  world_.run_for(Seconds(1));
  down({"a1", "b1"}, false);
  EXPECT_EQ(world_.await_task(removed).status, "succeeded");
}

// A minute each time.
TEST_F(OwnersAwayTest, WhereReadsTimeOutItFails) {
  world_.answer_time = Seconds(60);
  world_.answer_documents = [](const std::string&, const DocumentQuery&) -> Result<DocumentPage> {
    return fail(ErrorCode::kUnavailable, "timed out");
  };
  const TaskEnd end = world_.await_task(world_.remove_by_filter("books", "v = a"));
  EXPECT_EQ(end.status, "failed");
}

// Nothing else is held up by it.
TEST_F(OwnersAwayTest, WhereAllNodesAreItWaits) {
  down({"a0", "b0"}, true);
  const Position removed = world_.remove_by_filter("books", "v = a");
  world_.run_for(Seconds(30));
  down({"a1", "b1"}, true);
  world_.run_for(Seconds(300));
  down({"a1", "b1"}, false);
  world_.run_for(Seconds(30));
  down({"a0", "b0"}, false);
  EXPECT_EQ(world_.await_task(removed).status, "succeeded");
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  for (const int group : {0, 1}) EXPECT_TRUE(world_.documents_of_group(group, "books").empty());
}

}  // namespace
}  // namespace miroir
