#include <gtest/gtest.h>

#include <set>

#include "cluster/state_reasons.h"
#include "search/search_world_fake.h"

namespace miroir {
namespace {

// A node that answers, in sync, and lacks what clients were told to have ended.
class BehindTest : public ::testing::TestWithParam<int> {
 protected:
  BehindTest() : at_(GetParam()) { at_.load({Json::object({{"id", "m1"}, {"score", 1.0}})}); }

  ForwardWorld& world() { return at_.world; }
  Cluster& cluster() { return at_.world.cluster(); }
  // Of documents of all shards.
  Position write(const std::string& value) {
    std::vector<std::string> ids;
    for (int i = 0; i < 40; ++i) ids.push_back("m" + std::to_string(i));
    return world().write(SearchWorld::kIndex, ids, value);
  }
  // It refuses everything, and what it did not take ends without it.
  void stop_lane(const std::string& node) {
    world().refuse = [node](const std::string& asked, const NodeWrite&) {
      return asked == node ? std::optional(Error{ErrorCode::kInvalid, "no"}) : std::nullopt;
    };
    for (int i = 0; i < 8; ++i) write(std::to_string(i));
    ASSERT_EQ(world().await_task(write("last")).status, "succeeded");
    ASSERT_TRUE(cluster().status(node).stopped);
    ASSERT_TRUE(world().run_until([&] { return cluster().readable(node); }));
  }
  // What may be read of the index, several times: whose turn it is changes.
  std::set<std::string> asked_by_reading() {
    at_.asked.clear();
    for (int i = 0; i < 8; ++i) {
      const std::string n = std::to_string(i);
      for (const http::Response& answer :
           {at_.search(R"({"q":")" + n + R"("})"),
            at_.request("POST", "/multi-search",
                        R"({"queries":[{"indexUid":"movies","q":")" + n + R"("}]})"),
            at_.request("GET", "/indexes/movies/documents/m" + n),
            at_.request("POST", "/indexes/movies/documents/fetch", R"({"offset":)" + n + "}"),
            at_.request("POST", "/indexes/movies/facet-search", R"({"facetName":"a"})"),
            at_.request("GET", "/indexes/movies/stats")}) {
        degraded_ += answer.headers.find("X-Miroir-Degraded") != nullptr ? 1 : 0;
      }
    }
    std::set<std::string> nodes;
    for (const SearchWorld::Asked& asked : at_.asked) nodes.insert(asked.node);
    return nodes;
  }

