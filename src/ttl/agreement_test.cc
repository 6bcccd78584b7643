#include "ttl/agreement.h"

#include <gtest/gtest.h>

namespace miroir::ttl {
namespace {

constexpr std::int64_t kNow = 1'000;

StoredFields version(Stamp stamp, std::optional<std::int64_t> expires_at) {
  return {.slot = slot_of("a"),
          .stamp = stamp,
          .base = stamp,
          .checksum = {},
          .digest = digest_of("a", stamp),
          .expires_at = expires_at};
}

std::size_t agreed(const std::vector<OwnerCopies>& owners) {
  return agreed_to_have_expired({"a"}, owners, kNow).size();
}

TEST(AgreementTest, WhatAllOwnersSayHasExpiredIsNamedByItsStamp) {
  const auto records =
      agreed_to_have_expired({"a"}, {{{"a", version(7, kNow)}}, {{"a", version(7, kNow)}}}, kNow);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records.front().id, "a");
  EXPECT_EQ(records.front().slot, slot_of("a"));
  EXPECT_EQ(records.front().checksum, 7U);
}

TEST(AgreementTest, WhatHasNotExpiredStays) {
  EXPECT_EQ(agreed({{{"a", version(7, kNow + 1)}}}), 0U);
  EXPECT_EQ(agreed({{{"a", version(7, std::nullopt)}}}), 0U);
}

TEST(AgreementTest, AnyDisagreementLeavesTheDocumentAlone) {
  const StoredFields expired = version(7, 5);
  EXPECT_EQ(agreed({{{"a", expired}}, {{"a", version(8, 5)}}}), 0U);         // written again
  EXPECT_EQ(agreed({{{"a", expired}}, {{"a", version(7, kNow + 1)}}}), 0U);  // extended
  EXPECT_EQ(agreed({{{"a", expired}}, {}}), 0U);                             // absent
  StoredFields merged = expired;
  merged.base = 3;
  EXPECT_EQ(agreed({{{"a", expired}}, {{"a", merged}}}), 0U);
  EXPECT_EQ(agreed({}), 0U);
}

TEST(AgreementTest, ACopyThatContradictsItselfIsNotBelieved) {
  StoredFields elsewhere = version(7, 5);
  elsewhere.slot = static_cast<Slot>(slot_of("a") + 1);
  EXPECT_EQ(agreed({{{"a", elsewhere}}}), 0U);
  StoredFields unstamped = version(7, 5);
  unstamped.stamp.reset();
  EXPECT_EQ(agreed({{{"a", unstamped}}}), 0U);
}

}  // namespace
}  // namespace miroir::ttl
