#include "node_api/node_answer.h"

#include <gtest/gtest.h>

#include "node_api/document_filter.h"

namespace miroir {
namespace {

ErrorCode code_of(int status, const std::string& code, const std::string& type = "invalid_request",
                  const std::string& message = "m") {
  const Json body = Json::object({{"message", message}, {"code", code}, {"type", type}});
  return error_of(http::json_response(status, to_text(body))).code;
}

TEST(NodeAnswerTest, RefusalsAreToldFromAbsence) {
  EXPECT_EQ(code_of(400, "invalid_document_id"), ErrorCode::kInvalid);
  EXPECT_EQ(code_of(413, "payload_too_large"), ErrorCode::kInvalid);
  EXPECT_EQ(code_of(400, "bad_request"), ErrorCode::kInvalid);
  EXPECT_EQ(
      code_of(400, "bad_request", "invalid_request", "Received bad task id: 5 should be >= to 6."),
      ErrorCode::kConflict);
  EXPECT_EQ(code_of(404, "index_not_found"), ErrorCode::kNotFound);
  EXPECT_EQ(code_of(400, "index_not_found"), ErrorCode::kNotFound);
  for (const int status : {401, 403, 408, 429, 500, 502, 503, 504, 507})
    EXPECT_EQ(code_of(status, "whatever"), ErrorCode::kUnavailable) << status;
  EXPECT_EQ(code_of(422, "no_space_left_on_device", "system"), ErrorCode::kUnavailable);
  EXPECT_EQ(error_of(http::json_response(404, "<html>")).code, ErrorCode::kCorrupt);
  EXPECT_EQ(error_of(http::json_response(302, "{}")).code, ErrorCode::kCorrupt);
  EXPECT_EQ(error_of(http::json_response(503, "")).code, ErrorCode::kUnavailable);
}

TEST(NodeAnswerTest, DocumentsKeepTheirText) {
  const std::string first = R"({"id":1,  "x":1.50e2,"\u0061":"\/"})";
  const auto page = documents_of(http::json_response(
      200, R"({"results":[)" + first + R"(,{"id":2}],"offset":0,"limit":2,"total":9})"));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->documents, (std::vector<std::string>{first, R"({"id":2})"}));
  EXPECT_EQ(page->total, 9u);
  EXPECT_GT(page->bytes, first.size());
  const auto empty = documents_of(http::json_response(200, R"({"results":[],"total":0})"));
  ASSERT_TRUE(empty);
  EXPECT_TRUE(empty->documents.empty());
}

TEST(NodeAnswerTest, GarbageIsCorrupt) {
  for (const char* body : {"", "{", "[]", R"({"results":[]})", R"({"results":[1],"total":1})",
                           R"({"results":{"id":1},"total":1})", R"({"results":[],"total":-1})",
                           R"({"results":[{"id":1,}],"total":1})"}) {
    const auto page = documents_of(http::json_response(200, body));
    ASSERT_FALSE(page) << body;
    EXPECT_EQ(page.error().code, ErrorCode::kCorrupt) << body;
  }
  for (const char* body : {"", "[]", "{}", R"({"taskUid":-1})", R"({"taskUid":4294967296})"}) {
    const auto enqueued = enqueued_of(http::json_response(202, body));
    ASSERT_FALSE(enqueued) << body;
    EXPECT_EQ(enqueued.error().code, ErrorCode::kCorrupt) << body;
  }
}

TEST(NodeAnswerTest, TasksAreRead) {
  const auto page = parse_json(
      R"({"results":[{"uid":3,"indexUid":null,"status":"failed","type":"indexSwap",
          "customMetadata":"c","details":{"a":1},"error":{"code":"x"},"enqueuedAt":"e",
          "startedAt":null,"finishedAt":"f"}]})");
  const auto tasks = tasks_of(*page);
  ASSERT_TRUE(tasks);
  ASSERT_EQ(tasks->size(), 1u);
  const NodeTask& task = tasks->front();
  EXPECT_EQ(task.uid, 3u);
  EXPECT_TRUE(task.ended());
  EXPECT_EQ(task.index_uid, "");
  EXPECT_EQ(task.started_at, "");
  EXPECT_EQ(task.finished_at, "f");
  EXPECT_EQ(task.custom_metadata, "c");
  EXPECT_EQ(*task.error.find("code"), Json("x"));
}

TEST(NodeAnswerTest, DigestsCountSymbolsOfEachRange) {
  const Json queries = digest_queries("i", {{}, {0, 7}});
  ASSERT_EQ(queries.find("queries")->size(), 2u);
  EXPECT_EQ(queries.find("queries")->as_array()[0].find("filter"), nullptr);
  EXPECT_EQ(*queries.find("queries")->as_array()[1].find("filter"), Json(slot_condition({0, 7})));
  const auto answer = parse_json(
      R"({"results":[{"facetDistribution":{"_miroir_digest_0":{"!!!":2,"(;*":1,"odd":9},
          "_miroir_digest_2":{"!!(":3}}},{"facetDistribution":{}}]})");
  const auto digests = digests_of(*answer, 2);
  ASSERT_TRUE(digests) << digests.error().message;
  EXPECT_EQ((*digests)[0].counts[0][0], 2u);
  EXPECT_EQ((*digests)[0].counts[0][99], 1u);
  EXPECT_EQ((*digests)[0].counts[2][1], 3u);
  EXPECT_EQ((*digests)[0].documents(), 3u);
  EXPECT_EQ((*digests)[1], DigestCounts());
  EXPECT_EQ(digests_of(*answer, 3).error().code, ErrorCode::kCorrupt);
  DigestCounts sum = (*digests)[0];
  sum += (*digests)[0];
  EXPECT_EQ(sum.documents(), 6u);
}

}  // namespace
}  // namespace miroir
