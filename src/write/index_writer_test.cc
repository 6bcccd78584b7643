#include "write/index_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "cluster/state_reasons.h"
#include "write/write_world_fake.h"

namespace miroir {
namespace {

class IndexWriterTest : public ::testing::Test {
 protected:
  WriteWorld::Answer create(const std::string& body) {
    return world.answer(world.indexes().create(WriteWorld::json_request("POST", body)));
  }
  WriteWorld::Answer update(const std::string& uid, const std::string& body) {
    return world.answer(world.indexes().update(uid, WriteWorld::json_request("PATCH", body)));
  }
  WriteWorld::Answer drop(const std::string& uid) {
    return world.answer(world.indexes().drop(uid, {}));
  }
  WriteWorld::Answer swap(const std::string& body) {
    return world.answer(world.indexes().swap(WriteWorld::json_request("POST", body)));
  }
  WriteWorld::Answer settings(const std::string& route, const std::string& method,
                              const std::string& body) {
    return world.answer(
        world.settings().change("movies", route, WriteWorld::json_request(method, body)));
  }
  // The settings that a node holds.
  Json held(const std::string& node, const std::string& setting) {
    MIROIR_ASSERT(world.world.run_until([this] { return world.world.all_done(); }));
    const Json* value =
        world.world.nodes.at(node)->disk().indexes.at("movies").settings.find(setting);
    return value == nullptr ? Json() : *value;
  }

  WriteWorld world;
};

TEST_F(IndexWriterTest, AnIndexIsMadeOnEveryNodeWithOurRules) {
  const auto accepted = create(R"({"uid":"movies","primaryKey":"sku"})");
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.text("type"), "indexCreation");
  EXPECT_EQ(status_of(world.ended(accepted)), "succeeded");
  for (const auto& [name, node] : world.world.nodes) {
    EXPECT_EQ(held(name, "filterableAttributes").size(), 2u) << name;
    EXPECT_EQ(node->disk().indexes.at("movies").primary_key, "sku") << name;
  }
}

TEST_F(IndexWriterTest, ThePrimaryKeyIsNotChangedOverDocumentsThatAreUnderWay) {
  world.ended(create(R"({"uid":"movies","primaryKey":"id"})"));
  world.world.write("movies", {"1"}, "a");
  const auto under_way = world.ended(update("movies", R"({"primaryKey":"sku"})"));
  EXPECT_EQ(error_of(under_way), "index_primary_key_already_exists");
  for (auto& [name, node] : world.world.nodes) node->options().down = true;
  ASSERT_TRUE(world.world.run_until([&] {
    return !world.world.cluster().readable("a0") && !world.world.cluster().readable("b0");
  }));
  EXPECT_EQ(world.world.log().catalogue().index("movies")->primary_key, "id");
  world.world.answer_dry_run = [](const std::string&, const http::ClientRequest&) {
    return std::optional<Result<http::Response>>(http::Response{202, {}, "{}"});
  };
  const auto unknown = update("movies", R"({"primaryKey":"sku"})");
  EXPECT_EQ(unknown.status, 202);
  EXPECT_EQ(world.world.log().catalogue().index("movies")->primary_key, "id")
      << "who cannot be read may hold one";
}

TEST_F(IndexWriterTest, ABodyThatOnlyTheNodeCanReadIsRefused) {
  http::Headers seen;
  world.world.answer_dry_run = [&](const std::string&, const http::ClientRequest& request) {
    seen = request.headers;
    return std::optional<Result<http::Response>>(http::Response{202, {}, "{}"});
  };
  http::Request request = WriteWorld::json_request("POST", "\x1f\x8b compressed");
  request.headers.set("Content-Encoding", "gzip");
  request.headers.set("Accept-Encoding", "gzip");
  for (const auto& answer :
       {world.answer(world.indexes().swap(request)), world.answer(world.indexes().create(request)),
        world.answer(world.indexes().update("movies", request))}) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.code(), "malformed_payload");
  }
  EXPECT_EQ(seen.find("Content-Encoding"), nullptr);
  EXPECT_EQ(seen.find("Accept-Encoding"), nullptr);
  EXPECT_EQ(swap("{}").status, 202) << "no pairs, nothing swapped";
}

