#include "node/keys_tenant_token.h"

#include <gtest/gtest.h>

#include <string>

namespace miroir::node {
namespace {

constexpr const char* kKey = "0123456789abcdef";
constexpr const char* kUid = "u1";
const WallTime kNow{Seconds(1'000)};

// {"searchRules":{"books":{"filter":"year > 1"},"films*":null},"exp":2000}
constexpr const char* kToken256 =
    "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJhcGlLZXlVaWQiOiAidTEiLCAic2VhcmNoUnV"
    "sZXMiOiB7ImJvb2tzIjogeyJmaWx0ZXIiOiAieWVhciA-IDEifSwgImZpbG1zKiI6IG51bGx9LCAiZXh"
    "wIjogMjAwMH0.LdhCsgg4y7XdtAFZA1zFMvz9MoqjlJ3OPb4ZU3xah_o";
constexpr const char* kToken384 =
    "eyJhbGciOiAiSFMzODQiLCAidHlwIjogIkpXVCJ9.eyJhcGlLZXlVaWQiOiAidTEiLCAic2VhcmNoUnV"
    "sZXMiOiB7ImJvb2tzIjogeyJmaWx0ZXIiOiAieWVhciA-IDEifSwgImZpbG1zKiI6IG51bGx9LCAiZXh"
    "wIjogMjAwMH0.C-xOd5wvQtrT-I2Mw3Zuk_Ro-edMvRlysoSsGnS0fQTzzXcwo-lJdiFxHcqAWNP1";
constexpr const char* kToken512 =
    "eyJhbGciOiAiSFM1MTIiLCAidHlwIjogIkpXVCJ9.eyJhcGlLZXlVaWQiOiAidTEiLCAic2VhcmNoUnV"
    "sZXMiOiB7ImJvb2tzIjogeyJmaWx0ZXIiOiAieWVhciA-IDEifSwgImZpbG1zKiI6IG51bGx9LCAiZXh"
    "wIjogMjAwMH0.8cGFQBI1K21rJo3rm4Zfal9R9BVom1c5FPkFLNGAyd9peLiTi_4v6TmaN1PwBtKhxKR"
    "2ShkbQx1tL6V3ePvzAQ";
constexpr const char* kUnsigned =
    "eyJhbGciOiAibm9uZSJ9.eyJhcGlLZXlVaWQiOiAidTEiLCAic2VhcmNoUnVsZXMiOiB7ImJvb2tzIjo"
    "geyJmaWx0ZXIiOiAieWVhciA-IDEifSwgImZpbG1zKiI6IG51bGx9LCAiZXhwIjogMjAwMH0.";

TEST(TenantTokenTest, SignedOnesAreRead) {
  for (const char* token : {kToken256, kToken384, kToken512}) {
    const auto read = read_tenant_token(token, kKey, kUid, kNow);
    ASSERT_TRUE(read) << token;
    EXPECT_EQ(read->rule("books"), Json("year > 1"));
    EXPECT_EQ(read->rule("films2"), Json());
    EXPECT_EQ(read->rule("other"), std::nullopt);
  }
}

// {"apiKeyUid":"ABCDEF","searchRules":["*"]}
TEST(TenantTokenTest, TheUidMayBeInUpperCase) {
  constexpr const char* kUpper =
      "eyJhbGciOiJIUzI1NiJ9.eyJhcGlLZXlVaWQiOiJBQkNERUYiLCJzZWFyY2hSdWxlcyI6WyIqIl19."
      "KBaETgn8aIHhaVt-Ua59yepdE0EYJ_6E87m0j4o95xA";
  EXPECT_TRUE(read_tenant_token(kUpper, kKey, "abcdef", kNow));
}

TEST(TenantTokenTest, EverythingElseIsRefused) {
  EXPECT_FALSE(read_tenant_token(kToken256, "another key", kUid, kNow));
  EXPECT_FALSE(read_tenant_token(kToken256, kKey, "u2", kNow));
  EXPECT_FALSE(read_tenant_token(kToken256, kKey, kUid, WallTime{Seconds(2'000)}));  // expired
  EXPECT_FALSE(read_tenant_token(kUnsigned, kKey, kUid, kNow));
  std::string changed = kToken256;
  const std::size_t middle = changed.size() / 2;
  changed[middle] = changed[middle] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(read_tenant_token(changed, kKey, kUid, kNow));
  for (const char* text : {"", ".", "..", "a.b.c", "no token"})
    EXPECT_FALSE(read_tenant_token(text, kKey, kUid, kNow)) << text;
}

}  // namespace
}  // namespace miroir::node
