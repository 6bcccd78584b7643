#include "log/doubt.h"

#include <gtest/gtest.h>

#include <set>

#include "search/search_world_fake.h"

namespace miroir {
namespace {

// An operation on the whole index failed on some nodes, and no pass has compared it yet.
class DoubtTest : public ::testing::TestWithParam<int> {
 protected:
  DoubtTest() : at_(GetParam()) {
    std::vector<Json> documents;
    for (int i = 0; i < 40; ++i)
      documents.push_back(Json::object({{"id", "m" + std::to_string(i)}, {"score", 1.0}}));
    at_.load(std::move(documents));
  }

  void doubt(const std::string& node, Position incarnation) {
    Taint taint{.incarnation = incarnation, .id = "", .node = node, .failed = {incarnation}};
    ASSERT_TRUE(at_.world.await(at_.world.log().add_taints({taint}, taint.newest())));
  }
  Position movies() const {
    return at_.world.process->log->catalogue().index(SearchWorld::kIndex)->incarnation;
  }
  // Everything that is read of the index, several times: whose turn it is changes.
  std::set<std::string> asked_by_reading() {
    at_.asked.clear();
    for (int i = 0; i < 8; ++i) {
      const std::string n = std::to_string(i);
      at_.search(R"({"q":")" + n + R"("})");
      at_.request("POST", "/multi-search",
                  R"({"queries":[{"indexUid":"movies","q":")" + n + R"("}]})");
      at_.request("POST", "/multi-search",
                  R"({"federation":{},"queries":[{"indexUid":"movies","q":")" + n + R"("}]})");
      at_.request("GET", "/indexes/movies/documents/m" + n);
      at_.request("POST", "/indexes/movies/documents/fetch", R"({"offset":)" + n + "}");
      at_.request("POST", "/indexes/movies/facet-search", R"({"facetName":"a"})");
      at_.request("GET", "/indexes/movies/stats");
    }
    std::set<std::string> nodes;
    for (const SearchWorld::Asked& asked : at_.asked) nodes.insert(asked.node);
    return nodes;
  }

  SearchWorld at_;
};
INSTANTIATE_TEST_SUITE_P(NodesPerGroup, DoubtTest, ::testing::Values(1, 2));

TEST_P(DoubtTest, NodeIsNotReadForTheIndexUntilTheDoubtEnds) {
  ASSERT_TRUE(asked_by_reading().contains("a0"));
  doubt("a0", movies());
  EXPECT_FALSE(asked_by_reading().contains("a0"));
  EXPECT_EQ(at_.search("{}").headers.find("X-Miroir-Degraded"), nullptr) << "the other is whole";
  ASSERT_TRUE(at_.world.await(at_.world.log().clear_taints(at_.world.log().index_taints())));
  EXPECT_TRUE(asked_by_reading().contains("a0"));
}

TEST_P(DoubtTest, OtherIndexesAreReadThereAsBefore) {
  doubt("a0", at_.world.create_index("books"));
  EXPECT_TRUE(asked_by_reading().contains("a0"));
  at_.asked.clear();
  for (int i = 0; i < 8; ++i) {
    at_.request("POST", "/multi-search",
                R"({"queries":[{"indexUid":"movies"},{"indexUid":"books","q":")" +
                    std::to_string(i) + R"("}]})");
  }
  // One request of several indexes, and one answer to each.
  const bool together = GetParam() == 1;
  for (const SearchWorld::Asked& asked : at_.asked) {
    const bool of_books = asked.request.body.find("books") != std::string::npos;
    EXPECT_FALSE((together || of_books) && asked.node == "a0") << asked.request.body;
  }
}

TEST_P(DoubtTest, WithNobodyElseItAnswersAsDegraded) {
  for (const char* node : {"a0", "a1", "b0", "b1"}) {
    if (at_.world.nodes.contains(node)) doubt(node, movies());
  }
  const http::Response found = at_.search(R"({"limit":40})");
  EXPECT_EQ(found.status, 200) << found.body;
  ASSERT_NE(found.headers.find("X-Miroir-Degraded"), nullptr);
  EXPECT_TRUE(found.headers.find("X-Miroir-Degraded")->starts_with("stale="));
  at_.misbehave = [](const SearchWorld::Asked&) {
    return std::optional<Result<http::Response>>(http::json_response(200, "{}"));
  };
  EXPECT_NE(at_.request("GET", "/indexes/movies/documents/m1").headers.find("X-Miroir-Degraded"),
            nullptr);
}

TEST_P(DoubtTest, UndoubtedReplicaThatIsAwayIsWaitedFor) {
  for (const char* node : {"a0", "a1"}) {
    if (at_.world.nodes.contains(node)) doubt(node, movies());
  }
  for (const char* node : {"b0", "b1"}) {
    if (at_.world.nodes.contains(node)) at_.world.networks.at(node).cut = true;
  }
  at_.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (asked.node.front() != 'b') return std::nullopt;
    return Result<http::Response>(std::unexpected(Error{ErrorCode::kUnavailable, "gone"}));
  };
  EXPECT_EQ(at_.search("{}").status, 503);
}

TEST_P(DoubtTest, NodeThatCouldNotDropAnIndexIsNotAskedAboutIt) {
  doubt("a0", 1'000);  // of no index any more
  EXPECT_TRUE(asked_by_reading().contains("a0"));
  EXPECT_FALSE(in_doubt(at_.world.log(), SearchWorld::kIndex, "a0"));
  EXPECT_TRUE(in_doubt(at_.world.log(), "dropped", "a0"));
  EXPECT_FALSE(in_doubt(at_.world.log(), "dropped", "b0"));
}

}  // namespace
}  // namespace miroir
