#include "search/facet_limit.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

Json limit(Json value) {
  return Json::object({{"faceting", Json::object({{"maxValuesPerFacet", std::move(value)}})}});
}

TEST(FacetLimitTest, OnlyALimitBelowTheNodesIsTheirsToo) {
  EXPECT_EQ(facet_limit_below_nodes(limit(0)), 0U);
  EXPECT_EQ(facet_limit_below_nodes(limit(99)), 99U);
  for (const Json& none : {limit(100), limit(5'000), limit(Json()), Json::object(), Json()})
    EXPECT_EQ(facet_limit_below_nodes(none), std::nullopt) << to_text(none);
}

TEST(FacetLimitTest, FirstValuesStayAndTheRestOfTheAnswerAsItIs) {
  const std::string answer =
      R"({"hits":[{"id":1.0,"facetDistribution":{"x":{"a":1,"b":1,"c":1}}}],)"
      R"("facetDistribution":{"genre":{"c":9,"a":3,"b":3},"year":{"1990":1},"none":{}},"facetStats":{}})";
  EXPECT_EQ(
      cut_facets(answer, limit(2)),
      R"({"hits":[{"id":1.0,"facetDistribution":{"x":{"a":1,"b":1,"c":1}}}],)"
      R"("facetDistribution":{"genre":{"c":9,"a":3},"year":{"1990":1},"none":{}},"facetStats":{}})");
  EXPECT_EQ(cut_facets(answer, limit(100)), answer);
  EXPECT_EQ(cut_facets(answer, Json()), answer);
}

TEST(FacetLimitTest, FoundValuesAreCut) {
  EXPECT_EQ(
      cut_facets(R"({"facetHits":[{"value":"a"},{"value":"b"}],"facetQuery":null})", limit(1)),
      R"({"facetHits":[{"value":"a"}],"facetQuery":null})");
}

TEST(FacetLimitTest, WhatIsNoAnswerIsLeftAlone) {
  for (const char* other : {"", "[1]", R"({"message":"m"})", R"({"facetDistribution":null})",
                            R"({"facetDistribution":{"a":1}})"})
    EXPECT_EQ(cut_facets(other, limit(1)), other);
}

TEST(FacetLimitTest, EachOfSeveralSearchesHasItsIndexsLimit) {
  Catalogue catalogue;
  for (const auto& [uid, settings] :
       {std::pair("one", limit(1)), std::pair("two", limit(2)), std::pair("all", Json::object())}) {
    Entry made;
    made.kind = EntryKind::kAdoptIndex;
    made.index_uid = uid;
    made.arguments = Json::object({{"clientSettings", settings}});
    catalogue.apply(made);
  }
  auto search = [](std::string uid, std::string values) {
    return R"({"indexUid":")" + std::move(uid) + R"(","hits":[],"facetDistribution":{"g":{)" +
           std::move(values) + "}}}";
  };
  const std::string values = R"("a":1,"b":1,"c":1)";
  EXPECT_EQ(cut_facets_of_each(R"({"results":[)" + search("one", values) + "," +
                                   search("all", values) + "," + search("two", values) + "]}",
                               catalogue),
            R"({"results":[)" + search("one", R"("a":1)") + "," + search("all", values) + "," +
                search("two", R"("a":1,"b":1)") + "]}");
  EXPECT_EQ(cut_facets_of_each(R"({"results":[]})", catalogue), R"({"results":[]})");
}

}  // namespace
}  // namespace miroir