TEST_F(IndexWriterTest, AnIndexThatExistsIsAcceptedAndFails) {
  world.ended(create(R"({"uid":"movies"})"));
  const Position before = world.index("movies")->incarnation;
  const Json task = world.ended(create(R"({"uid":"movies","primaryKey":"x"})"));
  EXPECT_EQ(error_of(task), "index_already_exists");
  EXPECT_EQ(world.index("movies")->incarnation, before);
  EXPECT_EQ(world.index("movies")->primary_key, std::nullopt);
}

TEST_F(IndexWriterTest, WhatANodeRefusesIsRefusedAndNotLogged) {
  world.world.answer_dry_run =
      [](const std::string&,
         const http::ClientRequest& request) -> std::optional<Result<http::Response>> {
    EXPECT_EQ(request.target, "/indexes");
    return http::json_response(
        400, R"({"message":"no","code":"invalid_index_uid","type":"invalid_request","link":""})");
  };
  http::Request request = WriteWorld::json_request("POST", R"({"uid":"a b"})");
  request.target = "/indexes";
  const auto refused = world.answer(world.indexes().create(request));
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.code(), "invalid_index_uid");
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST_F(IndexWriterTest, AnotherNodeJudgesWhenOneIsAwayBusyOrRefusesOurKey) {
  for (const int status : {0, 403, 401, 429, 500, 503}) {
    std::set<std::string> asked;
    world.world.answer_dry_run =
        [&](const std::string& node,
            const http::ClientRequest&) -> std::optional<Result<http::Response>> {
      asked.insert(node);
      if (asked.size() > 1) return http::json_response(202, "{}");
      if (status == 0) return fail(ErrorCode::kUnavailable, "connection refused");
      return http::json_response(
          status, R"({"message":"no","code":"invalid_api_key","type":"auth","link":""})");
    };
    EXPECT_EQ(create(R"({"uid":"i)" + std::to_string(status) + "\"}").status, 202) << status;
    EXPECT_EQ(asked.size(), 2u) << status;
  }
}

// One node may lack the key still, or again.
TEST_F(IndexWriterTest, AKeyOfTheClientsIsRefusedWhereNoOtherNodeMayHoldIt) {
  const auto create_with_key = [&](const std::string& uid, auto answer) {
    std::set<std::string> asked;
    world.world.answer_dry_run =
        [&](const std::string& node,
            const http::ClientRequest&) -> std::optional<Result<http::Response>> {
      asked.insert(node);
      if (asked.size() > 1) return answer();
      return http::json_response(
          403, R"({"message":"no","code":"invalid_api_key","type":"auth","link":""})");
    };
    http::Request request = WriteWorld::json_request("POST", R"({"uid":")" + uid + "\"}");
    request.headers.set("Authorization", "Bearer clients");
    return world.answer(world.indexes().create(request));
  };
  const auto taken = [] { return Result<http::Response>(http::json_response(202, "{}")); };
  world.ended(create_with_key("movies", taken));
  MIROIR_ASSERT(world.world.run_until([&] { return world.world.all_done(); }));
  const auto away = [] {
    return Result<http::Response>(fail(ErrorCode::kUnavailable, "connection refused"));
  };
  EXPECT_EQ(create_with_key("books", away).status, 403) << "nobody holds more keys";
  const auto no = [] {
    return Result<http::Response>(http::json_response(
        403, R"({"message":"no","code":"invalid_api_key","type":"auth","link":""})"));
  };
  const auto refused = create_with_key("books", no);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.code(), "invalid_api_key");
  Cluster& cluster = world.world.cluster();
  const std::string first = cluster.topology().nodes().front().id;
  ASSERT_TRUE(world.world.await(cluster.set_state(first, ReplicaState::kStale, "a test")));
  EXPECT_EQ(create_with_key("books", away).status, 503) << "one that is away may have the key";
}

