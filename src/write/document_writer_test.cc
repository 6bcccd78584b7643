#include "write/document_writer.h"

#include <gtest/gtest.h>

#include "write/write_world_fake.h"

namespace miroir {
namespace {

using Documents = std::map<std::string, std::string>;

const Json& detail(const Json& task, std::string_view name) {
  return *task.find("details")->find(name);
}

TEST(DocumentWriterTest, AnAcceptedWriteIsInTheLogAndReachesBothGroups) {
  WriteWorld world;
  const auto accepted = world.post("movies", R"([{"id":1,"t":"a"},{"id":"two","t":"b"}])");
  EXPECT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.text("indexUid"), "movies");
  EXPECT_EQ(accepted.text("status"), "enqueued");
  EXPECT_EQ(accepted.text("type"), "documentAdditionOrUpdate");
  EXPECT_EQ(accepted.task(), world.world.log().head());
  const Json task = world.ended(accepted);
  EXPECT_EQ(status_of(task), "succeeded");
  EXPECT_EQ(detail(task, "receivedDocuments"), Json(2));
  EXPECT_EQ(detail(task, "indexedDocuments"), Json(2));
  const Documents expected = {{"1", R"({"id":1,"t":"a"})"}, {"two", R"({"id":"two","t":"b"})"}};
  EXPECT_EQ(world.documents_of("movies", 0), expected);
  EXPECT_EQ(world.documents_of("movies", 1), expected);
}

TEST(DocumentWriterTest, ARequestThatFailsLeavesNoBodyBehind) {
  WriteWorld world;
  const auto bodies = [&] {
    return world.world.store.snapshot()[static_cast<std::size_t>(Table::kBody)].size();
  };
  const auto failed = world.post("movies", R"([{"id":1},{"id":"not an id"}])");
  EXPECT_EQ(status_of(world.ended(failed)), "failed");
  ASSERT_GT(bodies(), 0U);
  world.world.run_for(Seconds(30));
  EXPECT_EQ(bodies(), 0U);
}

TEST(DocumentWriterTest, AReservedFieldAnywhereRefusesAllAndLogsNothing) {
  for (const char* field : {"_miroir_slot", "_miroir_updated_at", "_miroir_expires_at",
                            "_miroir_anything", "\\u005fmiroir_slot"}) {
    WriteWorld world;
    const auto refused =
        world.post("movies", R"([{"id":1},{"id":2,")" + std::string(field) + R"(":"x"}])");
    EXPECT_EQ(refused.status, 400) << field;
    EXPECT_EQ(refused.code(), "miroir_reserved_field") << field;
    EXPECT_EQ(world.world.log().head(), 0u);
  }
}

WriteOptions with_expiry() {
  WriteOptions options;
  options.names.expiry = true;
  return options;
}

TEST(DocumentWriterTest, AnExpiryIsTakenInMillisecondsAndStoredInOurAlphabet) {
  WriteWorld world(with_expiry());
  for (const char* name : {"_miroir_expires_at", "_miroir_expires\\u005fat"}) {
    const auto accepted =
        world.post("movies", R"([{"id":1,")" + std::string(name) + R"(":1.752e12,"t":"a"}])");
    ASSERT_EQ(accepted.status, 202) << accepted.message();
    world.ended(accepted);
    const std::string node =
        world.world.topology().owner(0, world.world.topology().shard_of(slot_of("1")));
    const std::string text = world.world.nodes.at(node)->documents("movies").at("1");
    const auto copy = parse_copy(text, "id", {});
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->stored.expires_at, 1'752'000'000'000);
    EXPECT_EQ(*copy->stored.checksum, checksum_of(*content_hash_of_copy(text, {})));
  }
}

