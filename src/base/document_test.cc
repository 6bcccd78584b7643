#include "base/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/json_scan.h"

namespace miroir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<std::vector<std::string>> documents(std::string_view body,
                                           BodyFormat format = BodyFormat::kJson) {
  std::vector<std::string> texts;
  MIROIR_CHECK(for_each_document(body, format, [&](std::string_view text) -> Result<void> {
    texts.emplace_back(text);
    return {};
  }));
  return texts;
}

std::string refusal(std::string_view body, BodyFormat format = BodyFormat::kJson) {
  auto texts = documents(body, format);
  return texts ? "accepted" : texts.error().message;
}

TEST(ForEachDocumentTest, GivesTheTextOfEachByteForByte) {
  EXPECT_THAT(*documents(R"( [ {"id": 1 , "x":[ {} ]} ,{"id":2}] )"),
              ElementsAre(R"({"id": 1 , "x":[ {} ]})", R"({"id":2})"));
  EXPECT_THAT(*documents(R"({"id":1,"a":1,"a":2})"), ElementsAre(R"({"id":1,"a":1,"a":2})"));
  EXPECT_THAT(*documents("[]"), ElementsAre());
}

TEST(ForEachDocumentTest, ReadsNdjsonAsANodeDoes) {
  // Blank lines, two on a line, one over two lines: a node takes them all.
  EXPECT_THAT(*documents("\n{\"id\":1}{\"id\":2}\n\n{\"id\":\n3}\r\n", BodyFormat::kNdjson),
              ElementsAre("{\"id\":1}", "{\"id\":2}", "{\"id\":\n3}"));
  EXPECT_THAT(refusal("[{\"id\":1}]", BodyFormat::kNdjson), HasSubstr("expected an object"));
}

TEST(ForEachDocumentTest, NamesTheDocumentAndTheByteOfAnError) {
  EXPECT_THAT(refusal(R"([{"id":1},{"id":2,}])"), HasSubstr("document 2: "));
  EXPECT_THAT(refusal(R"([{"id":1},{"id":2,}])"), HasSubstr("at byte 18"));
  EXPECT_THAT(refusal(R"([{"id":1},3])"), HasSubstr("document 2: "));
}

TEST(ForEachDocumentTest, RefusesWhatIsNoDocument) {
  for (const char* body : {"",
                           " ",
                           "null",
                           "3",
                           "\"a\"",
                           "[1]",
                           "[null]",
                           "[[{}]]",
                           "[{}",
                           "{}{}",
                           "[{}] x",
                           "[{},]",
                           "[,{}]",
                           "[{} {}]",
                           "{\"a\":1,\"b\"}",
                           "{\"a\":tru}",
                           "{\"a\":[1,,3]}",
                           "{\"a\":\"\\ud800\"}",
                           "{\"\\udc00\":1}",
                           "{\"a\":\"\xFF\"}",
                           "\xEF\xBB\xBF{}"}) {
    EXPECT_NE(refusal(body), "accepted") << body;
  }
}

// A real node takes these inside an array with 202, and then fails all that it batched with them.
TEST(ForEachDocumentTest, RefusesWhatFailsANodesTask) {
  auto nested = [](std::size_t depth) {
    return "[{\"id\":1,\"x\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}]";
  };
  EXPECT_EQ(refusal(nested(127)), "accepted");
  EXPECT_THAT(refusal(nested(129)), HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal(R"([{"id":1,"x":[1e999]}])"), HasSubstr("number out of range"));
  EXPECT_THAT(refusal(R"([{"id":1,"x":1.7976931348623158e308}])"),
              HasSubstr("number out of range"));
  EXPECT_THAT(refusal("[{\"x\":" + std::string(400, '9') + "}]"), HasSubstr("number out of range"));
  EXPECT_EQ(refusal(R"([{"id":1,"x":[1e300,1e-999]}])"), "accepted");
}

TEST(ForEachDocumentTest, StopsAtTheCallersError) {
  int calls = 0;
  auto result = for_each_document("[{},{},{}]", BodyFormat::kJson, [&](std::string_view) {
    return ++calls == 2 ? Result<void>(fail(ErrorCode::kConflict, "enough")) : Result<void>();
  });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(result.error().code, ErrorCode::kConflict);
}

TEST(TopLevelFieldsTest, GivesMembersInOrderWithKeysUnescaped) {
  const std::string document = R"({ "\u0069d" : 1, "a" : {"b" : [ ]} ,"a":"x"})";
  const auto fields = top_level_fields(document);
  ASSERT_TRUE(fields);
  ASSERT_EQ(fields->size(), 3u);
  EXPECT_EQ((*fields)[0].key, "id");
  EXPECT_EQ((*fields)[0].raw, R"("\u0069d" : 1)");
  EXPECT_EQ((*fields)[0].value, "1");
  EXPECT_EQ((*fields)[1].value, R"({"b" : [ ]})");
  EXPECT_EQ((*fields)[2].key, "a");
  EXPECT_TRUE(top_level_fields("{ }")->empty());
  EXPECT_FALSE(top_level_fields("[1]"));
}