// Which its lane has yet to give it.
TEST_F(IndexWriterTest, WhoWasNotGivenANewKeyYetDoesNotRefuseIt) {
  for (auto& [name, node] : world.world.nodes) node->options().full = true;
  Entry key;
  key.kind = EntryKind::kPutKey;
  key.arguments = Json::object({{"uid", "k"}, {"name", "new"}});
  world.world.append(std::move(key));
  bool one_is_silent = true;
  world.world.answer_dry_run =
      [&](const std::string& node,
          const http::ClientRequest&) -> std::optional<Result<http::Response>> {
    if (one_is_silent && node == "b0") return fail(ErrorCode::kUnavailable, "connection refused");
    return http::json_response(
        403, R"({"message":"no","code":"invalid_api_key","type":"auth","link":""})");
  };
  const auto create_with_key = [&] {
    http::Request request = WriteWorld::json_request("POST", R"({"uid":"books"})");
    request.headers.set("Authorization", "Bearer clients");
    return world.answer(world.indexes().create(request)).status;
  };
  EXPECT_EQ(create_with_key(), 503);
  one_is_silent = false;
  EXPECT_EQ(create_with_key(), 503);
  for (auto& [name, node] : world.world.nodes) node->options().full = false;
  MIROIR_ASSERT(world.world.run_until([&] { return world.world.all_done(); }));
  EXPECT_EQ(create_with_key(), 403) << "all have it";
}

