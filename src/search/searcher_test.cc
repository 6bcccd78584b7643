#include "search/searcher.h"

#include <gtest/gtest.h>

#include <set>

#include "search/search_world_fake.h"

namespace miroir {
namespace {

std::vector<Json> movies(int count) {
  std::vector<Json> documents;
  for (int i = 0; i < count; ++i) {
    documents.push_back(Json::object({{"id", "m" + std::to_string(i)},
                                      {"score", 1.0 - i * 0.01},
                                      {"genre", i % 2 == 0 ? "even" : "odd"}}));
  }
  return documents;
}

std::vector<std::string> ids_of(const Json& answer) {
  std::vector<std::string> ids;
  const Json* hits = answer.find("hits");
  for (const Json& hit : hits == nullptr ? Json::Array{} : hits->as_array())
    ids.push_back(hit.find("id")->as_string());
  return ids;
}

std::vector<std::string> first_ids(int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back("m" + std::to_string(i));
  return ids;
}

std::set<char> groups_asked(const SearchWorld& world) {
  std::set<char> groups;
  for (const SearchWorld::Asked& asked : world.asked) groups.insert(asked.node.front());
  return groups;
}

std::string code_of(const http::Response& response) {
  const auto body = parse_json(response.body);
  const Json* code = body ? body->find("code") : nullptr;
  return code != nullptr && code->is_string() ? code->as_string() : response.body;
}

auto fails(const std::string& node, Error error) {
  return [node, error](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (asked.node != node) return std::nullopt;
    return Result<http::Response>(std::unexpected(error));
  };
}

auto answers(const std::string& node, int status, std::string body) {
  return [=](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (!node.empty() && asked.node != node) return std::nullopt;
    return http::json_response(status, body);
  };
}

// The node that the first plan asks, whichever group's turn it is.
std::string asked_first(SearchWorld& world) {
  world.search("{}");
  const std::string node = world.asked.front().node;
  world.asked.clear();
  return node;
}

void set_state(SearchWorld& world, const std::string& node, ReplicaState state) {
  ASSERT_TRUE(world.world.await(world.world.cluster().set_state(node, state, "test")));
}

TEST(SearcherTest, OneGroupAnswersForAllAndNothingIsNarrowed) {
  SearchWorld world(2);
  world.load(movies(30));
  const Json answer = world.search_json(R"({"limit":30})");
  EXPECT_EQ(ids_of(answer), first_ids(30));
  EXPECT_EQ(*answer.find("estimatedTotalHits"), Json(30));
  EXPECT_EQ(groups_asked(world).size(), 1u);
  EXPECT_EQ(world.asked.size(), 2u);
  for (const SearchWorld::Asked& asked : world.asked)
    EXPECT_EQ(asked.request.body.find("_miroir_"), std::string::npos);
}

TEST(SearcherTest, PagesOfOneQuestionComeFromOneGroup) {
  SearchWorld world(2);
  world.load(movies(30));
  for (int offset = 0; offset < 30; offset += 5)
    world.search(R"({"q":"x","limit":5,"offset":)" + std::to_string(offset) + "}");
  EXPECT_EQ(groups_asked(world).size(), 1u);
}

TEST(SearcherTest, DifferentQuestionsAreSharedByTheGroups) {
  SearchWorld world(2);
  world.load(movies(3));
  for (int i = 0; i < 20; ++i) world.search(R"({"q":")" + std::to_string(i) + "\"}");
  EXPECT_EQ(groups_asked(world).size(), 2u);
}

TEST(SearcherTest, AGroupThatIsNotInSyncIsNotRead) {
  SearchWorld world(2);
  world.load(movies(30));
  set_state(world, "a1", ReplicaState::kStale);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(ids_of(world.search_json(R"({"limit":30,"q":")" + std::to_string(i) + "\"}")),
              first_ids(30));
  }
  EXPECT_EQ(groups_asked(world), std::set<char>{'b'});
}