TEST(DocumentWriterTest, AnExpiryThatIsNoneRefusesAllAndLogsNothing) {
  for (const char* wrong : {"\"2030-01-01\"", "-1", "1.5", "1e300", "[]"}) {
    WriteWorld world(with_expiry());
    const auto refused = world.post(
        "movies", R"([{"id":1},{"id":2,"_miroir_expires_at":)" + std::string(wrong) + "}]");
    EXPECT_EQ(refused.status, 400) << wrong;
    EXPECT_EQ(refused.code(), "miroir_reserved_field") << wrong;
    EXPECT_NE(refused.message().find("Document 2"), std::string::npos) << refused.message();
    EXPECT_NE(refused.message().find("milliseconds"), std::string::npos) << refused.message();
    EXPECT_EQ(world.world.log().head(), 0u);
  }
  WriteWorld world(with_expiry());
  EXPECT_EQ(world.post("movies", R"({"id":1,"_miroir_slot":1})").code(), "miroir_reserved_field");
}

TEST(DocumentWriterTest, AReservedFieldIsFoundInEveryFormat) {
  for (const auto& [type, body] : std::vector<std::pair<std::string, std::string>>{
           {"application/x-ndjson", "{\"id\":1}\n{\"id\":2,\"_miroir_slot\":1}\n"},
           {"text/csv", "id,_miroir_slot\n1,2\n"}}) {
    WriteWorld world;
    http::Request request = WriteWorld::json_request("POST", body);
    request.headers.set("Content-Type", type);
    EXPECT_EQ(world.add("movies", false, request).code(), "miroir_reserved_field") << type;
  }
}

TEST(DocumentWriterTest, ANestedFieldOfThatNameIsTheClients) {
  WriteWorld world;
  world.ended(world.post("movies", R"({"id":1,"meta":{"_miroir_slot":1}})"));
  EXPECT_EQ(world.documents_of("movies").at("1"), R"({"id":1,"meta":{"_miroir_slot":1}})");
}

TEST(DocumentWriterTest, ABadIdIsAcceptedFailsAndReachesNoNode) {
  for (const auto& [id, code] : std::vector<std::pair<std::string, std::string>>{
           {R"("a b")", "invalid_document_id"},
           {R"("")", "invalid_document_id"},
           {"1.5", "invalid_document_id"},
           {"null", "invalid_document_id"},
           {"[1]", "invalid_document_id"},
           {"\"" + std::string(512, 'x') + "\"", "invalid_document_id"}}) {
    WriteWorld world;
    world.ended(world.post("movies", R"({"id":"good"})"));
    const auto accepted = world.post("movies", R"([{"id":"other"},{"id":)" + id + "}]");
    EXPECT_EQ(accepted.status, 202);
    const Json task = world.ended(accepted);
    EXPECT_EQ(status_of(task), "failed") << id;
    EXPECT_EQ(error_of(task), code) << id;
    EXPECT_EQ(detail(task, "indexedDocuments"), Json(0));
    EXPECT_EQ(world.documents_of("movies"), (Documents{{"good", R"({"id":"good"})"}}));
    for (const auto& [name, node] : world.world.nodes)
      EXPECT_FALSE(node->disk().tasks.contains(static_cast<TaskUid>(accepted.task()))) << name;
  }
}

TEST(DocumentWriterTest, AMissingIdFails) {
  WriteWorld world;
  world.ended(world.post("movies", R"({"id":1})"));
  EXPECT_EQ(error_of(world.ended(world.post("movies", R"({"name":"x"})"))), "missing_document_id");
}

TEST(DocumentWriterTest, ThePrimaryKeyIsInferredFromTheFirstDocument) {
  WriteWorld world;
  world.ended(world.post("movies", R"([{"movieId":7,"name":"a"}])"));
  EXPECT_EQ(world.index("movies")->primary_key, "movieId");
  EXPECT_EQ(world.documents_of("movies"), (Documents{{"7", R"({"movieId":7,"name":"a"})"}}));
}

