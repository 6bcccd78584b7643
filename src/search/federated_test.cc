#include "search/federated.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/parsed_json_fake.h"
#include "node_api/field_names_fake.h"
#include "search/search_engine_fake.h"

namespace miroir {
namespace {

constexpr const char* kIndex = "movies";

// The documents dealt out to so many nodes, asked as Miroir asks, and merged.
Json merged_search(const std::vector<std::vector<Json>>& nodes, const Json& body,
                   const Json& settings = Json::object(), bool keys = true) {
  const ScatteredSearch search(kIndex, body, settings);
  std::vector<FederatedAnswer> answers;
  for (const auto& documents : nodes) {
    const SearchEngine engine(documents, distinct_attribute_of(settings));
    const std::string answer = engine.federated(parsed(search.request({})), keys);
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
      parsed(R"({"distinctAttribute":"sku","filterableAttributes":["sku"]})"));
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

FederatedAnswer answer_of(const char* hits) {
  return parse_federated(std::string(R"({"hits":[)") + hits + R"(],"estimatedTotalHits":1})")
      .value();
}

TEST(ScatteredSearchTest, OneHitForEachDistinctValueWhateverItsCase) {
  const ScatteredSearch search(kIndex, parsed(R"({"distinct":"sku"})"), Json::object());
  std::vector<FederatedAnswer> answers;
  answers.push_back(answer_of(
      R"({"id":1,"_federation":{"weightedScoreValues":[{"weightedScore":0.5}],"extra_document":{"sku":"A"}}})"));
  answers.push_back(answer_of(
      R"({"id":2,"_federation":{"weightedScoreValues":[{"weightedScore":0.9}],"extra_document":{"sku":"a"}}})"));
  const Json answer = parsed(search.answer(std::move(answers), kNames));
  EXPECT_EQ(ids_of(answer), std::vector{2});
  EXPECT_EQ(*answer.find("estimatedTotalHits"), Json(1));
}

TEST(ScatteredSearchTest, OneHitForEachDistinctValueThatTheDocumentShows) {
  // A node tells the value apart from the document only where the document does not show it.
  for (const auto& [path, first, second] :
       std::vector<std::tuple<const char*, const char*, const char*>>{
           {"sku", R"("sku":"A")", R"("sku":"a")"},
           {"sku", R"("sku":7)", R"("sku":7.0)"},
           {"sku", R"("sku":["x","É"])", R"("sku":["é","y"])"},
           {"sku.code", R"("sku":{"code":true})", R"("sku":[{"code":"TRUE"}])"}}) {
    const ScatteredSearch search(kIndex, Json::object({{"distinct", path}}), Json::object());
    auto hit = [](const char* id, const char* member, const char* score) {
      return answer_of((std::string(R"({"id":)") + id + "," + member +
                        R"(,"_federation":{"weightedScoreValues":[{"weightedScore":)" + score +
                        R"(}],"extra_document":{}}})")
                           .c_str());
    };
    std::vector<FederatedAnswer> answers = {hit("1", first, "0.5"), hit("2", second, "0.9"),
                                            hit("3", R"("other":1)", "0.1"),
                                            hit("4", R"("other":1)", "0.1")};
    const Json answer = parsed(search.answer(std::move(answers), kNames));
    EXPECT_EQ(ids_of(answer), (std::vector{2, 3, 4})) << second;
    EXPECT_EQ(*answer.find("estimatedTotalHits"), Json(3));
  }
}

// A node refuses to be asked for it, and looks at its own setting all the same.
TEST(ScatteredSearchTest, OwnDistinctAttributeNeedNotBeFilterable) {
  const Json settings = parsed(R"({"distinctAttribute":"sku"})");
  ScatteredSearch search(kIndex, parsed(R"({"attributesToRetrieve":["id"]})"), settings);
  EXPECT_FALSE(search.leave_distinct_to_the_index());
  const Json asked = parsed(search.request({}));
  EXPECT_EQ(asked.find("federation")->find("distinct"), nullptr);
  EXPECT_EQ(to_text(*asked.find("queries")),
            R"([{"attributesToRetrieve":["id","sku"],"indexUid":"movies"}])");
  std::vector<FederatedAnswer> answers;
  for (const char* hit :
       {R"({"id":1,"sku":"a","_formatted":{"sku":"a","id":"1"},"_federation":{}})",
        R"({"id":2,"sku":"A","_federation":{}})"}) {
    answers.push_back(answer_of(hit));
  }
  EXPECT_EQ(to_text(*parsed(search.answer(std::move(answers), kNames)).find("hits")),
            R"([{"id":1,"_formatted":{"id":"1"}}])");
}

TEST(ScatteredSearchTest, OnlyTheOwnDistinctAttributeCanBeLeftToTheIndex) {
  const Json settings = parsed(R"({"distinctAttribute":"sku","filterableAttributes":["sku","a"]})");
  ScatteredSearch own(kIndex, Json::object(), settings);
  EXPECT_TRUE(own.leave_distinct_to_the_index());
  EXPECT_EQ(own.request({}).find("distinct"), std::string::npos);
  ScatteredSearch asked(kIndex, parsed(R"({"distinct":"a"})"), settings);
  EXPECT_FALSE(asked.leave_distinct_to_the_index());
  EXPECT_NE(asked.request({}).find(R"("distinct":"a")"), std::string::npos);
  ScatteredSearch none(kIndex, Json::object(), Json::object());
  EXPECT_FALSE(none.leave_distinct_to_the_index());
}

TEST(ScatteredSearchTest, HitsFoundByVectorsAreCounted) {
  const ScatteredSearch search(kIndex, parsed(R"({"limit":2})"), Json::object());
  std::vector<FederatedAnswer> answers;
  for (const char* score :
       {R"({"vectorSort":0.5})", R"({"weightedScore":0.9})", R"({"vectorSort":0.7})"}) {
    answers.push_back(
        parse_federated(std::string(R"({"semanticHitCount":1,"hits":[{"id":1,"_federation":)") +
                        R"({"weightedScoreValues":[)" + score + "]}}]}")
            .value());
  }
  EXPECT_EQ(*parsed(search.answer(answers, kNames)).find("semanticHitCount"), Json(1));
  for (FederatedAnswer& answer : answers) answer.semantic = false;
  EXPECT_EQ(search.answer(answers, kNames).find("semanticHitCount"), std::string::npos);
}

std::string merged_federation(const Json& body, std::vector<FederatedAnswer> answers,
                              const Catalogue& catalogue = {}) {
  auto merged = ScatteredFederation(body, catalogue).answer(std::move(answers), catalogue, kNames);
  return merged ? *merged : to_text(to_json(merged.error()));
}

TEST(FederationTest, TheClientsPageIsCutFromTheMergedHits) {
  const Json body = parsed(
      R"({"federation":{"offset":1,"limit":2,"mergeFacets":{}},"queries":[{"indexUid":"movies"}]})");
  const Json asked = parsed(ScatteredFederation(body, {}).request({}));
  EXPECT_EQ(asked, parsed(R"({"federation":{"limit":3},"queries":[{"indexUid":"movies"}]})"));
  std::vector<FederatedAnswer> answers;
  for (const auto& documents : std::vector<std::vector<Json>>{
           {movie(1, 0.9, 1), movie(2, 0.5, 1)}, {movie(3, 0.8, 1), movie(4, 0.7, 1)}}) {
    answers.push_back(parse_federated(SearchEngine(documents).federated(asked)).value());
  }
  const Json merged = parsed(merged_federation(body, std::move(answers)));
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
  EXPECT_TRUE(ids_of(parsed(merged_federation(zero, answers))).empty());
  const Json null = parsed(R"({"federation":{"page":null},"queries":[{"indexUid":"movies"}]})");
  EXPECT_NE(merged_federation(null, answers).find("estimatedTotalHits"), std::string::npos);
}

// An index as clients made it.
void add_index(Catalogue& catalogue, const char* uid, const char* settings) {
  Entry made;
  made.kind = EntryKind::kAdoptIndex;
  made.index_uid = uid;
  made.arguments = Json::object({{"clientSettings", parsed(settings)}});
  catalogue.apply(made);
}

TEST(FederationTest, OwnDistinctAttributeCountsAmongTheHitsOfItsQuery) {
  Catalogue catalogue;
  add_index(catalogue, "movies", R"({"distinctAttribute":"sku"})");
  add_index(catalogue, "books", "{}");
  const Json body = parsed(R"({"federation":{},"queries":[
      {"indexUid":"movies","attributesToRetrieve":["id"]},{"indexUid":"movies","q":"x"},
      {"indexUid":"books"}]})");
  const Json asked = parsed(ScatteredFederation(body, catalogue).request({}));
  EXPECT_EQ(asked.find("federation")->find("distinct"), nullptr);
  EXPECT_EQ(to_text(*asked.find("queries")->as_array()[0].find("attributesToRetrieve")),
            R"(["id","sku"])");
  auto hits = [](const char* first, const char* second) {
    auto hit = [](int id, int query) {
      return R"({"id":)" + std::to_string(id) + R"(,"sku":1,"_federation":{"queriesPosition":)" +
             std::to_string(query) + R"(,"weightedRankingScore":)" + std::to_string(1.0 / id) +
             "}}";
    };
    return answer_of(
        (hit(first[0] - '0', first[1] - '0') + "," + hit(second[0] - '0', second[1] - '0'))
            .c_str());
  };
  // Ids and queries, of three nodes.
  const Json merged = parsed(
      merged_federation(body, {hits("10", "21"), hits("30", "42"), hits("51", "62")}, catalogue));
  EXPECT_EQ(ids_of(merged), (std::vector{1, 2, 4, 6}));
  EXPECT_EQ(merged.find("hits")->as_array()[0].find("sku"), nullptr);
  EXPECT_EQ(*merged.find("hits")->as_array()[1].find("sku"), Json(1));
}

TEST(FederationTest, MergedFacetsKeepEachIndexsLimitAndSpelling) {
  Catalogue catalogue;
  add_index(catalogue, "movies", R"({"faceting":{"maxValuesPerFacet":2}})");
  add_index(catalogue, "books", "{}");
  FederatedAnswer answer;
  answer.facets = parsed(R"({"movies":{"distribution":{"c":{"a":1,"b":1,"d":9}},"stats":{}},
      "books":{"distribution":{"c":{"A":1,"b":5}},"stats":{}}})");
  Json body = parsed(R"({"federation":{"facetsByIndex":{"movies":["c"],"books":["c"],"none":null}},
      "queries":[]})");
  EXPECT_EQ(to_text(*parsed(merged_federation(body, {answer}, catalogue)).find("facetsByIndex")),
            R"({"books":{"distribution":{"c":{"A":1,"b":5}},"stats":{}},)"
            R"("movies":{"distribution":{"c":{"a":1,"b":1}},"stats":{}}})");
  body["federation"].set("mergeFacets", Json::object());
  EXPECT_EQ(
      to_text(*parsed(merged_federation(body, {answer}, catalogue)).find("facetDistribution")),
      R"({"c":{"A":1,"a":1,"b":6}})");
  body["federation"].set("mergeFacets", parsed(R"({"maxValuesPerFacet":1})"));
  EXPECT_EQ(
      to_text(*parsed(merged_federation(body, {answer}, catalogue)).find("facetDistribution")),
      R"({"c":{"A":1}})");
}