TEST(SearcherTest, AnotherGroupAnswersWithinTheRequestWhenANodeFails) {
  for (const Error& error :
       {Error{ErrorCode::kUnavailable, "connection refused"},
        Error{ErrorCode::kTimeout, "no answer in time"}, Error{ErrorCode::kCorrupt, "garbage"}}) {
    SearchWorld world(2);
    world.load(movies(30));
    world.misbehave = fails(asked_first(world), error);
    EXPECT_EQ(ids_of(world.search_json(R"({"limit":30})")), first_ids(30)) << error.message;
    EXPECT_EQ(groups_asked(world).size(), 2u);
  }
}

TEST(SearcherTest, AnotherGroupAnswersWhenANodeIsBusyOrTalksNonsense) {
  for (const auto& [status, body] :
       std::vector<std::pair<int, std::string>>{{503, R"({"code":"too_many_search_requests"})"},
                                                {429, "{}"},
                                                {502, "<html>"},
                                                {200, "<html>garbage</html>"},
                                                {200, ""},
                                                {200, R"({"hits":[)"}}) {
    SearchWorld world(2);
    world.load(movies(30));
    world.misbehave = answers(asked_first(world), status, body);
    EXPECT_EQ(ids_of(world.search_json(R"({"limit":30})")), first_ids(30)) << status << body;
  }
}

TEST(SearcherTest, AnotherGroupIsAskedOnceWhatANodeAnsweredWith500) {
  const std::string internal = R"({"message":"broken","code":"internal"})";
  for (const int nodes_per_group : {1, 2}) {
    SearchWorld world(nodes_per_group);
    world.load(movies(30));
    world.misbehave = answers(asked_first(world), 500, internal);
    EXPECT_EQ(ids_of(world.search_json(R"({"limit":30})")), first_ids(30));
    world.misbehave = answers("a0", 500, internal);
    for (int turn = 0; turn < 2; ++turn)
      EXPECT_NE(world.request("GET", "/indexes/movies/documents/m1").status, 500);
    EXPECT_NE(world.request("GET", "/indexes/movies/stats").status, 500);

    world.misbehave = answers("", 500, internal);  // the question's own fault
    const std::vector<std::pair<std::string, std::string>> requests{
        {"POST", "/indexes/movies/search"},
        {"GET", "/indexes/movies/documents/m1"},
        {"GET", "/indexes/movies/stats"}};
    for (const auto& [method, target] : requests) {
      const http::Response answer = world.request(method, target, method == "POST" ? "{}" : "");
      EXPECT_EQ(answer.status, 500) << target;
      EXPECT_EQ(answer.body, internal) << target;
    }
  }
}

TEST(SearcherTest, WhereNobodyElseIsLeftA500IsTheAnswer) {
  for (const int nodes_per_group : {1, 2}) {
    SearchWorld world(nodes_per_group);
    world.load(movies(30));
    set_state(world, "b0", ReplicaState::kStale);
    world.misbehave = answers("a0", 500, R"({"message":"broken","code":"internal"})");
    EXPECT_EQ(world.search("{}").status, 500);
  }
}

TEST(SearcherTest, WithoutAWholeGroupGroupsAreMixedAndNothingIsCountedTwice) {
  SearchWorld world(2);
  world.load(movies(60));
  set_state(world, "a1", ReplicaState::kJoining);
  set_state(world, "b0", ReplicaState::kJoining);
  const http::Response response = world.search(R"({"limit":60,"facets":["genre"]})");
  const Json answer = parse_json(response.body).value();
  std::vector<std::string> expected;
  const Topology& topology = world.world.topology();
  for (const std::string& id : first_ids(60)) {
    const auto owners = topology.owners(topology.shard_of(slot_of(id)));
    if (owners[0] == "a0" || owners[1] == "b1") expected.push_back(id);
  }
  EXPECT_EQ(ids_of(answer), expected);
  EXPECT_EQ(*answer.find("estimatedTotalHits"), Json(std::uint64_t{expected.size()}));
  for (const SearchWorld::Asked& asked : world.asked)
    EXPECT_NE(asked.request.body.find("_miroir_slot >="), std::string::npos);
  // Some shards belong to a1 and b0 alone: said, not hidden.
  ASSERT_LT(expected.size(), 60u);
  EXPECT_NE(response.headers.find("X-Miroir-Degraded"), nullptr);
}