TEST(DocumentWriterTest, NoneOrSeveralCandidatesFailTheTaskAndLeaveTheKeyOpen) {
  WriteWorld world;
  EXPECT_EQ(error_of(world.ended(world.post("movies", R"([{"name":"a"}])"))),
            "index_primary_key_no_candidate_found");
  EXPECT_EQ(error_of(world.ended(world.post("movies", R"([{"aid":1,"bid":2}])"))),
            "index_primary_key_multiple_candidates_found");
  EXPECT_EQ(world.index("movies")->primary_key, std::nullopt);
  EXPECT_EQ(
      status_of(world.ended(world.post("movies", R"([{"aid":1,"bid":2}])", "primaryKey=bid"))),
      "succeeded");
  EXPECT_EQ(world.index("movies")->primary_key, "bid");
}

TEST(DocumentWriterTest, AnotherPrimaryKeyThanTheIndexsFails) {
  WriteWorld world;
  world.ended(world.post("movies", R"({"id":1})"));
  EXPECT_EQ(error_of(world.ended(world.post("movies", R"({"id":2})", "primaryKey=sku"))),
            "index_primary_key_already_exists");
  EXPECT_EQ(status_of(world.ended(world.post("movies", R"({"id":2})", "primaryKey=id"))),
            "succeeded");
}

TEST(DocumentWriterTest, NdjsonAndCsvAreTheSameDocuments) {
  const Documents expected = {{"1", R"({"id":1,"t":"a"})"}, {"2", R"({"id":2,"t":"b"})"}};
  for (const auto& [type, body] : std::vector<std::pair<std::string, std::string>>{
           {"application/x-ndjson", "{\"id\":1,\"t\":\"a\"}\n{\"id\":2,\"t\":\"b\"}"},
           {"text/csv", "id:number,t\n1,a\n2,b\n"}}) {
    WriteWorld world;
    http::Request request = WriteWorld::json_request("POST", body);
    request.headers.set("Content-Type", type);
    EXPECT_EQ(status_of(world.ended(world.add("movies", false, request))), "succeeded") << type;
    const Documents found = world.documents_of("movies");
    ASSERT_EQ(found.size(), 2u) << type;
    for (const auto& [id, text] : expected)
      EXPECT_EQ(parse_json(found.at(id)).value(), parse_json(text).value());
  }
}

struct Refusal {
  std::string type;
  std::string body;
  std::string query;
  std::string code;
};

TEST(DocumentWriterTest, WhatMeilisearchRefusesAtTheDoorIsRefusedAndNotLogged) {
  const std::vector<Refusal> refusals = {
      {"", "{}", "", "missing_content_type"},
      {"text/plain", "{}", "", "invalid_content_type"},
      {"application/json", "", "", "missing_payload"},
      {"application/json", "[{\"id\":1}", "", "malformed_payload"},
      {"application/json", "[{\"id\":1},,{\"id\":2}]", "", "malformed_payload"},
      {"application/json", "\"text\"", "", "malformed_payload"},
      {"application/json", "[1]", "", "malformed_payload"},
      {"application/x-ndjson", "{\"id\":1}\n{", "", "malformed_payload"},
      {"text/csv", "id,name\n1\n", "", "malformed_payload"},
      {"text/csv", "id\n1\n", "csvDelimiter=ab", "invalid_document_csv_delimiter"},
      {"application/json", "{}", "csvDelimiter=;", "invalid_content_type"},
      {"application/json", "{}", "bad=1", "bad_request"},
      {"application/json", "{\"id\":1}", "skipCreation=true", "miroir_not_supported"}};
  for (const Refusal& refusal : refusals) {
    WriteWorld world;
    http::Request request = WriteWorld::json_request("POST", refusal.body, refusal.query);
    request.headers.erase("Content-Type");
    if (!refusal.type.empty()) request.headers.set("Content-Type", refusal.type);
    const auto refused = world.add("movies", false, request);
    EXPECT_EQ(refused.code(), refusal.code) << refusal.type << " " << refusal.body;
    EXPECT_EQ(refused.status / 100, 4);
    EXPECT_EQ(world.world.log().head(), 0u);
  }
}