TEST_F(IndexWriterTest, WithNobodyToJudgeNothingIsAccepted) {
  world.world.answer_dry_run =
      [](const std::string&, const http::ClientRequest&) -> std::optional<Result<http::Response>> {
    return fail(ErrorCode::kUnavailable, "connection refused");
  };
  EXPECT_EQ(create(R"({"uid":"movies"})").status, 503);
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST_F(IndexWriterTest, ThePrimaryKeyChangesWhileTheIndexIsEmpty) {
  world.ended(create(R"({"uid":"movies"})"));
  EXPECT_EQ(status_of(world.ended(update("movies", R"({"primaryKey":"sku"})"))), "succeeded");
  EXPECT_EQ(world.index("movies")->primary_key, "sku");
  EXPECT_EQ(
      held("a0", "filterableAttributes").as_array()[1].find("attributePatterns")->as_array()[0],
      Json("sku"));
  world.ended(world.post("movies", R"({"sku":1,"id":1})"));
  EXPECT_EQ(error_of(world.ended(update("movies", R"({"primaryKey":"id"})"))),
            "index_primary_key_already_exists");
  EXPECT_EQ(world.index("movies")->primary_key, "sku");
}

TEST_F(IndexWriterTest, AnIndexIsRenamedUnlessTheNameIsTaken) {
  world.ended(world.post("movies", R"({"id":1})"));
  world.ended(create(R"({"uid":"taken"})"));
  EXPECT_EQ(error_of(world.ended(update("movies", R"({"uid":"taken"})"))), "index_already_exists");
  EXPECT_EQ(error_of(world.ended(update("nothing", R"({"uid":"new"})"))), "index_not_found");
  EXPECT_EQ(status_of(world.ended(update("movies", R"({"uid":"films"})"))), "succeeded");
  EXPECT_EQ(world.index("movies"), nullptr);
  EXPECT_EQ(world.documents_of("films").size(), 1u);
}

TEST_F(IndexWriterTest, ANewNameAndANewKeyAreOneTask) {
  world.ended(create(R"({"uid":"movies"})"));
  const auto accepted = update("movies", R"({"uid":"films","primaryKey":"sku"})");
  EXPECT_EQ(accepted.text("indexUid"), "movies");
  const Json task = world.ended(accepted);
  EXPECT_EQ(status_of(task), "succeeded");
  EXPECT_EQ(*task.find("indexUid"), Json("movies"));
  EXPECT_EQ(to_text(*task.find("details")),
            R"({"primaryKey":"sku","oldIndexUid":"movies","newIndexUid":"films"})");
  EXPECT_EQ(world.index("movies"), nullptr);
  ASSERT_NE(world.index("films"), nullptr);
  EXPECT_EQ(world.index("films")->primary_key, "sku");
  for (const auto& [name, node] : world.world.nodes) {
    ASSERT_EQ(node->disk().indexes.count("films"), 1u) << name;
    EXPECT_EQ(node->disk().indexes.size(), 1u) << name;
    const auto& held = node->disk().indexes.at("films");
    EXPECT_EQ(held.primary_key, "sku") << name;
    EXPECT_NE(to_text(held.settings).find("sku"), std::string::npos) << name;
  }
}

TEST_F(IndexWriterTest, ANameIsGivenThoughTheKeyIsRefused) {
  world.ended(world.post("movies", R"({"id":1})"));
  const Json task = world.ended(update("movies", R"({"uid":"films","primaryKey":"sku"})"));
  EXPECT_EQ(error_of(task), "index_primary_key_already_exists");
  EXPECT_NE(task.find("error")->find("message")->as_string().find("`films`"), std::string::npos);
  EXPECT_EQ(world.index("movies"), nullptr);
  ASSERT_NE(world.index("films"), nullptr);
  EXPECT_EQ(world.index("films")->primary_key, "id");
  EXPECT_EQ(world.documents_of("films").size(), 1u);
}

TEST_F(IndexWriterTest, ANameIsGivenThoughNodesRefuseTheKey) {
  world.ended(create(R"({"uid":"movies"})"));
  for (auto& [name, node] : world.world.nodes)
    node->write_directly("movies", "1", Json::object({{"id", 1}}));
  const Json task = world.ended(update("movies", R"({"uid":"films","primaryKey":"sku"})"));
  EXPECT_EQ(error_of(task), "index_primary_key_already_exists");
  EXPECT_EQ(world.index("movies"), nullptr);
  ASSERT_NE(world.index("films"), nullptr);
  EXPECT_EQ(world.index("films")->primary_key, std::nullopt);
  ASSERT_TRUE(world.world.run_until([this] { return world.world.all_done(); }));
  for (const auto& [name, node] : world.world.nodes) {
    ASSERT_EQ(node->disk().indexes.count("films"), 1u) << name;
    EXPECT_EQ(node->disk().indexes.size(), 1u) << name;
    EXPECT_EQ(node->disk().indexes.at("films").documents.size(), 1u) << name;
    EXPECT_EQ(to_text(node->disk().indexes.at("films").settings).find("sku"), std::string::npos);
  }
}

TEST_F(IndexWriterTest, ANameThatIsTakenLeavesTheKeyToo) {
  world.ended(create(R"({"uid":"movies"})"));
  world.ended(create(R"({"uid":"taken"})"));
  const Json task = world.ended(update("movies", R"({"uid":"taken","primaryKey":"sku"})"));
  EXPECT_EQ(error_of(task), "index_already_exists");
  EXPECT_EQ(world.index("movies")->primary_key, std::nullopt);
  EXPECT_EQ(error_of(world.ended(update("none", R"({"uid":"taken","primaryKey":"sku"})"))),
            "index_not_found");
  EXPECT_EQ(status_of(world.ended(update("movies", R"({"uid":"movies","primaryKey":"sku"})"))),
            "succeeded");
  EXPECT_EQ(world.index("movies")->primary_key, "sku");
}

TEST_F(IndexWriterTest, ADroppedIndexIsGoneAndItsNextIsAnother) {
  world.ended(world.post("movies", R"([{"id":1},{"id":2}])"));
  const Position first = world.index("movies")->incarnation;
  const Json task = world.ended(drop("movies"));
  EXPECT_EQ(status_of(task), "succeeded");
  EXPECT_EQ(world.index("movies"), nullptr);
  EXPECT_EQ(error_of(world.ended(drop("movies"))), "index_not_found");
  world.ended(world.post("movies", R"({"id":3})"));
  EXPECT_NE(world.index("movies")->incarnation, first);
  EXPECT_EQ(world.documents_of("movies").size(), 1u);
  EXPECT_EQ(drop("a b").code(), "invalid_index_uid");
}

TEST_F(IndexWriterTest, SwapsChangeNamesOnEveryNode) {
  world.ended(world.post("movies", R"([{"id":1}])"));
  world.ended(world.post("films", R"([{"id":2},{"id":3}])"));
  EXPECT_EQ(status_of(world.ended(swap(R"([{"indexes":["movies","films"]}])"))), "succeeded");
  EXPECT_EQ(world.documents_of("movies").size(), 2u);
  EXPECT_EQ(world.documents_of("films", 1).size(), 1u);
}

TEST_F(IndexWriterTest, SwapsOfWhatIsNotThereFail) {
  world.ended(create(R"({"uid":"movies"})"));
  world.ended(create(R"({"uid":"films"})"));
  auto failed = [&](const char* body) {
    const Json task = world.ended(swap(body));
    return error_of(task) + ": " + task.find("error")->find("message")->as_string();
  };
  EXPECT_EQ(failed(R"([{"indexes":["movies","x"]}])"), "index_not_found: Index `x` not found.");
  EXPECT_EQ(failed(R"([{"indexes":["y","x"]}])"), "index_not_found: Indexes `x`, `y` not found.");
  EXPECT_EQ(failed(R"([{"indexes":["movies","films"],"rename":true}])").substr(0, 20),
            "index_already_exists");
}

TEST_F(IndexWriterTest, SettingsReachEveryNodeWholeWithOurRules) {
  const auto accepted =
      settings("", "PATCH", R"({"filterableAttributes":["genre"],"stopWords":["a"]})");
  EXPECT_EQ(accepted.text("type"), "settingsUpdate");
  EXPECT_EQ(status_of(world.ended(accepted)), "succeeded");
  for (const char* node : {"a0", "a1", "b0", "b1"}) {
    EXPECT_EQ(held(node, "filterableAttributes").as_array().back(), Json("genre"));
    EXPECT_EQ(held(node, "stopWords"), Json::array({"a"}));
  }
  EXPECT_EQ(to_text(world.index("movies")->settings),
            R"({"filterableAttributes":["genre"],"stopWords":["a"]})");
}

TEST_F(IndexWriterTest, OneSettingIsChangedAndResetByItsRoute) {
  world.ended(settings("stop-words", "PUT", R"(["a","b"])"));
  world.ended(settings("faceting", "PATCH", R"({"maxValuesPerFacet":5})"));
  EXPECT_EQ(to_text(world.index("movies")->settings),
            R"({"stopWords":["a","b"],"faceting":{"maxValuesPerFacet":5}})");
  EXPECT_EQ(*held("b1", "faceting").find("maxValuesPerFacet"), Json(100));
  world.ended(settings("stop-words", "DELETE", ""));
  EXPECT_EQ(to_text(world.index("movies")->settings), R"({"faceting":{"maxValuesPerFacet":5}})");
  world.ended(settings("", "DELETE", ""));
  EXPECT_EQ(to_text(world.index("movies")->settings), "{}");
  EXPECT_EQ(held("a0", "filterableAttributes").size(), 1u);
}

TEST_F(IndexWriterTest, SettingsOfOursAreRefusedAndNotLogged) {
  EXPECT_EQ(settings("", "PATCH", R"({"sortableAttributes":["_miroir_slot"]})").code(),
            "miroir_reserved_field");
  EXPECT_EQ(settings("non-separator-tokens", "PUT", R"(["*"])").code(), "miroir_not_supported");
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST_F(IndexWriterTest, ResettingTheSettingsOfNoIndexFails) {
  EXPECT_EQ(error_of(world.ended(settings("", "DELETE", ""))), "index_not_found");
  EXPECT_EQ(world.index("movies"), nullptr);
}

TEST_F(IndexWriterTest, AHugeFacetLimitIsNobodysEnd) {
  EXPECT_EQ(status_of(world.ended(
                settings("faceting", "PATCH", R"({"maxValuesPerFacet":18446744073709551615})"))),
            "succeeded");
}

TEST_F(IndexWriterTest, WhatTheNodesMayHoldAlreadyWaitsForRecovery) {
  world.ended(world.post("known", R"([{"id": 1}])"));
  ASSERT_TRUE(world.world.await(world.world.cluster().set_state(
      "a0", ReplicaState::kStale, std::string(kLogWentBack) + ": entry 99")));
  EXPECT_EQ(world.post("known", R"([{"id": 2}])").status, 202);
  const auto refused = world.post("unknown", R"([{"id": 1}])");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.code(), "miroir_store_unavailable");
  EXPECT_NE(refused.message().find("until then"), std::string::npos);
  EXPECT_EQ(world.answer(world.indexes().drop("known", {})).status, 503);
  EXPECT_EQ(world
                .answer(world.settings().change(
                    "known", "", world.json_request("PATCH", R"({"stopWords": ["a"]})")))
                .status,
            503);
  EXPECT_EQ(world.index("unknown"), nullptr);
  ASSERT_TRUE(world.world.await(world.world.cluster().set_state("a0", ReplicaState::kInSync, "")));
  EXPECT_EQ(world.post("unknown", R"([{"id": 1}])").status, 202);
}

}  // namespace
}  // namespace miroir