TEST(SearcherTest, ThePolicyErrorAnswersNothingInPart) {
  SearchOptions options;
  options.unavailable = UnavailableShards::kError;
  SearchWorld world(2, options);
  world.load(movies(60));
  set_state(world, "a1", ReplicaState::kJoining);
  set_state(world, "b0", ReplicaState::kJoining);
  const http::Response response = world.search("{}");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(code_of(response), "miroir_shard_unavailable");
}

TEST(SearcherTest, SeveralSearchesInOneSayThatShardsAreMissing) {
  SearchWorld world(2);
  world.load(movies(60));
  set_state(world, "a1", ReplicaState::kJoining);
  set_state(world, "b0", ReplicaState::kJoining);
  const http::Response response =
      world.request("POST", "/multi-search", R"({"queries":[{"indexUid":"movies"}]})");
  EXPECT_EQ(response.status, 200) << response.body;
  EXPECT_NE(response.headers.find("X-Miroir-Degraded"), nullptr);
}

TEST(SearcherTest, OptionsThatAreNullAreNone) {
  SearchWorld world(2);
  world.load(movies(3));
  EXPECT_EQ(world
                .request("POST", "/multi-search",
                         R"({"queries":[{"indexUid":"movies","federationOptions":null}]})")
                .status,
            200);
}

TEST(SearcherTest, NobodyToAskIsAnError) {
  SearchWorld world(1);
  world.load(movies(3));
  world.misbehave = [](const SearchWorld::Asked&) -> std::optional<Result<http::Response>> {
    return fail(ErrorCode::kUnavailable, "connection refused");
  };
  EXPECT_EQ(code_of(world.search("{}")), "miroir_shard_unavailable");
  EXPECT_EQ(code_of(world.request("GET", "/indexes/movies/documents/m1")),
            "miroir_shard_unavailable");
}

TEST(SearcherTest, WithoutRetryATimeoutIsTheAnswer) {
  SearchOptions options;
  options.retry_on_timeout = false;
  SearchWorld world(2, options);
  world.misbehave = fails(asked_first(world), {ErrorCode::kTimeout, "no answer in time"});
  const http::Response response = world.search("{}");
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(code_of(response), "miroir_timeout");
}

TEST(SearcherTest, AHardQuestionDoesNotTakeANodeAway) {
  SearchWorld world(2);
  const std::string node = asked_first(world);
  world.misbehave = fails(node, {ErrorCode::kTimeout, "no answer in time"});
  world.search("{}");
  EXPECT_TRUE(world.world.cluster().readable(node));
  world.misbehave = fails(node, {ErrorCode::kTooLarge, "more than an answer may have"});
  world.search("{}");
  EXPECT_TRUE(world.world.cluster().readable(node));
}