TEST(FederationTest, FacetsOrderedInDifferentWaysAreNotMerged) {
  Catalogue catalogue;
  add_index(catalogue, "movies", R"({"faceting":{"sortFacetValuesBy":{"c":"count"}}})");
  add_index(catalogue, "books", "{}");
  FederatedAnswer answer;
  answer.facets = parsed(R"({"movies":{"distribution":{"c":{"a":1,"b":2}},"stats":{}},
      "books":{"distribution":{"c":{"A":1}},"stats":{}}})");
  Json body = parsed(
      R"({"federation":{"facetsByIndex":{"movies":["c"],"books":["c"]},"mergeFacets":{}},"queries":[]})");
  EXPECT_EQ(*parsed(merged_federation(body, {answer}, catalogue)).find("code"),
            Json("invalid_multi_search_facet_order"));
  body["federation"]["facetsByIndex"].erase("books");
  EXPECT_EQ(
      to_text(*parsed(merged_federation(body, {answer}, catalogue)).find("facetDistribution")),
      R"({"c":{"b":2,"a":1}})");
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
  const int distinct = *rc::gen::inRange(0, 3);
  if (distinct == 1) body.set("distinct", *rc::gen::element("genre", "score"));
  if (distinct == 0 && *rc::gen::arbitrary<bool>())
    body.set("facets", Json::array({"genre", "year"}));
  if (*rc::gen::arbitrary<bool>()) body.set("attributesToRetrieve", Json::array({"tie"}));
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
  Json settings = Json::object();
  if (body.find("facets") == nullptr && *rc::gen::arbitrary<bool>()) {
    settings.set("distinctAttribute", *rc::gen::element("genre", "year"));
    if (*rc::gen::arbitrary<bool>())
      settings.set("filterableAttributes", Json::array({"genre", "year"}));
  }
  const bool estimated = body.find("distinct") != nullptr || settings.size() > 0;
  const Json expected = SearchEngine(all, distinct_attribute_of(settings)).search(body);
  const Json merged = merged_search(nodes, body, settings);
  for (const auto& [name, value] : expected.as_object()) {
    // With a distinct attribute no node can tell.
    if (estimated && name.starts_with("total")) continue;
    if (estimated && name == "estimatedTotalHits") continue;
    const Json* its = merged.find(name);
    if (its == nullptr || !(*its == value))
      RC_FAIL(name + ": " + to_text(value) + " but " + (its ? to_text(*its) : "nothing"));
  }
}

TEST(FederatedTest, WhatIsNoQueryIsLeftToTheNode) {
  const Json body = *parse_json(R"({"federation":{},"queries":[1,{"indexUid":"a"}]})");
  const Json sent = *parse_json(ScatteredFederation(body, {}).request({{0, 7}}));
  EXPECT_EQ(sent.find("queries")->as_array()[0], Json(1));
  EXPECT_NE(sent.find("queries")->as_array()[1].find("filter"), nullptr);
}

}  // namespace
}  // namespace miroir
