#include "ttl/sweeper.h"

#include <gtest/gtest.h>

#include "base/content_hash.h"
#include "forward/forward_world_fake.h"
#include "log/lease.h"
#include "node_api/alike_ids_fake.h"

namespace miroir {
namespace {

// Two groups of two nodes, and a sweeper that looks every ten seconds.
class SweeperTest : public ::testing::Test {
 protected:
  SweeperTest() : world(20261123, {}) {
    options.enabled = true;
    options.policy.sweep_interval = Seconds(10);
    world.start();
    reads.emplace(world.process->io->get_executor(), 1);
    EXPECT_TRUE(world.run_until([this] { return world.cluster().whole_groups().size() == 2; }));
    world.create_index("books");
    settle();
  }
  ~SweeperTest() override { stop(); }

  void start() {
    sweeper = world
                  .await(Sweeper::open({.log = world.log(),
                                        .store = world.store,
                                        .cluster = world.cluster(),
                                        .clock = world.clock,
                                        .random = world.random,
                                        .metrics = world.process->metrics,
                                        .executor = world.process->io->get_executor(),
                                        .names = {.expiry = true},
                                        .reads = *reads,
                                        .paused = [this] { return paused; }},
                                       options))
                  .value();
    running = std::make_unique<TaskGroup>(world.process->io->get_executor());
    running->spawn("sweeper", sweeper->run());
  }
  void stop() {
    if (!sweeper) return;
    world.await([](Sweeper& its, TaskGroup& group) -> Async<bool> {
      co_await its.stop();
      co_await group.stop();
      co_return true;
    }(*sweeper, *running));
    sweeper.reset();
  }
  void settle() {
    EXPECT_TRUE(world.run_until([this] { return world.all_done(); }));
  }
  // Lets the next sweep come and be applied.
  void sweep() {
    world.run_for(Seconds(15));
    settle();
  }

  // Reads a node again and again, as passes do.
  Async<void> read_beside() {
    for (;;) {
      auto permit = co_await reads->acquire();
      const Instant deadline = world.clock.now() + Seconds(10);
      EXPECT_TRUE(
          co_await world.cluster().client("a0").documents({.index_uid = "books"}, deadline));
    }
  }

  std::int64_t from_now(std::int64_t seconds) {
    const auto now = world.clock.wall_now().time_since_epoch();
    return std::chrono::duration_cast<Milliseconds>(now).count() + seconds * 1'000;
  }
  Position put(const std::string& id, std::optional<std::int64_t> expires_at,
               EntryKind kind = EntryKind::kWriteDocuments) {
    const std::string bare = R"({"id":")" + id + '"';
    const Hash128 content =
        *content_hash(bare + "}", DecimalReading::kNode, [](std::string_view) { return false; });
    Entry entry;
    entry.kind = kind;
    entry.index_uid = "books";
    const std::string expiry =
        expires_at ? R"(,"_miroir_expires_at":)" + std::to_string(*expires_at) : "";
    const Position at =
        world.append_records(entry, {{slot_of(id), checksum_of(content), id, bare + expiry + "}"}});
    settle();
    return at;
  }
  std::string owner(int group, const std::string& id) {
    return world.topology().owner(group, world.topology().shard_of(slot_of(id)));
  }
  std::string held(int group) {
    std::string ids;
    for (const auto& [id, text] : world.documents_of_group(group, "books")) ids += id + " ";
    return ids;
  }
  void expect_held(const std::string& ids) {
    for (const int group : {0, 1}) EXPECT_EQ(held(group), ids) << group;
  }
  EntryStamp stamp_of(Position position) {
    return (*world.await(world.log().entry(position)))->stamp;
  }
  std::optional<Tombstone> tombstone(const std::string& id) {
    return *world.await(
        world.log().tombstone(world.log().catalogue().index("books")->incarnation, id));
  }
  double swept() {
    return world.process->metrics
        .counter("miroir_ttl_documents_expired_total", "", {{"index", "books"}})
        .value();
  }

