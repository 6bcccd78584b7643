#include "base/json.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>

#include "base/json_scan.h"

namespace miroir {
namespace {

Json parsed(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text << ": " << (value ? "" : value.error().message);
  return value ? *value : Json();
}

std::string reprinted(std::string_view text) { return to_text(parsed(text)); }

TEST(JsonTest, NestsAsDeeplyAsItSays) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + "0" + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(kJsonDepthMax)));
  EXPECT_FALSE(parse_json(nested(kJsonDepthMax + 1)));
}

TEST(JsonTest, KeepsOrderAndPrintsCompactly) {
  EXPECT_EQ(reprinted(R"( { "b" : [ 1 , -2, 2.5, true,false , null ] , "a":{ }, "c":[] } )"),
            R"({"b":[1,-2,2.5,true,false,null],"a":{},"c":[]})");
  EXPECT_EQ(reprinted(" 3 "), "3");
  EXPECT_EQ(reprinted("\"x\""), "\"x\"");
  EXPECT_EQ(reprinted("null"), "null");
}

TEST(JsonTest, LastOfRepeatedKeysWinsAtTheFirstOnesPlace) {
  EXPECT_EQ(reprinted(R"({"a":1,"b":2,"a":3,"\u0061":4})"), R"({"a":4,"b":2})");
  EXPECT_EQ(reprinted(R"({"x":{"k":1,"k":[2]}})"), R"({"x":{"k":[2]}})");
}

TEST(JsonTest, IntegersAreExactAndLargerOnesBecomeDoubles) {
  EXPECT_EQ(parsed("9223372036854775807").as_int64(), INT64_MAX);
  EXPECT_EQ(parsed("-9223372036854775808").as_int64(), INT64_MIN);
  EXPECT_EQ(parsed("18446744073709551615").as_uint64(), UINT64_MAX);
  EXPECT_TRUE(parsed("18446744073709551616").is_double());
  EXPECT_EQ(reprinted("123456789012345678901234567890"), "1.2345678901234568e+29");
  EXPECT_EQ(reprinted("-9223372036854775809"), "-9.223372036854776e+18");
  EXPECT_TRUE(parsed("1.0").is_double());
}

TEST(JsonTest, DecimalsAreReadAsAsked) {
  EXPECT_EQ(parse_json("[411E+187]", DecimalReading::kNearest)->as_array()[0].as_double(),
            411E+187);
  EXPECT_EQ(parse_json("[411E+187]", DecimalReading::kNode)->as_array()[0].as_double(),
            4.1099999999999997e+189);
}

TEST(JsonTest, StringsAreUnescapedAndEscaped) {
  EXPECT_EQ(parsed(R"("\u0069d \ud83d\ude00 \"\\\/\b\f\n\r\t \u0000")").as_string(),
            std::string("id \xF0\x9F\x98\x80 \"\\/\b\f\n\r\t \0", 18));
  EXPECT_EQ(to_text(Json(std::string("a\"\\\n\x01\x7F", 6))), "\"a\\\"\\\\\\n\\u0001\x7F\"");
}

TEST(JsonTest, MalformedTextIsRefused) {
  for (const std::string text : {"",
                                 " ",
                                 "{",
                                 "[1,]",
                                 "[1,,2]",
                                 "[,1]",
                                 "[1 2]",
                                 "{\"a\":1,}",
                                 "{\"a\" 1}",
                                 "{a:1}",
                                 "{'a':1}",
                                 "{1:2}",
                                 "[1}",
                                 "tru",
                                 "nulll",
                                 "[truex]",
                                 "01",
                                 "1.",
                                 ".5",
                                 "+1",
                                 "-",
                                 "1e",
                                 "1e+",
                                 "0x1",
                                 "NaN",
                                 "Infinity",
                                 "\"a",
                                 "\"\\x\"",
                                 "\"\\u12\"",
                                 "\"\\ud800\"",
                                 "\"\\udc00\"",
                                 "\"\\ud800\\u0041\"",
                                 "\"a\tb\"",
                                 "1 2",
                                 "{} x",
                                 "[1]]",
                                 "\xEF\xBB\xBF{}",
                                 "\"\xFF\"",
                                 "\"\xC0\x80\"",
                                 "\"\xED\xA0\x80\"",
                                 "[1e999]",
                                 "// x\n1"}) {
    auto value = parse_json(text);
    EXPECT_FALSE(value) << text;
    if (!value) {
      EXPECT_EQ(value.error().code, ErrorCode::kInvalid) << text;
    }
  }
}

