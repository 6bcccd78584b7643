// What is judged at the door: ids, payloads, parameters, error codes, times.
#include <gtest/gtest.h>

#include "meili/index_uid.h"
#include "meili/parameters.h"
#include "meili/payload.h"
#include "meili/primary_key.h"
#include "meili/task.h"

namespace miroir::meili {
namespace {

using std::string_view_literals::operator""sv;

TEST(ApiErrorTest, CodesHaveTheirStatus) {
  EXPECT_EQ(api_error("index_not_found", "").status, 404);
  EXPECT_EQ(api_error("invalid_api_key", "").type, "auth");
  EXPECT_EQ(api_error("invalid_settings_ranking_rules", "").status, 400);
  EXPECT_EQ(api_error("miroir_store_unavailable", "").status, 503);
  const ApiError error = api_error("missing_content_type", "why");
  EXPECT_EQ(parse_api_error(to_json(error)).value(), error);
}

TEST(IndexUidTest, OnlyPlainCharacters) {
  EXPECT_TRUE(is_index_uid("A-z_09"));
  EXPECT_FALSE(is_index_uid(""));
  EXPECT_FALSE(is_index_uid("a b"));
  EXPECT_TRUE(is_index_uid(std::string(512, 'a')));
  EXPECT_FALSE(is_index_uid(std::string(513, 'a')));
}

TEST(PrimaryKeyTest, TheOnlyFieldThatEndsInIdIsInferred) {
  EXPECT_EQ(infer_primary_key(R"({"bookId":7,"t":1})"sv).value(), "bookId");
  EXPECT_EQ(infer_primary_key(R"({"t":1})"sv).error().code, "index_primary_key_no_candidate_found");
  EXPECT_EQ(infer_primary_key(R"({"bookId":7,"userid":1})"sv).error().code,
            "index_primary_key_multiple_candidates_found");
}

TEST(PrimaryKeyTest, IdsHaveOneStringForm) {
  EXPECT_EQ(document_id_of(R"({"id":1})"sv, "id").value(), "1");
  EXPECT_EQ(document_id_of(R"({"id":"1"})"sv, "id").value(), "1");
  EXPECT_EQ(document_id_of(R"({"\u0069d":-3})"sv, "id").value(), "-3");
  EXPECT_EQ(document_id_of(R"({"a":{"id":3}})"sv, "a.id").value(), "3");
  EXPECT_EQ(document_id_of(R"({"id":1,"id":2})"sv, "id").value(), "2");
  EXPECT_EQ(document_id_of(R"({"id":"a b"})"sv, "id").error().code, "invalid_document_id");
  EXPECT_EQ(document_id_of(R"({"id":1.5})"sv, "id").error().code, "invalid_document_id");
  EXPECT_EQ(document_id_of(R"({"x":1})"sv, "id").error().message,
            R"(Document doesn't have a `id` attribute: `{"x":1}`.)");
}

TEST(PayloadTest, ContentTypesDecide) {
  const std::string json = "application/json; charset=utf-8";
  const std::string text = "text/plain";
  const std::string delimiter = ";";
  EXPECT_EQ(payload_format(&json, nullptr).value(), PayloadFormat::kJson);
  EXPECT_EQ(payload_format(&text, nullptr).error().status, 415);
  EXPECT_EQ(payload_format(nullptr, nullptr).error().code, "missing_content_type");
  EXPECT_EQ(payload_format(&json, &delimiter).error().code, "invalid_content_type");
}

TEST(PayloadTest, CsvBecomesTypedDocuments) {
  EXPECT_EQ(
      csv_to_ndjson("id,p:number,b:boolean\r\n1,1.5,true\n\"a,\"\"b\"\"\n\",,\n", ',').value(),
      "{\"id\":\"1\",\"p\":1.5,\"b\":true}\n{\"id\":\"a,\\\"b\\\"\\n\",\"p\":null,\"b\":null}\n");
  EXPECT_EQ(csv_to_ndjson("a:number\nx\n", ',').error().code, "malformed_payload");
  EXPECT_EQ(csv_to_ndjson("a,b\n1\n", ',').error().code, "malformed_payload");
}

TEST(ParametersTest, UnknownAndWrongOnesAreRefused) {
  const Parameters query = {{"limit", "3"}, {"offset", "-1"}};
  EXPECT_EQ(check_parameters(query, {"limit"})->message,
            "Unknown parameter `offset`: expected one of `limit`");
  EXPECT_EQ(unsigned_parameter(query, "limit", 0, "invalid_index_limit").value(), 3U);
  EXPECT_EQ(unsigned_parameter(query, "offset", 0, "invalid_index_offset").error().code,
            "invalid_index_offset");
  EXPECT_EQ(unsigned_parameter(query, "other", 7, "bad_request").value(), 7U);
}

TEST(TaskTest, TimesAndDurations) {
  EXPECT_EQ(iso8601_duration(Microseconds(1'000'042)), "PT1.000042S");
  const auto time = parse_date_time("2026-11-23T01:02:03.5+01:00", false);
  ASSERT_TRUE(time);
  EXPECT_EQ(to_rfc3339(*time).substr(0, 21), "2026-11-23T00:02:03.5");
  EXPECT_EQ(*parse_date_time("2026-11-23", true) - *parse_date_time("2026-11-23", false),
            std::chrono::hours(24));
  EXPECT_FALSE(parse_date_time("yesterday", false));
  EXPECT_FALSE(parse_date_time("2026-02-30", false));
}

}  // namespace
}  // namespace miroir::meili