  ForwardWorld world;
  TtlOptions options;
  std::optional<Semaphore> reads;
  bool paused = false;
  std::unique_ptr<Sweeper> sweeper;
  std::unique_ptr<TaskGroup> running;
};

TEST_F(SweeperTest, ReadsInTurnsWithOthers) {
  put("a", from_now(-1));
  world.reads.most = 0;
  TaskGroup others(world.process->io->get_executor());
  others.spawn("reads beside", read_beside());
  start();
  sweep();
  expect_held("");
  EXPECT_EQ(world.reads.most, 1U);
  world.await([](TaskGroup& group) -> Async<bool> {
    co_await group.stop();
    co_return true;
  }(others));
}

TEST_F(SweeperTest, WhatFailedOnANodeOfAGroupThatWasTakenAwayKeepsNothing) {
  world.fail_tasks({"documentAdditionOrUpdate"}, owner(1, "a"));
  put("a", from_now(-1));
  reads.reset();
  world.crash();
  world.remove_group();
  world.start();
  reads.emplace(world.process->io->get_executor(), 1);
  settle();
  ASSERT_TRUE(world.log().any_tainted(world.log().catalogue().index("books")->incarnation));
  start();
  sweep();
  EXPECT_EQ(held(0), "");
}

TEST_F(SweeperTest, WhatADeleteCannotTellFromALiveDocumentIsKept) {
  const auto [dead, alive] = alike_ids();
  const std::string expiry = R"(","_miroir_expires_at":)" + std::to_string(from_now(-1)) + "}";
  Entry entry;
  entry.kind = EntryKind::kWriteDocuments;
  entry.index_uid = "books";
  world.append_records(entry, {{slot_of(dead), 0, dead, R"({"id":")" + dead + expiry},
                               {slot_of(alive), 0, alive, R"({"id":")" + alive + R"("})"}});
  put("gone", from_now(-1));
  start();
  sweep();
  expect_held(std::min(dead, alive) + " " + std::max(dead, alive) + " ");
  world.remove("books", {alive});
  sweep();
  expect_held("");
}

