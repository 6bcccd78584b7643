#include "search/federated.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "search/search_engine_fake.h"

namespace miroir {
namespace {

const FieldNames kNames;
constexpr const char* kIndex = "movies";

Json parsed(std::string_view text) { return parse_json(text).value(); }

// The documents dealt out to so many nodes, asked as Miroir asks, and merged.
Json merged_search(const std::vector<std::vector<Json>>& nodes, const Json& body,
                   const Json& settings = Json::object(), bool keys = true) {
  const ScatteredSearch search(kIndex, body, settings);
  std::vector<FederatedAnswer> answers;
  for (const auto& documents : nodes) {
    const std::string answer = SearchEngine(documents).federated(parsed(search.request({})), keys);
    answers.push_back(parse_federated(answer).value());
  }
  return parsed(search.answer(std::move(answers), kNames));
}

Json movie(int id, double score, Json year) {
  return Json::object(
      {{"id", id}, {"score", score}, {"year", std::move(year)}, {"_miroir_slot", "!!!!!!"}});
}

std::vector<int> ids_of(const Json& answer) {
  std::vector<int> ids;
  for (const Json& hit : answer.find("hits")->as_array())
    ids.push_back(static_cast<int>(hit.find("id")->as_int64()));
  return ids;
}

TEST(ScatteredSearchTest, HitsStandByScoreThenSortThenNode) {
  const std::vector<std::vector<Json>> nodes = {
      {movie(1, 0.5, 1990), movie(2, 0.9, "unknown"), movie(3, 0.5, Json())},
      {movie(4, 0.5, 1980), movie(5, 0.9, 2000), movie(6, 0.5, 1990)}};
  EXPECT_EQ(ids_of(merged_search(nodes, parsed(R"({"sort":["year:asc"]})"))),
            (std::vector{5, 2, 4, 1, 6, 3}));
  EXPECT_EQ(ids_of(merged_search(nodes, parsed(R"({"sort":["year:desc"]})"))),
            (std::vector{5, 2, 1, 6, 4, 3}));
}

TEST(ScatteredSearchTest, WithoutKeysTheRankingScoreOrders) {
  const std::vector<std::vector<Json>> nodes = {{movie(1, 0.2, 1), movie(2, 0.8, 1)},
                                                {movie(3, 0.9, 1), movie(4, 0.5, 1)}};
  EXPECT_EQ(ids_of(merged_search(nodes, Json::object(), Json::object(), false)),
            (std::vector{3, 2, 4, 1}));
}

TEST(ScatteredSearchTest, StoredFieldsAndFederationAreHidden) {
  const Json answer = merged_search({{movie(1, 1, 1)}, {}}, parsed(R"({"facets":["year"]})"));
  EXPECT_EQ(to_text(*answer.find("hits")), R"([{"id":1,"score":1.0,"year":1}])");
}

TEST(ScatteredSearchTest, FacetsOfStoredFieldsAreHidden) {
  const ScatteredSearch search(kIndex, parsed(R"({"facets":["*"]})"), Json::object());
  std::vector<FederatedAnswer> answers(1);
  answers[0].facets = parsed(
      R"({"movies":{"distribution":{"_miroir_slot":{"!":1},"year":{"1":1}},"stats":{"_miroir_base":{"min":1,"max":2}}}})");
  const Json answer = parsed(search.answer(std::move(answers), kNames));
  EXPECT_EQ(to_text(*answer.find("facetDistribution")), R"({"year":{"1":1}})");
  EXPECT_EQ(to_text(*answer.find("facetStats")), "{}");
}

TEST(ScatteredSearchTest, TheQueryAndItsOwnOptionsGoAlongPagesDoNot) {
  const ScatteredSearch search(
      kIndex,
      parsed(
          R"({"q":"x","offset":5,"limit":7,"facets":["year"],"filter":"a = 1","showRankingScore":true})"),
      parsed(R"({"distinctAttribute":"sku"})"));
  const Json expected = parsed(R"({"federation":{"limit":12,"distinct":"sku",
      "facetsByIndex":{"movies":["year"]}},
      "queries":[{"indexUid":"movies","q":"x","showRankingScore":true}]})");
  Json asked = parsed(search.request({}));
  Json& query = asked["queries"].as_array().front();
  EXPECT_EQ(*query.find("filter"), Json("a = 1"));
  query.erase("filter");
  EXPECT_EQ(asked, expected);
  EXPECT_EQ(parsed(search.request({{0, 1}}))["queries"].as_array().front()["filter"],
            Json::array({slots_filter({{0, 1}}), "a = 1"}));
}