TEST(DocumentWriterTest, AnIndexNameThatIsNoneIsRefused) {
  WriteWorld world;
  EXPECT_EQ(world.post("a b", R"({"id":1})").code(), "invalid_index_uid");
  EXPECT_EQ(world.answer(world.documents().clear("a b", {})).code(), "invalid_index_uid");
  EXPECT_EQ(world.answer(world.documents().remove("a b", "1", {})).code(), "invalid_index_uid");
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST(DocumentWriterTest, ALargeBodyBecomesSeveralEntriesOfOneTask) {
  WriteOptions options;
  options.entry_bytes_max = 100;
  WriteWorld world(options);
  std::string body = "[";
  for (int i = 0; i < 30; ++i)
    body +=
        (i == 0 ? "" : ",") + std::string("{\"id\":") + std::to_string(i) + R"(,"t":"0123456789"})";
  const auto accepted = world.post("movies", body + "]");
  std::uint64_t records = 0;
  int parts = 0;
  for (Position at = 1; at <= world.world.log().head(); ++at) {
    const Entry entry = world.entry(at);
    if (entry.kind != EntryKind::kWriteDocuments) continue;
    ++parts;
    records += entry.records;
    EXPECT_EQ(entry.task, accepted.task());
    EXPECT_LE(entry.body_bytes, 400u);
  }
  EXPECT_GT(parts, 5);
  EXPECT_EQ(records, 30u);
  EXPECT_EQ(accepted.task(), world.world.log().head());
  const Json task = world.ended(accepted);
  EXPECT_EQ(status_of(task), "succeeded");
  EXPECT_EQ(detail(task, "receivedDocuments"), Json(30));
  EXPECT_EQ(detail(task, "indexedDocuments"), Json(30));
  EXPECT_EQ(world.documents_of("movies").size(), 30u);
}

TEST(DocumentWriterTest, ABadDocumentAtTheEndOfALargeBodyWritesNothing) {
  WriteOptions options;
  options.entry_bytes_max = 50;
  WriteWorld world(options);
  std::string body;
  for (int i = 0; i < 20; ++i) body += "{\"id\":" + std::to_string(i) + R"(,"t":"0123456789"},)";
  EXPECT_EQ(status_of(world.ended(
                world.post("movies", "[" + body + R"({"id":"a b"}])", "primaryKey=id"))),
            "failed");
  EXPECT_TRUE(world.documents_of("movies").empty());
}

TEST(DocumentWriterTest, PutMergesAndPostReplaces) {
  WriteWorld world;
  world.ended(world.post("movies", R"({"id":1,"a":1,"b":{"x":1,"y":2}})"));
  world.ended(world.put("movies", R"({"id":1,"b":{"x":9}})"));
  EXPECT_EQ(parse_json(world.documents_of("movies").at("1")).value(),
            parse_json(R"({"id":1,"a":1,"b":{"x":9}})").value());
  world.ended(world.post("movies", R"({"id":1,"c":3})"));
  EXPECT_EQ(world.documents_of("movies").at("1"), R"({"id":1,"c":3})");
}

TEST(DocumentWriterTest, DocumentsAreDeletedByIdByBatchAndAll) {
  WriteWorld world;
  world.ended(world.post("movies", R"([{"id":1},{"id":2},{"id":3},{"id":4},{"id":"x"}])"));
  Json task = world.ended(world.answer(world.documents().remove("movies", "1", {})));
  EXPECT_EQ(detail(task, "providedIds"), Json(1));
  EXPECT_EQ(detail(task, "deletedDocuments"), Json(1));
  task = world.ended(world.answer(world.documents().remove_batch(
      "movies", WriteWorld::json_request("POST", R"([2,"3",7,"nobody"])"))));
  EXPECT_EQ(detail(task, "providedIds"), Json(4));
  EXPECT_EQ(detail(task, "deletedDocuments"), Json(2));
  EXPECT_EQ(world.documents_of("movies").size(), 2u);
  task = world.ended(world.answer(world.documents().clear("movies", {})));
  EXPECT_EQ(detail(task, "deletedDocuments"), Json(2));
  EXPECT_TRUE(world.documents_of("movies").empty());
  EXPECT_TRUE(world.documents_of("movies", 1).empty());
}

TEST(DocumentWriterTest, ABatchThatIsNoListOfIdsIsRefused) {
  WriteWorld world;
  auto remove = [&](const char* body) {
    return world.answer(
        world.documents().remove_batch("movies", WriteWorld::json_request("POST", body)));
  };
  EXPECT_EQ(remove(R"({"ids":[1]})").status, 400);
  EXPECT_EQ(remove("[1").code(), "malformed_payload");
  EXPECT_EQ(remove("").code(), "missing_payload");
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST(DocumentWriterTest, DeletingFromAnIndexThatDoesNotExistFails) {
  WriteWorld world;
  for (const auto& accepted :
       {world.answer(world.documents().remove("movies", "1", {})),
        world.answer(world.documents().clear("movies", {})),
        world.answer(
            world.documents().remove_batch("movies", WriteWorld::json_request("POST", "[1]"))),
        world.answer(world.documents().remove_by_filter(
            "movies", WriteWorld::json_request("POST", R"({"filter":"a = 1"})")))}) {
    EXPECT_EQ(accepted.status, 202);
    const Json task = world.ended(accepted);
    EXPECT_EQ(error_of(task), "index_not_found");
    EXPECT_EQ(detail(task, "deletedDocuments"), Json(0));
  }
  EXPECT_EQ(world.index("movies"), nullptr);
}

TEST(DocumentWriterTest, ADeleteByFilterDeletesTheRowsThatMatched) {
  WriteWorld world;
  world.ended(world.post("movies", R"([{"id":1,"g":"a"},{"id":2,"g":"b"},{"id":3,"g":"a"}])"));
  const auto accepted = world.answer(world.documents().remove_by_filter(
      "movies", WriteWorld::json_request("POST", R"({"filter":"g = a"})")));
  const Json task = world.ended(accepted);
  EXPECT_EQ(detail(task, "originalFilter"), Json("\"g = a\""));
  EXPECT_EQ(detail(task, "deletedDocuments"), Json(2));
  EXPECT_EQ(world.documents_of("movies"), (Documents{{"2", R"({"id":2,"g":"b"})"}}));
}

TEST(DocumentWriterTest, ManyIdsBecomeSeveralEntriesOfOneTask) {
  WriteOptions options;
  options.entry_bytes_max = 1'000;
  WriteWorld world(options);
  world.ended(world.post("movies", R"([{"id":1},{"id":2},{"id":3},{"id":"x"}])"));
  std::string ids = R"(["x")";
  for (int i = 1; i < 30; ++i) ids += "," + std::to_string(i);
  const auto accepted = world.answer(
      world.documents().remove_batch("movies", WriteWorld::json_request("POST", ids + "]")));
  EXPECT_EQ(accepted.task(), world.world.log().head());
  EXPECT_LE(world.entry(accepted.task()).records, 5u);
  const Json task = world.ended(accepted);
  EXPECT_EQ(detail(task, "providedIds"), Json(30));
  EXPECT_EQ(detail(task, "deletedDocuments"), Json(4));
  EXPECT_TRUE(world.documents_of("movies").empty());
}

TEST(DocumentWriterTest, AFilterThatIsNoneIsRefused) {
  WriteWorld world;
  auto remove = [&](const char* body) {
    return world.answer(
        world.documents().remove_by_filter("movies", WriteWorld::json_request("POST", body)));
  };
  EXPECT_EQ(remove("{}").code(), "missing_document_filter");
  EXPECT_EQ(remove(R"({"filter":""})").code(), "invalid_document_filter");
  EXPECT_EQ(remove(R"({"filter":"a = = 1"})").code(), "invalid_document_filter");
  EXPECT_EQ(remove(R"({"filter":"a = 1","other":1})").code(), "bad_request");
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST(DocumentWriterTest, AFilterByAStoredFieldFailsAsByAFieldThatDoesNotExist) {
  WriteWorld world;
  world.ended(world.post("movies", R"([{"id":1},{"id":2}])"));
  for (const char* filter :
       {R"("_miroir_slot EXISTS")", R"(["id = 1",["'_miroir\\u{5f}slot' = 1"]])"}) {
    const auto accepted = world.answer(world.documents().remove_by_filter(
        "movies", WriteWorld::json_request("POST", R"({"filter":)" + std::string(filter) + "}")));
    EXPECT_EQ(accepted.status, 202);
    EXPECT_EQ(error_of(world.ended(accepted)), "invalid_document_filter");
    // It shows so from the start: what is born failed has failed.
    EXPECT_EQ(*world.entry(accepted.task()).task_details.find("deletedDocuments"), Json(0));
  }
  EXPECT_EQ(world.documents_of("movies").size(), 2u);
  const auto accepted = world.answer(world.documents().remove_by_filter(
      "movies", WriteWorld::json_request("POST", R"({"filter":"_miroir_slot = 1"})")));
  EXPECT_EQ(world.ended(accepted).find("error")->find("message")->as_string(),
            "Index `movies`: Attribute `_miroir_slot` is not filterable. This index does not have "
            "configured filterable attributes.\n1:13 _miroir_slot = 1");
}

TEST(DocumentWriterTest, AKeyThatMayNotMakeIndexesWritesToExistingOnesOnly) {
  WriteWorld world;
  auto add = [&] {
    return world.answer(world.documents().add(
        "movies", false, WriteWorld::json_request("POST", R"({"id":1})"), MissingIndex::kFails));
  };
  EXPECT_EQ(error_of(world.ended(add())), "index_not_found");
  EXPECT_EQ(world.index("movies"), nullptr);
  world.ended(world.post("movies", R"({"id":2})"));
  EXPECT_EQ(status_of(world.ended(add())), "succeeded");
}

TEST(DocumentWriterTest, ABadGeoFailsWhereTheIndexUsesIt) {
  WriteWorld world;
  const char* document = R"({"id":1,"_geo":{"lat":"north","lng":1}})";
  EXPECT_EQ(status_of(world.ended(world.post("plain", document))), "succeeded");
  world.ended(world.answer(world.settings().change(
      "movies", "sortable-attributes", WriteWorld::json_request("PUT", R"(["_geo"])"))));
  EXPECT_EQ(error_of(world.ended(world.post("movies", document))), "invalid_document_geo_field");
}

TEST(DocumentWriterTest, MetadataIsKeptInTheTask) {
  WriteWorld world;
  const auto accepted = world.post("movies", R"({"id":1})", "customMetadata=mine");
  EXPECT_EQ(accepted.text("customMetadata"), "mine");
  EXPECT_EQ(*world.ended(accepted).find("customMetadata"), Json("mine"));
}

TEST(DocumentWriterTest, AFullDiskRefusesTheWrite) {
  WriteWorld world;
  world.world.store.fill_disk(true);
  const auto refused = world.post("movies", R"({"id":1})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.code(), "miroir_store_unavailable");
  world.world.store.fill_disk(false);
  EXPECT_EQ(status_of(world.ended(world.post("movies", R"({"id":1})"))), "succeeded");
}

TEST(DocumentWriterTest, AGroupThatIsAwayIsNamed) {
  WriteWorld world;
  ASSERT_TRUE(
      world.world.await(world.world.cluster().set_state("b1", ReplicaState::kStale, "test")));
  const http::Response response = world.world.await(
      world.documents().add("movies", false, WriteWorld::json_request("POST", R"({"id":1})")));
  EXPECT_EQ(response.status, 202);
  ASSERT_NE(response.headers.find("X-Miroir-Degraded"), nullptr);
  EXPECT_NE(response.headers.find("X-Miroir-Degraded")->find('1'), std::string::npos);
}

}  // namespace
}  // namespace miroir