TEST(SearcherTest, ANodeThatCameBackOnAnOlderDiskAnswersNothing) {
  SearchWorld at(1);
  at.load(movies(3));
  ForwardWorld& world = at.world;
  world.create_index("books");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const auto older = world.nodes.at("a0")->snapshot();
  world.await_task(world.write("books", {"1"}, "new"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  world.run_for(Seconds(2));
  world.nodes.at("a0")->restore(older);
  for (int i = 0; i < 4; ++i) {
    at.asked.clear();
    EXPECT_EQ(at.search(R"({"q":")" + std::to_string(i) + R"("})").status, 200);
    EXPECT_EQ(at.asked.back().node, "b0") << "the answer is another's";
  }
  EXPECT_EQ(world.cluster().status("a0").state, ReplicaState::kStale);
}

TEST(SearcherTest, ANodeThatDoesNotAnswerIsNotAskedAgain) {
  SearchWorld world(2);
  const std::string node = asked_first(world);
  world.world.networks.at(node).cut = true;
  world.misbehave = fails(node, {ErrorCode::kTimeout, "no answer in time"});
  world.search("{}");
  EXPECT_FALSE(world.world.cluster().readable(node));
}

TEST(SearcherTest, OneNodePerGroupPassesTheAnswerThroughByteForByte) {
  SearchWorld world(1);
  world.misbehave = answers("", 200,
                            R"({"hits":[{"id":1e0,"_miroir_slot":"!!!!!!","t":"\u0041",)"
                            R"("_formatted":{"_miroir_slot":"!","t":"A"}}],"query":"_miroir_x",)"
                            R"("facetDistribution":{"_miroir_digest_0":{"!!!":1},"g":{"a":1}}})");
  EXPECT_EQ(world.search(R"({"q":"_miroir_x","facets":["*"]})").body,
            R"({"hits":[{"id":1e0,"t":"\u0041","_formatted":{"t":"A"}}],"query":"_miroir_x",)"
            R"("facetDistribution":{"g":{"a":1}}})");
  ASSERT_EQ(world.asked.size(), 1u);
  EXPECT_EQ(world.asked[0].request.target, "/indexes/movies/search");
  EXPECT_EQ(world.asked[0].request.body, R"({"q":"_miroir_x","facets":["*"]})");
}

TEST(SearcherTest, WithOneNodePerGroupTheOtherGroupTakesOver) {
  SearchWorld world(1);
  world.load(movies(5));
  world.misbehave = fails(asked_first(world), {ErrorCode::kUnavailable, "connection refused"});
  EXPECT_EQ(ids_of(world.search_json("{}")), first_ids(5));
}

TEST(SearcherTest, StoredFieldsAreNoFieldsToClients) {
  for (const int nodes_per_group : {1, 2}) {
    SearchWorld world(nodes_per_group);
    world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
      EXPECT_EQ(asked.request.body.find("_miroir_"), std::string::npos) << asked.request.body;
      EXPECT_EQ(asked.request.body.find("u005f"), std::string::npos) << asked.request.body;
      return http::json_response(
          400, R"({"message":"Attribute `_miroir-slot` is not filterable. Available filterable )"
               R"(attribute patterns are: `_miroir_*`.","code":"invalid_search_filter"})");
    };
    for (const char* filter : {"_miroir_slot = 1", "\\u005fmiroir_slot = 1"}) {
      const http::Response response = world.search(R"({"filter":")" + std::string(filter) + "\"}");
      EXPECT_EQ(response.status, 400);
      EXPECT_EQ(response.body, R"({"message":"Attribute `_miroir_slot` is not filterable. )"
                               R"(This index does not have configured filterable attributes.",)"
                               R"("code":"invalid_search_filter"})");
    }
  }
}

TEST(SearcherTest, WhatSeveralNodesRefuseIsAskedAgainAsTheClientAskedIt) {
  SearchWorld world(2);
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    const bool federated = asked.request.target == "/multi-search";
    return http::json_response(
        400, federated ? R"({"message":"Inside `.queries[0]`: bad","code":"invalid_search_q"})"
                       : R"({"message":"bad","code":"invalid_search_q"})");
  };
  EXPECT_EQ(world.search(R"({"q":1})").body, R"({"message":"bad","code":"invalid_search_q"})");
  // The same node says why.
  EXPECT_EQ(world.asked.back().node, world.asked.front().node);
}

TEST(SearcherTest, AnIndexThatAppearsMeanwhileIsNoInternalError) {
  SearchWorld world(2);
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (asked.request.target != "/multi-search") return http::json_response(200, R"({"hits":[]})");
    return http::json_response(
        400, R"({"message":"Index `movies` not found.","code":"index_not_found"})");
  };
  EXPECT_EQ(world.search("{}").status, 503);
}

