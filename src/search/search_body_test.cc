#include "search/search_body.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

std::string body_of(const std::string& query) {
  const auto body = body_of_query(query);
  return body ? to_text(*body) : "none";
}

TEST(SearchBodyTest, EveryParameterOfASearchHasItsPlaceInABody) {
  EXPECT_EQ(
      body_of("q=a+b&limit=3&showRankingScore=true&facets=x,y&sort=_geoPoint(1,2):asc,y:desc"),
      R"({"q":"a b","limit":3,"showRankingScore":true,"facets":["x","y"],)"
      R"("sort":["_geoPoint(1,2):asc","y:desc"]})");
  EXPECT_EQ(body_of("filter=a%20%3D%201&rankingScoreThreshold=.5&useNetwork=false"),
            R"({"filter":"a = 1","rankingScoreThreshold":0.5,"useNetwork":false})");
  EXPECT_EQ(body_of("filter=%5B%22a%20%3D%201%22%5D&showPerformanceDetails=true"),
            R"({"filter":["a = 1"],"showPerformanceDetails":true})");
  EXPECT_EQ(body_of("limit=18446744073709551615"), R"({"limit":18446744073709551615})");
  EXPECT_EQ(body_of("personalizeUserContext=likes+tea"),
            R"({"personalize":{"userContext":"likes tea"}})");
}

TEST(SearchBodyTest, VectorsAndHybridSearchesHaveTheirPlaceToo) {
  EXPECT_EQ(body_of("vector=0.5,1,-2e-3&hybridEmbedder=mine&retrieveVectors=true"),
            R"({"vector":[0.5,1.0,-0.002],"hybrid":{"embedder":"mine"},"retrieveVectors":true})");
  EXPECT_EQ(body_of("hybridSemanticRatio=0.25&hybridEmbedder=mine"),
            R"({"hybrid":{"semanticRatio":0.25,"embedder":"mine"}})");
}

// What a node words best.
TEST(SearchBodyTest, WhatANodeWouldRefuseHasNone) {
  for (const char* query :
       {"vector=1,2", "hybridSemanticRatio=0.5", "vector=1,x&hybridEmbedder=mine",
        "hybridSemanticRatio=nan&hybridEmbedder=mine", "limit=-1", "limit=1.5",
        "showRankingScore=yes", "rankingScoreThreshold=much", "unknown=1"})
    EXPECT_EQ(body_of(query), "none") << query;
}

}  // namespace
}  // namespace miroir
