// A key that Miroir has admitted, and that some node does not take.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/search_world_fake.h"

namespace miroir {
namespace {

class RefusedKeyTest : public ::testing::TestWithParam<int> {
 protected:
  RefusedKeyTest() : at_(GetParam()) {
    at_.load({Json::object({{"id", "m1"}, {"score", 1.0}})});
    at_.key = "clients";
    at_.misbehave = [this](const SearchWorld::Asked& asked) {
      return lack_.contains(asked.node) && asked.request.headers.find("Authorization") != nullptr
                 ? std::optional<Result<http::Response>>(kRefusal)
                 : std::nullopt;
    };
  }

  ForwardWorld& world() { return at_.world; }
  std::set<std::string> nodes(const std::string& of_group = "") {
    std::set<std::string> names;
    for (const auto& [name, node] : world().nodes)
      if (name.starts_with(of_group)) names.insert(name);
    return names;
  }
  // Which these nodes have yet to make.
  void make_key(const std::set<std::string>& late) {
    for (const std::string& name : late) world().nodes.at(name)->options().automatic = false;
    std::vector<std::string> ids;
    for (int i = 0; i < 40; ++i) ids.push_back("m" + std::to_string(i));
    world().write(SearchWorld::kIndex, ids, "before it");
    Entry entry;
    entry.kind = EntryKind::kPutKey;
    entry.arguments = Json::object({{"uid", "k"}, {"name", "reader"}});
    const Position made = world().append(std::move(entry));
    for (const std::string& name : nodes()) {
      if (late.contains(name)) continue;
      ASSERT_TRUE(world().run_until([&] { return world().cluster().status(name).done >= made; }));
    }
    for (const std::string& name : nodes()) ASSERT_TRUE(world().cluster().readable(name));
    lack_ = late;
  }
  // Of reads of each kind, whosever turn it is.
  std::set<int> statuses() {
    std::set<int> found;
    for (int i = 0; i < 12; ++i) {
      const std::string n = std::to_string(i);
      for (const http::Response& answer :
           {at_.search(R"({"q":")" + n + R"("})"),
            at_.request("POST", "/multi-search",
                        R"({"queries":[{"indexUid":"movies","q":")" + n + R"("}]})"),
            at_.request(
                "POST", "/multi-search",
                R"({"federation":{},"queries":[{"indexUid":"movies","q":")" + n + R"("}]})"),
            at_.request("GET", "/indexes/movies/documents/m" + n),
            at_.request("POST", "/indexes/movies/documents/fetch", R"({"offset":)" + n + "}"),
            at_.request("POST", "/indexes/movies/facet-search", R"({"facetName":"a"})"),
            at_.request("GET", "/indexes/movies/stats")}) {
        found.insert(answer.status);
      }
    }
    return found;
  }

  const http::Response kRefusal = http::json_response(
      403, R"({"message":"no","code":"invalid_api_key","type":"auth","link":""})");
  std::set<std::string> lack_;
  SearchWorld at_;
};
INSTANTIATE_TEST_SUITE_P(NodesPerGroup, RefusedKeyTest, ::testing::Values(1, 2));

TEST_P(RefusedKeyTest, OthersAreAskedWhereANodeHasYetToMakeIt) {
  make_key(nodes("a"));
  EXPECT_FALSE(statuses().contains(403));
  EXPECT_FALSE(statuses().contains(503));
}

TEST_P(RefusedKeyTest, OthersAreAskedWhereANodeHasLostIt) {
  make_key({});
  lack_ = {"b0"};
  EXPECT_FALSE(statuses().contains(403));
  EXPECT_FALSE(statuses().contains(503));
}

TEST_P(RefusedKeyTest, ItIsNotRefusedWhereNobodyHasMadeItYet) {
  make_key(nodes());
  EXPECT_EQ(statuses(), std::set<int>{503});
}

TEST_P(RefusedKeyTest, ItIsNotRefusedWhereNobodyHasMadeItYetAfterARestartEither) {
  make_key(nodes());
  world().crash();
  world().start();
  ASSERT_TRUE(world().run_until([&] {
    const auto readable = [&](const std::string& name) { return world().cluster().readable(name); };
    return std::ranges::all_of(nodes(), readable);
  }));
  EXPECT_EQ(statuses(), std::set<int>{503});
}

// Of tenant tokens, and of indexes that a body names, Miroir knows no better.
TEST_P(RefusedKeyTest, WhatAllNodesRefuseIsRefused) {
  make_key({});
  lack_ = nodes();
  EXPECT_EQ(statuses(), std::set<int>{403});
  lack_ = nodes("a");
  ASSERT_TRUE(world().set_down("b0", true));
  if (GetParam() == 2) ASSERT_TRUE(world().set_down("b1", true));
  EXPECT_EQ(statuses(), std::set<int>{403});
}

TEST_P(RefusedKeyTest, WhoRefusesItForHeLacksItIsNotBelieved) {
  make_key(nodes("a"));
  for (const std::string& name : nodes("b")) ASSERT_TRUE(world().set_down(name, true));
  EXPECT_EQ(statuses(), std::set<int>{503});
}

}  // namespace
}  // namespace miroir