std::string spliced(std::string_view document, std::vector<StoredField> fields) {
  std::string out = "kept:";
  append_spliced(out, document, fields);
  return out;
}

TEST(SpliceTest, AddsMembersAtTheEndAndTouchesNothingElse) {
  EXPECT_EQ(spliced(R"({"id":1, "x":"}" })", {{"_a", "\"!\""}, {"_b", "2"}}),
            R"(kept:{"id":1, "x":"}" ,"_a":"!","_b":2})");
  EXPECT_EQ(spliced(" { } ", {{"_a", "1"}}), R"(kept: { "_a":1})");
  EXPECT_EQ(spliced("{}", {{"_a", "1"}}), R"(kept:{"_a":1})");
  EXPECT_EQ(spliced(R"({"id":1})", {}), R"(kept:{"id":1})");
}

std::string without(std::string_view document, std::vector<std::string> keys) {
  std::string out = "kept:";
  const auto done = append_without(out, document, [&](std::string_view key) {
    return std::ranges::find(keys, key) != keys.end();
  });
  return done ? out : out + done.error().message;
}

TEST(WithoutTest, DropsTopLevelMembersOnly) {
  const std::string document = R"({ "a" : 1, "b":{"a":2} , "\u0061":3,"c":[ 1, 2 ]})";
  EXPECT_EQ(without(document, {"a"}), R"(kept:{"b":{"a":2},"c":[ 1, 2 ]})");
  EXPECT_EQ(without(document, {"c", "b"}), R"(kept:{"a" : 1,"\u0061":3})");
  EXPECT_EQ(without(document, {"a", "b", "c"}), "kept:{}");
  EXPECT_THAT(without(R"({"a":1)", {}), testing::StartsWith("kept:malformed"));
}

TEST(WithoutTest, UndoesASplice) {
  const std::string document = R"({"id":1,"x":"a\"b"})";
  EXPECT_EQ(without(spliced(document, {{"_a", "\"!\""}, {"_b", "2"}}).substr(5), {"_a", "_b"}),
            "kept:" + document);
}

TEST(WritingBackTest, ChangesOnlyDecimalsThatANodeWouldMisread) {
  const std::string plain =
      R"({"id":1,"a":0.5,"b":"411E+187 -5","c":[18446744073709551615,-7],"d":-0,"e":{"f":1e2}})";
  EXPECT_EQ(*for_writing_back(plain), plain);
  const auto rewritten = for_writing_back(R"({"x":[4.1099999999999997e+189 ],"411E+187":true})");
  ASSERT_TRUE(rewritten);
  const auto value = parse_json(*rewritten, DecimalReading::kNode);
  EXPECT_EQ(value->find("x")->as_array()[0].as_double(), 4.1099999999999997e+189);
  EXPECT_TRUE(value->find("411E+187")->as_bool());
  EXPECT_FALSE(for_writing_back(R"({"x":1.2.3})"));
}

TEST(DocumentIdTest, AcceptsWhatANodeAccepts) {
  EXPECT_EQ(*document_id("1"), "1");
  EXPECT_EQ(*document_id("\"1\""), "1");
  EXPECT_EQ(*document_id("-5"), "-5");
  EXPECT_EQ(*document_id("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(*document_id("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(*document_id(R"("\u0061-Z_9")"), "a-Z_9");
  EXPECT_EQ(*document_id("\"" + std::string(511, 'a') + "\""), std::string(511, 'a'));
}

TEST(DocumentIdTest, RefusesWhatANodeRefuses) {
  for (const std::string text :
       {"\"\"", "\"a b\"", "\" a\"", "\"a.b\"", "\"\xC3\xA9\"", "-0", "1.0", "1e2",
        "18446744073709551616", "-9223372036854775809", "true", "null", "[1]", "{}"}) {
    EXPECT_FALSE(document_id(text)) << text;
  }
  EXPECT_FALSE(document_id("\"" + std::string(512, 'a') + "\""));
}

TEST(JsonScannerTest, AgreesWithTheParserOnDamagedText) {
  // One byte of valid text is changed, removed or doubled: both must take it or both refuse it.
  const std::string valid = R"({"a":[1,-2.5e3,"x\n\u00e9",true,null],"b":{"c":{}}})";
  EXPECT_TRUE(rc::check([&](std::uint8_t byte, std::uint64_t place, std::uint8_t kind) {
    std::string text = valid;
    const std::size_t at = place % text.size();
    if (kind % 3 == 0) text[at] = static_cast<char>(byte);
    if (kind % 3 == 1) text.erase(at, 1);
    if (kind % 3 == 2) text.insert(at, 1, text[at]);
    const bool one_object = text.starts_with('{');
    RC_PRE(one_object);
    RC_ASSERT(documents(text).has_value() == parse_json(text).has_value());
  }));
}

}  // namespace
}  // namespace miroir