TEST(SearcherTest, WithoutTheNetworkFeatureTheScoreAloneMerges) {
  SearchWorld world(2);
  world.load(movies(20));
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (asked.request.headers.find("Meili-Proxy-Search") == nullptr) return std::nullopt;
    return http::json_response(400, R"({"message":"enable it","code":"feature_not_enabled"})");
  };
  EXPECT_EQ(ids_of(world.search_json("{}")), first_ids(20));
}

TEST(SearcherTest, SettingsThatNodesDoNotHaveYetAreNoError) {
  SearchWorld world(2);
  world.load(movies(6));
  world.set_settings(R"({"distinctAttribute":"genre","filterableAttributes":["genre"]})");
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    if (asked.request.body.find("\"distinct\"") == std::string::npos) return std::nullopt;
    return http::json_response(400, R"({"message":"no","code":"invalid_search_distinct"})");
  };
  EXPECT_EQ(ids_of(world.search_json(R"({"attributesToRetrieve":["id"]})")), first_ids(2));
  EXPECT_EQ(code_of(world.search(R"({"distinct":"genre"})")), "invalid_search_distinct");
}

TEST(SearcherTest, AVectorIsSearchedForByGetAsByPost) {
  SearchWorld world(2);
  world.load(movies(6));
  const http::Response response =
      world.request("GET", "/indexes/movies/search?vector=1,0.5&hybridEmbedder=mine&limit=2");
  EXPECT_EQ(ids_of(parse_json(response.body).value()), first_ids(2));
  const Json asked = parse_json(world.asked.front().request.body).value();
  const Json& query = asked.find("queries")->as_array().front();
  EXPECT_EQ(to_text(*query.find("vector")), "[1.0,0.5]");
  EXPECT_EQ(to_text(*query.find("hybrid")), R"({"embedder":"mine"})");
}

TEST(SearcherTest, OneNodesFacetsAreCutAsTheClientSetIt) {
  SearchWorld world(1);
  world.load(movies(6));
  world.set_settings(R"({"faceting":{"maxValuesPerFacet":1}})");
  EXPECT_EQ(to_text(*world.search_json(R"({"facets":["genre"]})").find("facetDistribution")),
            R"({"genre":{"even":3}})");
  const char* federation = R"({"federation":{"facetsByIndex":{"movies":["genre"]}%s},
                               "queries":[{"indexUid":"movies"}]})";
  auto federated = [&](const char* more) {
    std::string body = federation;
    return world.request("POST", "/multi-search", body.replace(body.find("%s"), 2, more)).body;
  };
  EXPECT_NE(federated("").find(R"("distribution":{"genre":{"even":3}})"), std::string::npos);
  EXPECT_NE(federated(R"(,"mergeFacets":{})").find(R"("facetDistribution":{"genre":{"even":3}})"),
            std::string::npos);
  world.misbehave = answers("", 200, R"({"facetHits":[{"value":"a"},{"value":"b"}]})");
  EXPECT_EQ(world.request("POST", "/indexes/movies/facet-search", R"({"facetName":"c"})").body,
            R"({"facetHits":[{"value":"a"}]})");
  world.misbehave = answers("", 200,
                            R"({"results":[{"indexUid":"movies","facetDistribution":)"
                            R"({"g":{"a":1,"b":1}}}]})");
  EXPECT_EQ(world.request("POST", "/multi-search", R"({"queries":[{"indexUid":"movies"}]})").body,
            R"({"results":[{"indexUid":"movies","facetDistribution":{"g":{"a":1}}}]})");
}

TEST(SearcherTest, ADocumentIsReadFromAnOwnerAndStripped) {
  SearchWorld world(2);
  const auto& topology = world.world.topology();
  const auto owners = topology.owners(topology.shard_of(slot_of("_miroir_1")));
  world.misbehave = answers("", 200, R"({"id":"_miroir_1","_miroir_slot":"!","n":1e0})");
  const http::Response response = world.request("GET", "/indexes/movies/documents/_miroir_1");
  EXPECT_EQ(response.body, R"({"id":"_miroir_1","n":1e0})");
  ASSERT_EQ(world.asked.size(), 1u);
  EXPECT_TRUE(world.asked[0].node == owners[0] || world.asked[0].node == owners[1]);
  EXPECT_EQ(world.asked[0].request.target, "/indexes/movies/documents/_miroir_1");
}

