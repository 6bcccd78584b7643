#include "proxy/authorization.h"

#include <gtest/gtest.h>

#include "meili/api_key.h"
#include "proxy/routes.h"
#include "proxy/secrets_fake.h"

namespace miroir {
namespace {

constexpr const char* kUid = "6062abda-a5aa-4414-ac91-ecd7944c0f8d";
const WallTime kNow = WallTime(std::chrono::days(20'000));

Catalogue with_key(const std::string& actions, const std::string& indexes,
                   const std::string& expires = "null") {
  Entry entry;
  entry.position = 1;
  entry.kind = EntryKind::kPutKey;
  entry.arguments = parse_json(R"({"uid":")" + std::string(kUid) + R"(","actions":)" + actions +
                               R"(,"indexes":)" + indexes + R"(,"expiresAt":)" + expires + "}")
                        .value();
  Catalogue catalogue;
  catalogue.apply(entry);
  return catalogue;
}

http::RequestHead with(const std::string& token, const std::string& name = "Authorization") {
  http::RequestHead head;
  if (!token.empty()) head.headers.set(name, name == "Authorization" ? "Bearer " + token : token);
  return head;
}

// The refusal's code, or "".
std::string judged(const http::RequestHead& head, std::string_view action,
                   const std::string& index = {}, const Catalogue& catalogue = {},
                   const Secrets& secrets = kSecrets) {
  const auto refusal = Authorization(secrets).judge(head, action, index, catalogue, kNow);
  return refusal ? refusal->code : "";
}

std::string key() { return meili::derive_key(kSecrets.node_master_key, kUid); }

// {"apiKeyUid":kUid,"searchRules":["*"]}; the signature is the nodes' business.
std::string tenant_token() {
  return "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
         "eyJhcGlLZXlVaWQiOiAiNjA2MmFiZGEtYTVhYS00NDE0LWFjOTEtZWNkNzk0NGMwZjhkIi"
         "wgInNlYXJjaFJ1bGVzIjogWyIqIl19.c2lnbmF0dXJl";
}

TEST(AuthorizationTest, TheMasterKeyMayDoEverythingButAdministerMiroir) {
  EXPECT_EQ(judged(with("clientsMaster"), "keys.create"), "");
  EXPECT_EQ(judged(with("clientsMaster"), "documents.add", "movies"), "");
  EXPECT_EQ(judged(with("clientsMaster"), kAdminKey), "miroir_invalid_auth");
}

TEST(AuthorizationTest, WithoutAKeyOrWithAnUnknownOneNothingIsAllowed) {
  EXPECT_EQ(judged(with(""), "search"), "missing_authorization_header");
  for (const char* token : {"wrong", "clientsMaste", "clientsMaster1", "nodesMaster", "adminKey"})
    EXPECT_EQ(judged(with(token), "search"), "invalid_api_key") << token;
  http::RequestHead basic;
  basic.headers.set("Authorization", "Basic clientsMaster");
  EXPECT_EQ(judged(basic, "search"), "missing_authorization_header");
  EXPECT_EQ(judged(with(""), kNoKey), "");
}

TEST(AuthorizationTest, WithoutAMasterKeyNobodyIsAsked) {
  const Secrets open = {"", "nodesMaster", ""};
  EXPECT_EQ(judged(with(""), "keys.create", "", {}, open), "");
  EXPECT_EQ(judged(with("anything"), "search", "", {}, open), "");
  EXPECT_EQ(judged(with(""), kAdminKey, "", {}, open), "");
}

TEST(AuthorizationTest, TheAdminKeyIsTakenFromEitherHeaderAndIsTheMasterKeyIfNoneIsSet) {
  EXPECT_EQ(judged(with("adminKey"), kAdminKey), "");
  EXPECT_EQ(judged(with("adminKey", "X-Admin-Key"), kAdminKey), "");
  EXPECT_EQ(judged(with("wrong", "X-Admin-Key"), kAdminKey), "miroir_invalid_auth");
  EXPECT_EQ(judged(with(""), kAdminKey), "miroir_invalid_auth");
  const Secrets without = {"clientsMaster", "nodesMaster", ""};
  EXPECT_EQ(judged(with("clientsMaster"), kAdminKey, "", {}, without), "");
  EXPECT_EQ(judged(with(""), kAdminKey, "", {}, without), "miroir_invalid_auth");
}

TEST(AuthorizationTest, AKeyMayDoItsActionsOnItsIndexes) {
  const Catalogue catalogue = with_key(R"(["search","documents.*"])", R"(["movies","log-*"])");
  EXPECT_EQ(judged(with(key()), "search", "movies", catalogue), "");
  EXPECT_EQ(judged(with(key()), "documents.delete", "log-1", catalogue), "");
  EXPECT_EQ(judged(with(key()), "indexes.delete", "movies", catalogue), "invalid_api_key");
  EXPECT_EQ(judged(with(key()), "search", "movies2", catalogue), "invalid_api_key");
  EXPECT_EQ(judged(with(key()), "search", "logs", catalogue), "invalid_api_key");
  EXPECT_EQ(judged(with(key()), kAdminKey, "", catalogue), "miroir_invalid_auth");
  EXPECT_EQ(judged(with(key()), "search", "movies"), "invalid_api_key");  // not in the catalogue
}

TEST(AuthorizationTest, AKeyEndsWhenItExpires) {
  const std::string before = "\"" + to_rfc3339(kNow - Seconds(1)) + "\"";
  const std::string after = "\"" + to_rfc3339(kNow + Seconds(1)) + "\"";
  EXPECT_EQ(judged(with(key()), "search", "m", with_key(R"(["*"])", R"(["*"])", before)),
            "invalid_api_key");
  EXPECT_EQ(judged(with(key()), "search", "m", with_key(R"(["*"])", R"(["*"])", after)), "");
}

TEST(AuthorizationTest, ATenantTokenIsJudgedByNodesAndOnlyForSearches) {
  const Catalogue catalogue = with_key(R"(["search"])", R"(["movies"])");
  EXPECT_EQ(judged(with(tenant_token()), "search", "movies", catalogue), "");
  EXPECT_EQ(judged(with(tenant_token()), "documents.get", "movies", catalogue), "invalid_api_key");
  EXPECT_EQ(judged(with("header.payload"), "search", "movies", catalogue), "invalid_api_key");
}

// In upper case, without hyphens, as a URN, in braces.
TEST(AuthorizationTest, ATenantTokenMayWriteTheUidOfItsKeyInAnyWay) {
  const Catalogue catalogue = with_key(R"(["search"])", R"(["movies"])");
  for (const std::string payload :
       {"eyJhcGlLZXlVaWQiOiAiNjA2MkFCREEtQTVBQS00NDE0LUFDOTEtRUNENzk0NEMwRjhEIiwgInNlYXJjaFJ1bGVzIj"
        "ogWyIqIl19",
        "eyJhcGlLZXlVaWQiOiAiNjA2MmFiZGFhNWFhNDQxNGFjOTFlY2Q3OTQ0YzBmOGQiLCAic2VhcmNoUnVsZXMiOiBbIi"
        "oiXX0",
        "eyJhcGlLZXlVaWQiOiAidXJuOnV1aWQ6NjA2MmFiZGEtYTVhYS00NDE0LWFjOTEtZWNkNzk0NGMwZjhkIiwgInNlYX"
        "JjaFJ1bGVzIjogWyIqIl19",
        "eyJhcGlLZXlVaWQiOiAiezYwNjJhYmRhLWE1YWEtNDQxNC1hYzkxLWVjZDc5NDRjMGY4ZH0iLCAic2VhcmNoUnVsZX"
        "MiOiBbIioiXX0"})
    EXPECT_EQ(judged(with("header." + payload + ".signature"), "search", "movies", catalogue), "")
        << payload;
}

// A node that comes back may still have the key.
TEST(AuthorizationTest, ATenantTokenOpensNothingWithoutItsKey) {
  EXPECT_EQ(judged(with(tenant_token()), "search", "movies"), "invalid_api_key");
  const std::string before = "\"" + to_rfc3339(kNow - Seconds(1)) + "\"";
  for (const Catalogue& catalogue : {with_key(R"(["search"])", R"(["*"])", before),
                                     with_key(R"(["documents.get"])", R"(["*"])")})
    EXPECT_EQ(judged(with(tenant_token()), "search", "movies", catalogue), "invalid_api_key");
}

TEST(AuthorizationTest, ListingsShowAKeyItsOwnIndexes) {
  const Authorization authorization(kSecrets);
  const Catalogue catalogue = with_key(R"(["*"])", R"(["movies*"])");
  EXPECT_TRUE(authorization.may_see(with(key()), "movies1", catalogue));
  EXPECT_FALSE(authorization.may_see(with(key()), "books", catalogue));
  EXPECT_FALSE(authorization.may_see(with("wrong"), "movies1", catalogue));
  EXPECT_TRUE(authorization.may_see(with(""), "books", catalogue));  // the master's: taken out
}

TEST(AuthorizationTest, IndexesAreMadeByKeysThatMayMakeThem) {
  const Authorization authorization(kSecrets);
  const Catalogue adds = with_key(R"(["documents.add"])", R"(["*"])");
  const Catalogue makes = with_key(R"(["documents.add","indexes.create"])", R"(["movies*"])");
  EXPECT_FALSE(authorization.may_make(with(key()), "movies", adds));
  EXPECT_TRUE(authorization.may_make(with(key()), "movies", makes));
  EXPECT_FALSE(authorization.may_make(with(key()), "books", makes));
  EXPECT_TRUE(authorization.may_make(with(""), "books", makes));
}

TEST(AuthorizationTest, WhatMustNotTravelToANode) {
  EXPECT_TRUE(Authorization(kSecrets).is_master(with("clientsMaster")));
  EXPECT_FALSE(Authorization(kSecrets).is_master(with(key())));
  EXPECT_TRUE(Authorization({"", "nodesMaster", ""}).is_master(with("anything")));
}

}  // namespace
}  // namespace miroir
