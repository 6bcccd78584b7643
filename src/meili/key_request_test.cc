#include "meili/key_request.h"

#include <gtest/gtest.h>

namespace miroir::meili {
namespace {

const WallTime kNow{std::chrono::sys_days(std::chrono::year(2026) / 1 / 1)};
constexpr const char* kUid = "6062abda-a5aa-4414-ac91-ecd7944c0f8d";

std::expected<Json, ApiError> created(std::string_view body) {
  return parse_new_key(*parse_json(body), kUid, kNow);
}

std::string code_of(std::string_view body) {
  const auto key = created(body);
  return key ? "" : key.error().code;
}

TEST(KeyRequestTest, MissingMembersAreNullOrFresh) {
  const auto key = created(R"({"actions":["search"],"indexes":["a*"],"expiresAt":null})");
  ASSERT_TRUE(key);
  EXPECT_EQ(*key->find("uid"), Json(kUid));
  EXPECT_TRUE(key->find("name")->is_null());
  EXPECT_EQ(*key->find("createdAt"), *key->find("updatedAt"));
}

TEST(KeyRequestTest, DaysAndTimesWithoutOffsetAreUtc) {
  for (const char* text :
       {"2027-02-03", "2027-02-03T00:00:00", "2027-02-03 00:00:00", "2027-02-03T01:00:00+01:00"}) {
    const auto key =
        created(R"({"actions":["*"],"indexes":["*"],"expiresAt":")" + std::string(text) + R"("})");
    ASSERT_TRUE(key) << text;
    EXPECT_TRUE(key->find("expiresAt")->as_string().starts_with("2027-02-03T00:00:00")) << text;
  }
}

TEST(KeyRequestTest, EachIsRefusedWithItsCode) {
  EXPECT_EQ(code_of(R"({"indexes":["*"],"expiresAt":null})"), "missing_api_key_actions");
  EXPECT_EQ(code_of(R"({"actions":["*"],"expiresAt":null})"), "missing_api_key_indexes");
  EXPECT_EQ(code_of(R"({"actions":["*"],"indexes":["*"]})"), "missing_api_key_expires_at");
  EXPECT_EQ(code_of(R"({"actions":["odd"],"indexes":["*"],"expiresAt":null})"),
            "invalid_api_key_actions");
  EXPECT_EQ(code_of(R"({"actions":["*"],"indexes":["b d"],"expiresAt":null})"),
            "invalid_api_key_indexes");
  EXPECT_EQ(code_of(R"({"actions":["*"],"indexes":["*"],"expiresAt":"2001-01-01"})"),
            "invalid_api_key_expires_at");
  EXPECT_EQ(code_of(R"({"actions":["*"],"indexes":["*"],"expiresAt":null,"uid":"x"})"),
            "invalid_api_key_uid");
  EXPECT_EQ(code_of(R"({"actions":["*"],"indexes":["*"],"expiresAt":null,"odd":1})"),
            "bad_request");
}

TEST(KeyRequestTest, OnlyNameAndDescriptionChange) {
  Json key = *created(R"({"actions":["*"],"indexes":["*"],"expiresAt":null,"name":"a"})");
  EXPECT_TRUE(
      update_key(key, *parse_json(R"({"name":null,"description":"d"})"), kNow + Seconds(1)));
  EXPECT_TRUE(key.find("name")->is_null());
  EXPECT_EQ(*key.find("description"), Json("d"));
  EXPECT_NE(*key.find("createdAt"), *key.find("updatedAt"));
  const auto refused = update_key(key, *parse_json(R"({"actions":["*"]})"), kNow);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "immutable_api_key_actions");
}

}  // namespace
}  // namespace miroir::meili
