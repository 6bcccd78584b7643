#include "search/strip.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/json.h"
#include "node_api/field_names_fake.h"

namespace miroir {
namespace {

std::string stripped(std::string_view answer, AnswerShape shape = AnswerShape::kSearch) {
  return strip_reserved(answer, shape, kNames);
}

TEST(StripTest, EveryStoredFieldIsCutOutOfADocumentAndNothingElse) {
  EXPECT_EQ(stripped(R"({"id":1,"_miroir_slot":"!!(*;!","title":"a","_miroir_updated_at":"((",)"
                     R"("_miroir_digest_0":"!!!","_miroir_digest_1":"!!!","_miroir_digest_2":"!",)"
                     R"("_miroir_base":"!","_miroir_checksum":"!","_miroir_expires_at":null})",
                     AnswerShape::kDocument),
            R"({"id":1,"title":"a"})");
}

TEST(StripTest, AnExpiryThatClientsMaySeeIsShownInMilliseconds) {
  FieldNames names;
  names.expiry = true;
  const std::string stored = '"' + encode_expiry(1'752'000'000'000) + '"';
  EXPECT_EQ(strip_reserved(R"({"hits":[{"_miroir_expires_at":)" + stored +
                               R"(,"id":1,"_formatted":{"id":"1","_miroir_expires_at":)" + stored +
                               R"(}},{"id":2,"_miroir_expires_at":null}],"facetDistribution":)" +
                               R"({"_miroir_expires_at":{)" + stored + R"(:1}}})",
                           AnswerShape::kSearch, names),
            R"({"hits":[{"_miroir_expires_at":1752000000000,"id":1,"_formatted":{"id":"1",)"
            R"("_miroir_expires_at":"1752000000000"}},{"id":2,"_miroir_expires_at":null}],)"
            R"("facetDistribution":{}})");
  EXPECT_EQ(
      strip_reserved(R"({"id":1,"_miroir_expires_at":"not ours"})", AnswerShape::kDocument, names),
      R"({"id":1})");
  EXPECT_EQ(strip_reserved(R"({"fieldDistribution":{"_miroir_expires_at":3,"_miroir_slot":4}})",
                           AnswerShape::kStats, names),
            R"({"fieldDistribution":{"_miroir_expires_at":3}})");
}

TEST(StripTest, WhatIsLeftKeepsItsBytes) {
  const std::string own = R"({"id":1,"t":"\u0041\/é","n":1e2,"z":-0.0,"big":18446744073709551616})";
  std::string with = own;
  with.insert(1, R"("_miroir_slot":"!",)");
  EXPECT_EQ(stripped(with, AnswerShape::kDocument), own);
}

TEST(StripTest, AFieldAtAnyPlaceLeavesNoStrayComma) {
  EXPECT_EQ(stripped(R"({"_miroir_slot":"!","a":1})", AnswerShape::kDocument), R"({"a":1})");
  EXPECT_EQ(stripped(R"({"a":1,"_miroir_slot":"!"})", AnswerShape::kDocument), R"({"a":1})");
  EXPECT_EQ(stripped(R"({"_miroir_slot":"!"})", AnswerShape::kDocument), "{}");
}

TEST(StripTest, HoweverDeepAClientsFieldsAreOursAreCutOut) {
  std::string deep = "1";
  for (int level = 0; level < 120; ++level) deep = R"({"_matchesPosition":)" + deep + "}";
  const std::string document = R"({"id":1,"_matchesPosition":)" + deep + R"(,"_miroir_slot":"!"})";
  const std::string page = R"({"results":[)" + document + R"(],"total":1})";
  EXPECT_EQ(strip_reserved(page, AnswerShape::kDocuments, FieldNames()),
            R"({"results":[{"id":1,"_matchesPosition":)" + deep + R"(}],"total":1})");
}

TEST(StripTest, WhatIsNoAnswerIsNotPassedOn) {
  for (const char* text :
       {R"({"results":[{"_miroir_slot":"!")", R"({"hits":[}])", R"({"a":1}x)", ""})
    EXPECT_EQ(strip_reserved(text, AnswerShape::kDocuments, FieldNames()), "{}") << text;
}

TEST(StripTest, AClientsNestedFieldOfThatNameIsItsOwn) {
  const std::string own = R"({"meta":{"_miroir_slot":1},"list":[{"_miroir_slot":2}]})";
  EXPECT_EQ(stripped(own, AnswerShape::kDocument), own);
}

TEST(StripTest, ANameWrittenWithEscapesIsFound) {
  EXPECT_EQ(stripped(R"({"\u005fmiroir_slot":"!","a":1})", AnswerShape::kDocument), R"({"a":1})");
}

TEST(StripTest, HitsTheirFormattedFormsAndMatchesAreDocuments) {
  EXPECT_EQ(
      stripped(R"({"hits":[{"id":1,"_miroir_slot":"!","_formatted":{"id":"1","_miroir_slot":)"
               R"("!"},"_matchesPosition":{"_miroir_slot":[{"start":0}],"id":[]}}],"query":"x"})"),
      R"({"hits":[{"id":1,"_formatted":{"id":"1"},"_matchesPosition":{"id":[]}}],"query":"x"})");
}

TEST(StripTest, FacetsAndTheirStatisticsAreCutByName) {
  EXPECT_EQ(
      stripped(
          R"({"hits":[],"facetDistribution":{"_miroir_digest_0":{"!!!":3},"genre":{"_miroir_slot":2}},)"
          R"("facetStats":{"_miroir_slot":{"min":1},"year":{"min":1}}})"),
      R"({"hits":[],"facetDistribution":{"genre":{"_miroir_slot":2}},"facetStats":{"year":{"min":1}}})");
  EXPECT_EQ(stripped(R"({"hits":[],"facetsByIndex":{"m":{"distribution":{"_miroir_slot":{"!":1}},)"
                     R"("stats":{}}}})"),
            R"({"hits":[],"facetsByIndex":{"m":{"distribution":{},"stats":{}}}})");
}

TEST(StripTest, SeveralSearchesInOneAreEachStripped) {
  EXPECT_EQ(stripped(R"({"results":[{"indexUid":"a","hits":[{"_miroir_slot":"!","x":1}]},)"
                     R"({"indexUid":"b","hits":[]}]})",
                     AnswerShape::kMultiSearch),
            R"({"results":[{"indexUid":"a","hits":[{"x":1}]},{"indexUid":"b","hits":[]}]})");
}

TEST(StripTest, FieldDistributionDoesNotCountThem) {
  EXPECT_EQ(stripped(R"({"numberOfDocuments":1,"fieldDistribution":{"_miroir_slot":1,"id":1}})",
                     AnswerShape::kStats),
            R"({"numberOfDocuments":1,"fieldDistribution":{"id":1}})");
  EXPECT_EQ(stripped(R"({"indexes":{"m":{"fieldDistribution":{"_miroir_base":1,"id":1}}}})",
                     AnswerShape::kStats),
            R"({"indexes":{"m":{"fieldDistribution":{"id":1}}}})");
}

TEST(StripTest, ErrorsDoNotShowOurRuleAmongTheClients) {
  EXPECT_EQ(strip_error(R"(Available filterable attribute patterns are: `_miroir_*`, `id`.)"),
            "Available filterable attribute patterns are: `id`.");
  EXPECT_EQ(strip_error("Available filterable attribute patterns are: `_miroir_*`."),
            "This index does not have configured filterable attributes.");
}

TEST(StripTest, ErrorsNameWhatTheClientNamed) {
  EXPECT_EQ(strip_error("Attribute `_miroir-slot` is not filterable."),
            "Attribute `_miroir_slot` is not filterable.");
}

// Members with any strings for names and values: stripping is the same as leaving them out.
RC_GTEST_PROP(StripTest, SameAsADocumentThatNeverHadThem, ()) {
  const auto count = *rc::gen::inRange(0, 8);
  std::string own = "{";
  std::string with = "{";
  auto add = [](std::string& to, const std::string& member) {
    to += (to.size() > 1 ? "," : "") + member;
  };
  for (int i = 0; i < count; ++i) {
    std::string member;
    append_quoted(member, "f" + std::to_string(i) + *rc::gen::string<std::string>());
    if (!parse_json(member)) continue;  // not UTF-8
    std::string value;
    append_quoted(value, *rc::gen::string<std::string>());
    if (!parse_json(value)) value = "[1,{\"_miroir_slot\":\"]\"}]";
    add(own, member + ":" + value);
    add(with, member + ":" + value);
    if (*rc::gen::arbitrary<bool>()) {
      add(with, std::string("\"") + *rc::gen::element("_miroir_slot", "_miroir_base", "_miroir_x") +
                    "\":" + *rc::gen::element("\"}\"", "[1,{}]", "{\"a\":\"\\\"\"}", "-1.5e3"));
    }
  }
  RC_ASSERT(stripped(with + "}", AnswerShape::kDocument) == own + "}");
}

}  // namespace
}  // namespace miroir