TEST(JsonTest, NestingIsBounded) {
  auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(kJsonDepthMax - 1)));
  EXPECT_FALSE(parse_json(nested(kJsonDepthMax + 1)));
  EXPECT_FALSE(parse_json(nested(1'000'000)));
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')));
}

TEST(JsonTest, MembersAreFoundSetAndErased) {
  Json value;
  value["a"] = 1;
  value.set("b", "two");
  value.set("a", Json::array({1, 2}));
  EXPECT_EQ(to_text(value), R"({"a":[1,2],"b":"two"})");
  EXPECT_EQ(value.find("b")->as_string(), "two");
  EXPECT_EQ(value.find("c"), nullptr);
  EXPECT_EQ(Json(3).find("a"), nullptr);
  EXPECT_TRUE(value.erase("a"));
  EXPECT_FALSE(value.erase("a"));
  EXPECT_EQ(value.size(), 1u);
  Json list;
  list.push_back(1);
  list.push_back(Json());
  EXPECT_EQ(to_text(list), "[1,null]");
}

TEST(JsonTest, EqualityIsByValue) {
  EXPECT_EQ(parsed(R"({"a":1,"b":[2]})"), parsed(R"({"b":[2.0],"a":1.0})"));
  EXPECT_NE(parsed("[1,2]"), parsed("[2,1]"));
  EXPECT_NE(parsed(R"({"a":1})"), parsed(R"({"a":1,"b":null})"));
  EXPECT_NE(parsed("1"), parsed("\"1\""));
  EXPECT_NE(parsed("0"), parsed("false"));
  EXPECT_EQ(parsed("-0"), parsed("0"));
  EXPECT_NE(parsed("9007199254740993"), parsed("9007199254740992.0"));
  EXPECT_NE(parsed("18446744073709551615"), parsed("18446744073709551616"));
  EXPECT_EQ(parsed("9223372036854775808"), parsed("9223372036854775808.0"));
}

TEST(JsonTest, WrongTypeIsABrokenInvariant) {
  EXPECT_DEATH((void)Json("x").as_int64(), "broken invariant");
  EXPECT_DEATH((void)Json(-1).as_uint64(), "broken invariant");
}

TEST(JsonTest, PrintedDoublesReadBack) {
  EXPECT_TRUE(rc::check([](double value) {
    if (!std::isfinite(value)) return;
    const std::string text = to_text(Json(value));
    RC_ASSERT(is_number_text(text));
    RC_ASSERT(nearest_double(text) == value);
    RC_ASSERT(text.find_first_of(".e") != std::string::npos);
  }));
  EXPECT_EQ(to_text(Json(1e15)), "1000000000000000.0");
  EXPECT_EQ(to_text(Json(1234567890123456.7)), "1234567890123456.8");
  EXPECT_EQ(to_text(Json(1e16)), "1e+16");
  EXPECT_EQ(to_text(Json(1.5e-7)), "1.5e-7");
  EXPECT_EQ(to_text(Json(5e-324)), "5e-324");
  EXPECT_EQ(to_text(Json(std::numeric_limits<double>::infinity())), "null");
}

TEST(JsonTest, AnyStringSurvivesPrintingAndParsing) {
  EXPECT_TRUE(rc::check([](const std::string& text) {
    auto back = parse_json(to_text(Json(text)));
    RC_ASSERT(back.has_value() == is_utf8(text));
    if (back) RC_ASSERT(back->as_string() == text);
  }));
}

}  // namespace
}  // namespace miroir