TEST(ScatteredSearchTest, TotalsAndWindowEndAtMaxTotalHits) {
  std::vector<Json> many;
  for (int i = 0; i < 8; ++i) many.push_back(movie(i, 1 - i * 0.01, 1));
  const Json settings = parsed(R"({"pagination":{"maxTotalHits":10}})");
  std::vector<Json> more;
  for (int i = 8; i < 20; ++i) more.push_back(movie(i, 1 - i * 0.01, 1));
  const Json answer = merged_search({many, more}, parsed(R"({"offset":8,"limit":50})"), settings);
  EXPECT_EQ(ids_of(answer), (std::vector{8, 9}));
  EXPECT_EQ(*answer.find("estimatedTotalHits"), Json(10));
  EXPECT_EQ(*answer.find("limit"), Json(50));  // as a node says it
  EXPECT_EQ(*answer.find("offset"), Json(8));
  const Json beyond = merged_search({many, more}, parsed(R"({"offset":80})"), settings);
  EXPECT_TRUE(ids_of(beyond).empty());
  EXPECT_EQ(*beyond.find("offset"), Json(10));
}

TEST(ScatteredSearchTest, PagesBeyondAllNumbersAreEmpty) {
  for (const char* page : {R"({"page":8589934593,"hitsPerPage":2147483648})",
                           R"({"page":9223372036854775807,"hitsPerPage":9223372036854775807})",
                           R"({"page":18446744073709551615,"hitsPerPage":2})", R"({"page":0})"}) {
    EXPECT_TRUE(ids_of(merged_search({{movie(1, 1, 1)}}, parsed(page))).empty()) << page;
  }
}

TEST(ScatteredSearchTest, OneHitForEachDistinctValueWhateverItsCase) {
  const ScatteredSearch search(kIndex, parsed(R"({"distinct":"sku"})"), Json::object());
  auto answer_of = [](const char* hits) {
    return parse_federated(std::string(R"({"hits":[)") + hits + R"(],"estimatedTotalHits":1})")
        .value();
  };
  std::vector<FederatedAnswer> answers;
  answers.push_back(answer_of(
      R"({"id":1,"_federation":{"weightedScoreValues":[{"weightedScore":0.5}],"extra_document":{"sku":"A"}}})"));
  answers.push_back(answer_of(
      R"({"id":2,"_federation":{"weightedScoreValues":[{"weightedScore":0.9}],"extra_document":{"sku":"a"}}})"));
  const Json answer = parsed(search.answer(std::move(answers), kNames));
  EXPECT_EQ(ids_of(answer), std::vector{2});
  EXPECT_EQ(*answer.find("estimatedTotalHits"), Json(1));
}

TEST(FederationTest, TheClientsPageIsCutFromTheMergedHits) {
  const Json body = parsed(
      R"({"federation":{"offset":1,"limit":2,"mergeFacets":{}},"queries":[{"indexUid":"movies"}]})");
  EXPECT_EQ(parsed(scattered_federation(body, {})),
            parsed(R"({"federation":{"limit":3},"queries":[{"indexUid":"movies"}]})"));
  std::vector<FederatedAnswer> answers;
  for (const auto& documents : std::vector<std::vector<Json>>{
           {movie(1, 0.9, 1), movie(2, 0.5, 1)}, {movie(3, 0.8, 1), movie(4, 0.7, 1)}}) {
    answers.push_back(
        parse_federated(SearchEngine(documents).federated(parsed(scattered_federation(body, {}))))
            .value());
  }
  const Json merged = parsed(merged_federation(body, std::move(answers), Catalogue(), kNames));
  EXPECT_EQ(ids_of(merged), (std::vector{3, 4}));
  EXPECT_EQ(to_text(*merged.find("hits")->as_array()[0].find("_federation")),
            R"({"indexUid":"movies","queriesPosition":0,"weightedRankingScore":0.8})");
  EXPECT_EQ(*merged.find("estimatedTotalHits"), Json(4));
}