  int degraded_ = 0;
  SearchWorld at_;
};
INSTANTIATE_TEST_SUITE_P(NodesPerGroup, BehindTest, ::testing::Values(1, 2));

TEST_P(BehindTest, NodeWhoseLaneStoppedIsNotReadUntilItHasCaughtUp) {
  stop_lane("a0");
  EXPECT_FALSE(asked_by_reading().contains("a0"));
  EXPECT_EQ(degraded_, 0) << "the others have it all";
  world().refuse = nullptr;
  ASSERT_TRUE(world().run_until([&] { return world().all_done(); }));
  world().await(world().log().clear_taints(world().log().index_taints()));
  EXPECT_TRUE(asked_by_reading().contains("a0"));
}

TEST_P(BehindTest, NodeThatReturnsIsNotReadUntilItHasCaughtUp) {
  world().networks.at("a0").cut = true;
  ASSERT_TRUE(world().run_until([&] { return !cluster().status("a0").healthy; }));
  const Position task = write("without it");
  ASSERT_EQ(world().await_task(task).status, "succeeded");
  world().networks.at("a0").cut = false;
  world().nodes.at("a0")->options().automatic = false;
  ASSERT_TRUE(world().run_until([&] { return cluster().readable("a0"); }));
  ASSERT_LT(cluster().status("a0").done, task);
  EXPECT_FALSE(asked_by_reading().contains("a0"));
  world().nodes.at("a0")->options().automatic = true;
  ASSERT_TRUE(world().run_until([&] { return world().all_done(); }));
  EXPECT_TRUE(asked_by_reading().contains("a0"));
}

TEST_P(BehindTest, WithNobodyElseItAnswersAsDegraded) {
  stop_lane("a0");
  at_.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (asked.node.front() != 'b') return std::nullopt;
    return Result<http::Response>(std::unexpected(Error{ErrorCode::kUnavailable, "gone"}));
  };
  for (const http::Response& answer :
       {at_.search("{}"), at_.request("GET", "/indexes/movies/documents/m1")}) {
    EXPECT_NE(answer.status, 503) << answer.body;
    const std::string* degraded = answer.headers.find("X-Miroir-Degraded");
    if (GetParam() == 1) {
      ASSERT_NE(degraded, nullptr) << answer.body;
      EXPECT_TRUE(degraded->starts_with("stale=")) << *degraded;
    }
  }
  EXPECT_TRUE(asked_by_reading().contains("a0"));
  EXPECT_GT(degraded_, 0);
}

TEST_P(BehindTest, WhatEndedIsKnownAfterARestart) {
  stop_lane("a0");
  world().crash();
  world().start();
  ASSERT_TRUE(world().run_until([&] {
    return cluster().readable("a0") && cluster().readable("b0") &&
           !cluster().whole_groups().empty();
  }));
  world().run_for(Milliseconds(500));
  ASSERT_TRUE(cluster().readable("a0"));
  EXPECT_FALSE(asked_by_reading().contains("a0"));
}

// System entries end no task, and nobody waits until nodes have done them.
TEST_P(BehindTest, NobodyIsBehindWhileWritesGoOn) {
  std::set<std::string> asked;
  for (int i = 0; i < 40; ++i) {
    write(std::to_string(i));
    Entry settings;
    settings.origin = Origin::kSystem;
    settings.kind = EntryKind::kUpdateSettings;
    settings.index_uid = SearchWorld::kIndex;
    settings.arguments =
        Json::object({{"settings", Json::object()}, {"clientSettings", Json::object()}});
    world().append(std::move(settings));
    world().run_for(Milliseconds(7 * (i % 9)));
    asked.merge(asked_by_reading());
    ASSERT_EQ(degraded_, 0);
  }
  EXPECT_TRUE(asked.contains("a0"));
  EXPECT_TRUE(asked.contains("b0"));
}

TEST(LastResortTest, WithNobodyInSyncTheFreshestAnswersAsDegraded) {
  SearchWorld at(1);
  at.load({Json::object({{"id", "m1"}, {"score", 1.0}})});
  for (const char* node : {"a0", "b0"}) {
    at.world.await(at.world.cluster().set_state(node, ReplicaState::kStale, "a foreign write"));
  }
  at.world.cluster().set_done("b0", 1'000);
  const http::Response answer = at.search("{}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(at.asked.back().node, "b0");
  ASSERT_NE(answer.headers.find("X-Miroir-Degraded"), nullptr);
  EXPECT_TRUE(answer.headers.find("X-Miroir-Degraded")->starts_with("stale="));

  at.world.await(at.world.cluster().set_state("a0", ReplicaState::kInSync, ""));
  at.world.networks.at("a0").cut = true;
  at.misbehave = [](const SearchWorld::Asked&) -> std::optional<Result<http::Response>> {
    return Result<http::Response>(std::unexpected(Error{ErrorCode::kUnavailable, "gone"}));
  };
  EXPECT_EQ(at.search("{}").status, 503) << "a replica in sync is waited for";
}

TEST(LastResortTest, WhoMissedEntriesIsNotTheFreshestHoweverFarItIs) {
  SearchWorld at(1);
  at.load({Json::object({{"id", "m1"}, {"score", 1.0}})});
  Cluster& cluster = at.world.cluster();
  for (const char* node : {"a0", "b0"})
    at.world.await(cluster.set_state(node, ReplicaState::kStale, "a foreign write"));
  NodeProgress emptied = cluster.progress("a0");
  emptied.skip(emptied.done, emptied.done + 1);
  at.world.await(cluster.save_progress("a0", emptied));
  cluster.set_done("b0", emptied.done - 1);
  for (const http::Response& answer :
       {at.search("{}"), at.request("GET", "/indexes/movies/documents/m1")}) {
    EXPECT_NE(answer.headers.find("X-Miroir-Degraded"), nullptr);
    EXPECT_EQ(at.asked.back().node, "b0");
  }
  ASSERT_TRUE(cluster.progress("a0").missed_entries());
}

TEST(LastResortTest, WhileRecoveryWaitsWhoTheLogKnewAnswersAsDegraded) {
  SearchWorld at(1);
  at.load({Json::object({{"id", "m1"}, {"score", 1.0}})});
  const auto set_states = [&](ReplicaState state) {
    for (const char* node : {"a0", "b0"})
      at.world.await(at.world.cluster().set_state(node, state, std::string(kLogWentBack)));
  };
  set_states(ReplicaState::kStale);
  const http::Response answer = at.search("{}");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_NE(answer.headers.find("X-Miroir-Degraded"), nullptr);
  set_states(ReplicaState::kJoining);
  EXPECT_EQ(at.search("{}").status, 503) << "of a log that is lost nothing is known";
}

}  // namespace
}  // namespace miroir
