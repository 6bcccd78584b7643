#include "search/merge.h"

#include <gtest/gtest.h>

#include "base/parsed_json_fake.h"

namespace miroir {
namespace {

FederatedHit hit(std::string_view scores, std::int64_t query = 0) {
  FederatedHit hit;
  hit.scores = parsed(scores);
  hit.query = query;
  return hit;
}

TEST(MergeTest, KeysAreComparedElementByElement) {
  const FederatedHit high = hit(R"([{"weightedScore":0.9},{"sort":{"asc":true,"value":5}}])");
  const FederatedHit low = hit(R"([{"weightedScore":0.8},{"sort":{"asc":true,"value":1}}])");
  EXPECT_GT(compare_hits(high, low), 0);
  EXPECT_LT(compare_hits(low, high), 0);
  const FederatedHit near =
      hit(R"([{"weightedScore":0.9000000000000001},{"sort":{"asc":true,"value":7}}])");
  EXPECT_GT(compare_hits(high, near), 0);  // within an epsilon: the sort decides
}

TEST(MergeTest, MoreKeysWinThenTheQuerysPosition) {
  const FederatedHit more = hit(R"([{"weightedScore":1.0},{"weightedScore":0.1}])", 3);
  EXPECT_GT(compare_hits(more, hit(R"([{"weightedScore":1.0}])", 0)), 0);
  EXPECT_GT(
      compare_hits(hit(R"([{"weightedScore":1.0}])", 0), hit(R"([{"weightedScore":1.0}])", 1)), 0);
}

TEST(MergeTest, NumbersStandBeforeStringsAndNothingLastWhateverTheDirection) {
  for (const bool ascending : {true, false}) {
    EXPECT_GT(compare_sort_values(Json(1), Json("a"), ascending), 0);
    EXPECT_GT(compare_sort_values(Json("a"), Json(), ascending), 0);
    EXPECT_LT(compare_sort_values(Json(), Json(1), ascending), 0);
    EXPECT_EQ(compare_sort_values(Json(), Json(), ascending), 0);
  }
  EXPECT_GT(compare_sort_values(Json(1), Json(2.5), true), 0);
  EXPECT_LT(compare_sort_values(Json(1), Json(2.5), false), 0);
}

TEST(MergeTest, DistancesCompareAsNumbers) {
  const FederatedHit near =
      hit(R"([{"geoSort":{"target":[0,0],"asc":true,"value":[1,1],"distance":10.0}}])");
  const FederatedHit far =
      hit(R"([{"geoSort":{"target":[0,0],"asc":true,"value":[2,2],"distance":90.0}}])");
  EXPECT_GT(compare_hits(near, far), 0);
}

TEST(MergeTest, ScoresOfVectorsAndOfWordsCompare) {
  const FederatedHit near = hit(R"([{"vectorSort":0.9}])");
  const FederatedHit far = hit(R"([{"vectorSort":0.4}])");
  const FederatedHit words = hit(R"([{"weightedScore":0.6}])");
  EXPECT_GT(compare_hits(near, far), 0);
  EXPECT_GT(compare_hits(near, words), 0);
  EXPECT_GT(compare_hits(words, far), 0);
}

TEST(MergeTest, AnAnswerWithoutHitsOrWithoutFederationIsCorrupt) {
  EXPECT_EQ(parse_federated("{}").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(parse_federated(R"({"hits":[{"id":1}]})").error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(parse_federated("garbage"));
}

TEST(MergeTest, AHitsTextIsTheDocumentByteForByte) {
  const auto answer =
      parse_federated(R"({"hits":[{"id":1e2,"_federation":{"queriesPosition":2},"t":"\u0041"}]})");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->hits[0].text, R"({"id":1e2,"t":"\u0041"})");
  EXPECT_EQ(answer->hits[0].query, 2);
}

TEST(MergeTest, FacetCountsAreSummedByNormalisedValue) {
  const Json merged = merge_facets(
      {parsed(R"({"distribution":{"c":{"Blue":2,"red":1}},"stats":{"n":{"min":2,"max":3}}})"),
       parsed(
           R"({"distribution":{"c":{"blue":5}},"stats":{"n":{"min":1,"max":2.5},"m":{"min":0,"max":0}}})")},
      {});
  EXPECT_EQ(merged, parsed(R"({"distribution":{"c":{"Blue":7,"red":1}},)"
                           R"("stats":{"n":{"min":1,"max":3},"m":{"min":0,"max":0}}})"));
}

TEST(MergeTest, FacetValuesAreTheSameAsToMeilisearch) {
  const Json merged = merge_facets({parsed(R"({"distribution":{"c":{"Élan":2,"x":1}}})"),
                                    parsed(R"({"distribution":{"c":{"élan ":5,"Ｘ":1}}})")},
                                   {});
  EXPECT_EQ(to_text(*merged.find("distribution")), R"({"c":{"Élan":7,"x":2}})");
}

TEST(MergeTest, FoundFacetValuesStandAsTheirAttributeSays) {
  const std::vector<Json> nodes = {parsed(R"({"a":1,"b":2,"c":3})"), parsed(R"({"B":1,"d":3})")};
  FacetRules rules{.limit = 3, .sort_by = parsed(R"({"*":"alpha","genre":"count"})")};
  EXPECT_EQ(to_text(merge_facet_hits(nodes, rules, "genre")),
            R"([{"value":"d","count":3},{"value":"c","count":3},{"value":"b","count":3}])");
  EXPECT_EQ(to_text(merge_facet_hits(nodes, rules, "other")),
            R"([{"value":"a","count":1},{"value":"b","count":3},{"value":"c","count":3}])");
  EXPECT_EQ(to_text(merge_facet_hits({Json(), parsed(R"({"a":"many"})")}, rules, "genre")),
            R"([{"value":"a","count":0}])");
}

TEST(MergeTest, FacetValuesStandByNameOrByCountAndAreCut) {
  const std::vector<Json> facets = {
      parsed(R"({"distribution":{"c":{"a":1,"b":3,"c":2},"d":{"x":1,"y":2}}})")};
  FacetRules rules{2, parsed(R"({"*":"alpha","c":"count"})")};
  EXPECT_EQ(to_text(merge_facets(facets, rules)["distribution"]),
            R"({"c":{"b":3,"c":2},"d":{"x":1,"y":2}})");
  rules.sort_by = parsed(R"({"*":"count"})");
  EXPECT_EQ(to_text(merge_facets(facets, rules)["distribution"]["d"]), R"({"y":2,"x":1})");
}

TEST(MergeTest, GarbageOfANodeIsNobodysEnd) {
  const Json facets = *parse_json(R"({"distribution":{"a":1,"b":{"x":2}},"stats":{"c":1}})");
  const Json merged = merge_facets({facets, facets}, FacetRules());
  EXPECT_EQ(to_text(*merged.find("distribution")->find("b")), R"({"x":4})");
}

}  // namespace
}  // namespace miroir
