#include "write/key_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "write/write_world_fake.h"

namespace miroir {
namespace {

class KeyWriterTest : public ::testing::Test {
 protected:
  Answer<Json> create(const std::string& body) {
    return world.world.await(world.keys().create(WriteWorld::json_request("POST", body)));
  }
  WriteWorld world;
};

constexpr const char* kUid = "6062abda-a5aa-4414-ac91-ecd7944c0f8d";
const std::string kKey = R"({"actions":["search"],"indexes":["movies*"],"expiresAt":null,"uid":")" +
                         std::string(kUid) + "\"}";

TEST_F(KeyWriterTest, AKeyIsOnEveryNodeWhenItIsAnswered) {
  const auto key = create(kKey);
  ASSERT_TRUE(key);
  for (const auto& [name, node] : world.world.nodes)
    EXPECT_TRUE(node->disk().keys.contains(kUid)) << name;
  EXPECT_EQ(create(kKey).error().code, "api_key_already_exists");
}

TEST_F(KeyWriterTest, AUidIsKeptAsNodesPrintIt) {
  std::string upper = kKey;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'a' && c <= 'f' ? std::toupper(c) : c);
  });
  const std::size_t uid = upper.find("6062");
  std::string body = kKey;
  body.replace(uid, 36, upper.substr(uid, 36));
  ASSERT_NE(body, kKey);
  const auto key = create(body);
  ASSERT_TRUE(key);
  EXPECT_EQ(*key->find("uid"), Json(kUid));
  EXPECT_NE(world.world.log().catalogue().key(kUid), nullptr);
}

TEST_F(KeyWriterTest, WithoutAUidOneIsMade) {
  const auto key = create(R"({"actions":["*"],"indexes":["*"],"expiresAt":"2099-01-01"})");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->find("uid")->as_string().size(), 36u);
  EXPECT_EQ(key->find("expiresAt")->as_string().substr(0, 10), "2099-01-01");
}

TEST_F(KeyWriterTest, WhatIsNoKeyIsRefusedAndNotLogged) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{}", "missing_api_key_actions"},
      {R"({"actions":["search"]})", "missing_api_key_indexes"},
      {R"({"actions":["search"],"indexes":["*"]})", "missing_api_key_expires_at"},
      {R"({"actions":"search","indexes":["*"],"expiresAt":null})", "invalid_api_key_actions"},
      {R"({"actions":["fly"],"indexes":["*"],"expiresAt":null})", "invalid_api_key_actions"},
      {R"({"actions":["search"],"indexes":["a b"],"expiresAt":null})", "invalid_api_key_indexes"},
      {R"({"actions":["search"],"indexes":["a*b"],"expiresAt":null})", "invalid_api_key_indexes"},
      {R"({"actions":["search"],"indexes":["*"],"expiresAt":"2001-01-01"})",
       "invalid_api_key_expires_at"},
      {R"({"actions":["search"],"indexes":["*"],"expiresAt":"soon"})",
       "invalid_api_key_expires_at"},
      {R"({"actions":["search"],"indexes":["*"],"expiresAt":null,"uid":"x"})",
       "invalid_api_key_uid"},
      {R"({"actions":["search"],"indexes":["*"],"expiresAt":null,"name":1})",
       "invalid_api_key_name"},
      {R"({"actions":["search"],"indexes":["*"],"expiresAt":null,"key":"x"})", "bad_request"},
      {"[", "malformed_payload"}};
  for (const auto& [body, code] : cases) {
    const auto refused = create(body);
    ASSERT_FALSE(refused) << body;
    EXPECT_EQ(refused.error().code, code) << body;
  }
  EXPECT_EQ(world.world.log().head(), 0u);
}

TEST_F(KeyWriterTest, OnlyNameAndDescriptionChange) {
  ASSERT_TRUE(create(kKey));
  auto update = [&](const char* body) {
    return world.world.await(world.keys().update(kUid, WriteWorld::json_request("PATCH", body)));
  };
  const auto renamed = update(R"({"name":"n"})");
  ASSERT_TRUE(renamed);
  EXPECT_EQ(*renamed->find("name"), Json("n"));
  EXPECT_EQ(*renamed->find("actions"), Json::array({"search"}));
  for (const auto& [body, code] : std::vector<std::pair<const char*, const char*>>{
           {R"({"uid":"x"})", "immutable_api_key_uid"},
           {R"({"actions":["*"]})", "immutable_api_key_actions"},
           {R"({"indexes":["*"]})", "immutable_api_key_indexes"},
           {R"({"expiresAt":null})", "immutable_api_key_expires_at"},
           {R"({"other":1})", "bad_request"}}) {
    EXPECT_EQ(update(body).error().code, code);
  }
  EXPECT_EQ(*world.world.log().catalogue().key(kUid)->key.find("actions"), Json::array({"search"}));
}

TEST_F(KeyWriterTest, ARemovedKeyIsGoneEverywhere) {
  ASSERT_TRUE(create(kKey));
  ASSERT_TRUE(world.world.await(world.keys().remove(kUid)));
  EXPECT_EQ(world.world.log().catalogue().key(kUid), nullptr);
  for (const auto& [name, node] : world.world.nodes)
    EXPECT_FALSE(node->disk().keys.contains(kUid)) << name;
  EXPECT_EQ(world.world.await(world.keys().remove(kUid)).error().code, "api_key_not_found");
}

TEST_F(KeyWriterTest, DefaultKeysAreMadeOnce) {
  ASSERT_TRUE(world.world.await(world.keys().make_default_keys()));
  ASSERT_TRUE(world.world.await(world.keys().make_default_keys()));
  EXPECT_EQ(world.world.log().catalogue().keys().size(), 2u);
}

}  // namespace
}  // namespace miroir