TEST_F(SweeperTest, WhatExpiredGoesEverywhereAndIsRememberedByItsOwnStamp) {
  const Position dead = put("dead", from_now(-1));
  put("later", from_now(3'600));
  put("never", std::nullopt);
  start();
  sweep();
  expect_held("later never ");
  EXPECT_EQ(swept(), 1);
  const auto entry = *world.await(world.log().entry(world.log().head()));
  EXPECT_EQ(name(entry->origin), "ttl_expire");
  EXPECT_FALSE(entry->target);
  const auto its = tombstone("dead");
  ASSERT_TRUE(its);
  EXPECT_EQ(its->stamp, stamp_of(dead));
  EXPECT_LT(its->stamp, entry->stamp);
  world.run_for(Seconds(4'000));
  settle();
  expect_held("never ");
  EXPECT_EQ(swept(), 2);
}

TEST_F(SweeperTest, AMergeKeepsTheExpiryOrChangesItAndAReplaceEndsIt) {
  put("kept", from_now(30));
  put("kept", std::nullopt, EntryKind::kMergeDocuments);
  put("extended", from_now(30));
  put("extended", from_now(3'600), EntryKind::kMergeDocuments);
  put("ended", from_now(30));
  put("ended", std::nullopt);
  start();
  world.run_for(Seconds(60));
  sweep();
  expect_held("ended extended ");
}

TEST_F(SweeperTest, AnExtensionThatOneReplicaMissedDoesNotKillTheLiveOne) {
  put("a", from_now(-1));
  const std::string behind = owner(0, "a");
  const Json old = world.nodes.at(behind)->disk().indexes.at("books").documents.at("a");
  put("a", from_now(3'600), EntryKind::kMergeDocuments);
  world.nodes.at(behind)->write_directly("books", "a", old);
  const Position head = world.log().head();
  start();
  sweep();
  EXPECT_EQ(world.log().head(), head);
  expect_held("a ");
}

TEST_F(SweeperTest, ADeleteAllThatFailedEverywhereKeepsNothingFromExpiring) {
  put("dead", from_now(-1));
  for (auto& [name, node] : world.nodes)
    node->fail_tasks([](const NodeTask&) { return std::optional<std::string>("internal"); });
  Entry clear;
  clear.kind = EntryKind::kClearDocuments;
  clear.index_uid = "books";
  world.append(std::move(clear));
  settle();
  for (auto& [name, node] : world.nodes) node->fail_tasks({});
  expect_held("dead ");
  start();
  sweep();
  expect_held("");
}

TEST_F(SweeperTest, WhatIsWrittenWhileASweepIsOnItsWayLives) {
  const Position expired = put("a", from_now(-1));
  const Position extended = put("a", from_now(3'600), EntryKind::kMergeDocuments);
  Entry late;
  late.origin = Origin::kTtlExpire;
  late.kind = EntryKind::kDeleteDocuments;
  late.index_uid = "books";
  world.append_records(late, {{slot_of("a"), stamp_of(expired), "a", ""}});
  settle();
  expect_held("a ");
  ASSERT_TRUE(tombstone("a"));
  EXPECT_LT(tombstone("a")->stamp, stamp_of(extended));
}

// What was read under its name may be the other's.
TEST_F(SweeperTest, AnIndexThatHadAnotherNameWhileItWasReadIsNotSwept) {
  put("both", from_now(1'000));
  world.create_index("films");
  settle();
  world.swap_indexes("books", "films");
  put("both", from_now(5));
  world.swap_indexes("books", "films");
  settle();
  world.run_for(Seconds(6));
  int reads = 0;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (query.index_uid != "films" || ++reads > 1) return;
    world.swap_indexes("books", "films");
    world.swap_indexes("books", "films");
  };
  start();
  ASSERT_TRUE(world.run_until([&] { return reads > 0; }));
  world.before_documents = nullptr;
  world.run_for(Seconds(2));
  const auto counted = [&](const std::string& uid) {
    return world.process->metrics
        .counter("miroir_ttl_documents_expired_total", "", {{"index", uid}})
        .value();
  };
  EXPECT_EQ(counted("films"), 0) << "the next sweep takes it";
  EXPECT_EQ(counted("books"), 0);
  sweep();
  EXPECT_EQ(counted("films"), 1);
  expect_held("both ");
}

TEST_F(SweeperTest, ADeleteIsRememberedOverASweepThatCameLater) {
  const Position expired = put("a", from_now(-1));
  const Position deleted = world.remove("books", {"a"});
  Entry late;
  late.origin = Origin::kTtlExpire;
  late.kind = EntryKind::kDeleteDocuments;
  late.index_uid = "books";
  world.append_records(late, {{slot_of("a"), stamp_of(expired), "a", ""}});
  ASSERT_TRUE(tombstone("a"));
  EXPECT_EQ(tombstone("a")->stamp, stamp_of(deleted));
  settle();
}

TEST_F(SweeperTest, WhereAnOwnerDoesNotAnswerNothingIsSwept) {
  put("a", from_now(-1));
  const std::string away = owner(1, "a");
  world.nodes.at(away)->options().down = true;
  start();
  world.run_for(Seconds(60));
  EXPECT_EQ(held(0), "a ");
  world.nodes.at(away)->options().down = false;
  world.run_for(Seconds(60));
  sweep();
  expect_held("");
}

TEST_F(SweeperTest, AReplicaThatIsBeingHealedIsToldAndNotAsked) {
  put("a", from_now(-1));
  ASSERT_TRUE(world.await(world.cluster().set_state(owner(1, "a"), ReplicaState::kStale, "test")));
  start();
  sweep();
  expect_held("");
}

TEST_F(SweeperTest, OneSweepDeletesNoMoreThanItMay) {
  options.policy = {Seconds(100), 3};
  for (int i = 0; i < 8; ++i) put("a" + std::to_string(i), from_now(-1));
  start();
  sweep();
  EXPECT_EQ(swept(), 3);
  EXPECT_EQ(world.documents_of_group(0, "books").size(), 5U);
  world.run_for(Seconds(100));
  EXPECT_EQ(swept(), 6);
}

TEST_F(SweeperTest, ItRestsWhilePausedAndWhileAnotherHoldsTheLease) {
  put("a", from_now(-1));
  paused = true;
  start();
  sweep();
  expect_held("a ");
  stop();

  paused = false;
  Lease other(world.store, world.clock, "sweeper", "another", {.ttl = Seconds(60)});
  ASSERT_TRUE(*world.await(other.acquire()));
  start();
  sweep();
  expect_held("a ");
  world.run_for(Seconds(60));
  sweep();
  expect_held("");
}

TEST_F(SweeperTest, WhatWasSaidOfAnIndexOutlivesTheProcessAndCanBeTakenBack) {
  options.per_index["books"].deletes_max = 7;
  start();
  EXPECT_EQ(sweeper->policy("books"), (TtlPolicy{Seconds(10), 7}));
  ASSERT_TRUE(world.await(sweeper->set_policy("books", {Seconds(99), 5})));
  stop();
  start();
  EXPECT_EQ(sweeper->policy("books"), (TtlPolicy{Seconds(99), 5}));
  EXPECT_EQ(sweeper->policy("other"), (TtlPolicy{Seconds(10), 10'000}));
  ASSERT_TRUE(world.await(sweeper->set_policy("books", {})));
  EXPECT_EQ(sweeper->policy("books"), (TtlPolicy{Seconds(10), 7}));
}

}  // namespace
}  // namespace miroir