TEST(SearcherTest, ADocumentIsReadFromTheOtherOwnerWhenOneFails) {
  SearchWorld world(2);
  const auto& topology = world.world.topology();
  const auto owners = topology.owners(topology.shard_of(slot_of("m1")));
  for (const std::string& broken : owners) {
    world.misbehave =
        [&](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
      if (asked.node == broken) return fail(ErrorCode::kTimeout, "no answer in time");
      return http::json_response(200, R"({"id":"m1"})");
    };
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(world.request("GET", "/indexes/movies/documents/m1").body, R"({"id":"m1"})");
  }
}

TEST(SearcherTest, FetchedDocumentsAreMergedInTheOrderAskedFor) {
  SearchWorld world(2);
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    const Json body = parse_json(asked.request.body).value();
    EXPECT_EQ(*body.find("limit"), Json(3));
    EXPECT_EQ(*body.find("offset"), Json(0));
    return http::json_response(
        200, asked.node.ends_with('0')
                 ? R"({"results":[{"id":"a","y":1,"_miroir_slot":"!"},{"id":"b","y":4}],"total":2})"
                 : R"({"results":[{"id":"c","y":2},{"id":"d","y":3},{"id":"e"}],"total":5})");
  };
  const http::Response response = world.request("POST", "/indexes/movies/documents/fetch",
                                                R"({"sort":["y:asc"],"offset":1,"limit":2})");
  EXPECT_EQ(response.body,
            R"({"results":[{"id":"c","y":2},{"id":"d","y":3}],"offset":1,"limit":2,"total":7})");
}

TEST(SearcherTest, NoNumberOfDocumentsIsTooLarge) {
  SearchWorld world(2);
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    EXPECT_NE(asked.request.body.find(R"("limit":9223372036854775807)"), std::string::npos);
    return http::json_response(200, R"({"results":[{"id":"a"}],"total":1})");
  };
  EXPECT_EQ(
      world.request("GET", "/indexes/movies/documents?offset=1&limit=18446744073709551615").body,
      R"({"results":[{"id":"a"}],"offset":1,"limit":18446744073709551615,"total":2})");
}

TEST(SearcherTest, StatisticsAreSummed) {
  SearchWorld world(2);
  world.misbehave = answers(
      "", 200,
      R"({"numberOfDocuments":10,"rawDocumentDbSize":100,"avgDocumentSize":10,"isIndexing":false,)"
      R"("fieldDistribution":{"id":10,"_miroir_slot":10}})");
  EXPECT_EQ(
      world.request("GET", "/indexes/movies/stats").body,
      R"({"numberOfDocuments":20,"rawDocumentDbSize":200,"avgDocumentSize":10,"isIndexing":false,)"
      R"("fieldDistribution":{"id":20}})");
}

TEST(SearcherTest, FacetValuesAreSummed) {
  SearchWorld world(2);
  world.misbehave = [](const SearchWorld::Asked& asked) -> std::optional<Result<http::Response>> {
    return http::json_response(
        200, asked.node.ends_with('0')
                 ? R"({"facetHits":[{"value":"Blue","count":2}],"facetQuery":"b"})"
                 : R"({"facetHits":[{"value":"blue","count":3}],"facetQuery":"b"})");
  };
  const auto answer = parse_json(
      world.request("POST", "/indexes/movies/facet-search", R"({"facetName":"c","facetQuery":"b"})")
          .body);
  ASSERT_TRUE(answer);
  EXPECT_EQ((*answer->find("facetHits")).as_array().front().find("count")->as_int64(), 5);
}

}  // namespace
}  // namespace miroir
