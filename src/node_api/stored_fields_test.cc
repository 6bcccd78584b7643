#include "node_api/stored_fields.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "node_api/field_names_fake.h"

namespace miroir {
namespace {

TEST(StoredFieldsTest, AnExpiryIsWholeMilliseconds) {
  for (const auto& [given, read] :
       std::vector<std::pair<const char*, const char*>>{{"0", "0"},
                                                        {"1752000000000", "1752000000000"},
                                                        {"1.752e12", "1752000000000"},
                                                        {"9007199254740991", "9007199254740991"},
                                                        {"null", "null"}}) {
    EXPECT_EQ(read_expiry(given).value(), read);
  }
  for (const char* wrong : {"-1", "1.5", "\"1752000000000\"", "9007199254740992", "true", "{}"})
    EXPECT_FALSE(read_expiry(wrong)) << wrong;
  EXPECT_EQ(shown_expiry('"' + encode_expiry(5000) + '"'), "5000");
  EXPECT_EQ(shown_expiry("null"), "null");
  EXPECT_EQ(shown_expiry("\"5000\""), std::nullopt);
  EXPECT_EQ(shown_expiry("5000"), std::nullopt);
}

TEST(StoredFieldsTest, AnExpiryIsStoredInOurAlphabet) {
  std::string text;
  append_stored(text, R"({"id":7,"_miroir_expires_at":5000})", fields_of_merge("7", 1, kNames),
                kNames);
  const auto copy = parse_copy(text, "id", kNames);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->stored.expires_at, 5000);
  EXPECT_EQ(text.find("5000"), std::string::npos);
  text.clear();
  append_stored(text, R"({"id":7,"_miroir_expires_at":null})", fields_of_merge("7", 1, kNames),
                kNames);
  EXPECT_EQ(parse_copy(text, "id", kNames)->stored.expires_at, std::nullopt);
  // Only the document's own member is the expiry.
  text.clear();
  append_stored(text, R"({"id":7,"a":{"_miroir_expires_at":5}})", fields_of_merge("7", 1, kNames),
                kNames);
  EXPECT_NE(text.find(R"({"_miroir_expires_at":5})"), std::string::npos);
}

TEST(StoredFieldsTest, TextOrderIsNumericOrder) {
  EXPECT_TRUE(rc::check([] {
    const auto a = *rc::gen::inRange<Stamp>(0, Stamp{1} << 54);
    const auto b = *rc::gen::inRange<Stamp>(0, Stamp{1} << 54);
    RC_ASSERT((a < b) == (encode_stamp(a) < encode_stamp(b)));
    const auto s = *rc::gen::arbitrary<Slot>();
    const auto t = *rc::gen::arbitrary<Slot>();
    RC_ASSERT((s < t) == (encode_slot(s) < encode_slot(t)));
  }));
}

TEST(StoredFieldsTest, WhatIsEncodedDecodes) {
  EXPECT_TRUE(rc::check([] {
    const auto stamp = *rc::gen::inRange<Stamp>(0, Stamp{1} << 54);
    const auto slot = *rc::gen::arbitrary<Slot>();
    const auto checksum = *rc::gen::inRange<Checksum>(0, Checksum{1} << 48);
    RC_ASSERT(decode_stamp(encode_stamp(stamp)) == stamp);
    RC_ASSERT(decode_slot(encode_slot(slot)) == slot);
    RC_ASSERT(decode_checksum(encode_checksum(checksum)) == checksum);
  }));
  std::set<std::string> texts;
  for (std::uint8_t symbol = 0; symbol < kDigestSymbols; ++symbol) {
    EXPECT_EQ(decode_symbol(encode_symbol(symbol)), symbol);
    texts.insert(encode_symbol(symbol));
  }
  EXPECT_EQ(texts.size(), 100u);
}

TEST(StoredFieldsTest, WidthsAndAlphabetAreFixed) {
  EXPECT_EQ(encode_slot(0), "!!!!!!");
  EXPECT_EQ(encode_slot(0xFFFF), "(]]]]]");
  EXPECT_EQ(encode_stamp(0).size(), 18u);
  EXPECT_EQ(encode_checksum(0).size(), 16u);
  EXPECT_EQ(encode_symbol(99), "(;*") << "99 is 0143";
}

TEST(StoredFieldsTest, MalformedTextIsNothing) {
  EXPECT_EQ(decode_slot("!!!!!"), std::nullopt);
  EXPECT_EQ(decode_slot("!!!!!a"), std::nullopt);
  EXPECT_EQ(decode_slot("]]]]]]"), std::nullopt) << "beyond 16 bits";
  EXPECT_EQ(decode_symbol("(;;"), std::nullopt) << "100";
}

TEST(StoredFieldsTest, DigestDependsOnIdAndStampAndIsSpreadEvenly) {
  EXPECT_EQ(digest_of("a", 1), digest_of("a", 1));
  std::array<std::array<int, kDigestSymbols>, kDigestPositions> counts{};
  constexpr int kDocuments = 100'000;
  for (int i = 0; i < kDocuments; ++i) {
    const DigestSymbols symbols = digest_of(std::to_string(i), 1'700'000'000'000'000);
    for (std::size_t p = 0; p < kDigestPositions; ++p) ++counts[p][symbols[p]];
  }
  for (const auto& position : counts) {
    for (const int count : position) EXPECT_NEAR(count, kDocuments / kDigestSymbols, 200);
  }
  int same = 0;
  for (Stamp stamp = 0; stamp < 10'000; ++stamp)
    same += digest_of("x", stamp) == digest_of("x", stamp + 1);
  EXPECT_LE(same, 1);
}

TEST(StoredFieldsTest, DigestHashesTheStampInLittleEndian) {
  const std::uint64_t hash = xxh3_64(std::string_view("id\x02\x01\0\0\0\0\0\0", 10));
  EXPECT_EQ(digest_of("id", 0x0102)[0], hash % 100);
  EXPECT_EQ(digest_of("id", 0x0102)[1], hash / 100 % 100);
}

TEST(StoredFieldsTest, AWholeWriteReadsBack) {
  std::string text;
  append_spliced(text, R"({"id":7,"a":[1]})", fields_of_whole_write("7", 1234, 99, kNames));
  const auto copy = parse_copy(text, "id", kNames);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(copy->id, "7");
  EXPECT_EQ(copy->text, text);
  EXPECT_EQ(copy->stored.slot, slot_of("7"));
  EXPECT_EQ(copy->stored.stamp, 1234u);
  EXPECT_EQ(copy->stored.base, 1234u);
  EXPECT_EQ(copy->stored.checksum, 99u);
  EXPECT_EQ(copy->stored.digest, digest_of("7", 1234));
  EXPECT_EQ(copy->stored.expires_at, std::nullopt);
}

TEST(StoredFieldsTest, AMergeLeavesBaseAndChecksum) {
  for (const StoredField& field : fields_of_merge("7", 1, kNames)) {
    EXPECT_NE(field.key, kBaseField);
    EXPECT_NE(field.key, kChecksumField);
  }
  EXPECT_EQ(fields_of_merge("7", 1, kNames).size(), 5u);
}

TEST(StoredFieldsTest, ExpiryAndNestedIdsAreRead) {
  const auto copy = parse_copy(
      R"({"a":{"id":"x"},"_miroir_expires_at":")" + encode_stamp(5000) + R"(","_miroir_slot":12})",
      "a.id", kNames);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->id, "x");
  EXPECT_EQ(copy->stored.expires_at, 5000);
  EXPECT_EQ(copy->stored.slot, std::nullopt) << "a number is malformed";
  EXPECT_EQ(parse_copy(R"({"b":1})", "id", kNames).error().code, ErrorCode::kCorrupt);
}

TEST(StoredFieldsTest, ContentHashIgnoresWhatWeStore) {
  std::string text;
  append_spliced(text, R"({"id":7,"a":1.5})", fields_of_whole_write("7", 1234, 99, kNames));
  const Hash128 hash = content_hash_of_copy(text, kNames).value();
  EXPECT_EQ(hash, content_hash_of_copy(R"({"a":1.5,"id":7})", kNames).value());
  EXPECT_NE(hash, content_hash_of_copy(R"({"a":1.6,"id":7})", kNames).value());
}

TEST(StoredFieldsTest, RenamedFieldsAreReserved) {
  const FieldNames names{"stamp", "expiry"};
  EXPECT_TRUE(is_reserved("stamp", names));
  EXPECT_TRUE(is_reserved("expiry", names));
  EXPECT_TRUE(is_reserved("_miroir_anything", names));
  EXPECT_FALSE(is_reserved("miroir_slot", names));
}

}  // namespace
}  // namespace miroir