TEST(FederationTest, PageZeroHasNoHitsAndNullIsNoPage) {
  const Json zero = parsed(R"({"federation":{"page":0},"queries":[{"indexUid":"movies"}]})");
  std::vector<FederatedAnswer> answers;
  answers.push_back(
      parse_federated(R"({"hits":[{"id":1,"_federation":{}}],"totalHits":1})").value());
  EXPECT_TRUE(ids_of(parsed(merged_federation(zero, answers, Catalogue(), kNames))).empty());
  const Json null = parsed(R"({"federation":{"page":null},"queries":[{"indexUid":"movies"}]})");
  EXPECT_NE(merged_federation(null, answers, Catalogue(), kNames).find("estimatedTotalHits"),
            std::string::npos);
}

Json any_document(int id) {
  Json document = Json::object({{"id", id}});
  document.set("score", Json(*rc::gen::element(0.25, 0.5, 0.75, 1.0)));
  const int kind = *rc::gen::inRange(0, 4);
  if (kind == 0) document.set("year", *rc::gen::inRange(1990, 1995));
  if (kind == 1) document.set("year", *rc::gen::element("then", "now"));
  if (kind == 2) document.set("year", *rc::gen::element(0.5, -1.0));
  document.set("genre", *rc::gen::element("a", "b", "c"));
  document.set("tie", id);  // no two documents are equal in everything that is sorted by
  return document;
}

Json any_search() {
  Json body = Json::object();
  body.set("sort", Json::array({*rc::gen::element("year:asc", "year:desc"), "tie:asc"}));
  if (*rc::gen::arbitrary<bool>()) {
    body.set("page", *rc::gen::inRange(0, 5));
    body.set("hitsPerPage", *rc::gen::inRange(0, 8));
  } else {
    body.set("offset", *rc::gen::inRange(0, 30));
    body.set("limit", *rc::gen::inRange(0, 30));
  }
  if (*rc::gen::arbitrary<bool>()) body.set("facets", Json::array({"genre", "year"}));
  if (*rc::gen::arbitrary<bool>()) body.set("filter", "genre != a");
  return body;
}

// The page merged from any number of nodes is the page of one node that holds everything.
RC_GTEST_PROP(ScatteredSearchTest, SameAsOneNodeThatHoldsAll, ()) {
  const int documents = *rc::gen::inRange(0, 40);
  std::vector<Json> all;
  std::vector<std::vector<Json>> nodes(static_cast<std::size_t>(*rc::gen::inRange(1, 5)));
  for (int id = 0; id < documents; ++id) {
    all.push_back(any_document(id));
    nodes[static_cast<std::size_t>(*rc::gen::inRange(0, 100)) % nodes.size()].push_back(all.back());
  }
  const Json body = any_search();
  const Json expected = SearchEngine(all).search(body);
  const Json merged = merged_search(nodes, body);
  for (const auto& [name, value] : expected.as_object()) {
    const Json* its = merged.find(name);
    if (its == nullptr || !(*its == value))
      RC_FAIL(name + ": " + to_text(value) + " but " + (its ? to_text(*its) : "nothing"));
  }
}

TEST(FederatedTest, WhatIsNoQueryIsLeftToTheNode) {
  const Json body = *parse_json(R"({"federation":{},"queries":[1,{"indexUid":"a"}]})");
  const Json sent = *parse_json(scattered_federation(body, {{0, 7}}));
  EXPECT_EQ(sent.find("queries")->as_array()[0], Json(1));
  EXPECT_NE(sent.find("queries")->as_array()[1].find("filter"), nullptr);
}

}  // namespace
}  // namespace miroir
