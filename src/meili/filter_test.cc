#include "meili/filter.h"

#include <gtest/gtest.h>

namespace miroir::meili {
namespace {

constexpr std::string_view kCode = "invalid_search_filter";

// The parsed filter in prefix form: (AND a=1 (NOT b IN x,y)).
std::string shape(const Filter& filter) {
  const auto list = [&](std::string_view name) {
    std::string text = "(" + std::string(name);
    for (const Filter& child : filter.children) text += " " + shape(child);
    return text + ")";
  };
  switch (filter.kind) {
    case Filter::Kind::kAll:
      return "ALL";
    case Filter::Kind::kAnd:
      return list("AND");
    case Filter::Kind::kOr:
      return list("OR");
    case Filter::Kind::kNot:
      return list("NOT");
    case Filter::Kind::kCondition:
      break;
  }
  std::string text = filter.field.text + " " + filter.keyword.text;
  for (const FilterWord& value : filter.values) text += " " + value.text;
  return "[" + text + "]";
}

std::string parsed(const Json& filter) {
  const auto result = parse_filter(filter, kCode);
  return result ? shape(*result) : result.error().message;
}

TEST(FilterTest, AndBindsTighterThanOr) {
  EXPECT_EQ(parsed("a = 1 OR b = 2 AND NOT c = 3"), "(OR [a = 1] (AND [b = 2] (NOT [c = 3])))");
  EXPECT_EQ(parsed("(a = 1 OR b = 2) AND c = 3"), "(AND (OR [a = 1] [b = 2]) [c = 3])");
}

TEST(FilterTest, EveryOperatorParses) {
  EXPECT_EQ(parsed("a 1 TO 2"), "[a TO 1 2]");
  EXPECT_EQ(parsed("a IN [x, 'y z',]"), "[a IN x y z]");
  EXPECT_EQ(parsed("a NOT IN [x]"), "(NOT [a IN x])");
  EXPECT_EQ(parsed("a EXISTS AND b NOT EXISTS"), "(AND [a EXISTS] (NOT [b EXISTS]))");
  EXPECT_EQ(parsed("a IS NOT NULL AND b IS EMPTY"), "(AND (NOT [a NULL]) [b EMPTY])");
  EXPECT_EQ(parsed("a STARTS WITH \"!(\""), "[a STARTS WITH !(]");
  EXPECT_EQ(parsed("_geoRadius(1, 2, 3)"), "[_geo _geoRadius 1 2 3]");
  EXPECT_EQ(parsed("_geoBoundingBox([1, 2], [3, 4])"), "[_geo _geoBoundingBox 1 2 3 4]");
}

TEST(FilterTest, ArraysAreAndOfOr) {
  EXPECT_EQ(parsed(Json::array({"a = 1", Json::array({"b = 2", "c = 3"})})),
            "(AND [a = 1] (OR [b = 2] [c = 3]))");
  EXPECT_EQ(parsed(Json::array()), "ALL");
  EXPECT_EQ(parsed("  "), "ALL");
  EXPECT_EQ(parsed(3),
            "Invalid syntax for the filter parameter: `expected String, Array, found: 3`.");
}

TEST(FilterTest, DoubleNegationIsNone) { EXPECT_EQ(parsed("NOT NOT a = 1"), "[a = 1]"); }

TEST(FilterTest, QuotesAndEscapesAreTaken) {
  EXPECT_EQ(parsed("a = 'it\\'s'"), "[a = it's]");
  EXPECT_EQ(parsed("a = \"\\u{1F980}\""), "[a = 🦀]");
  EXPECT_EQ(parsed("'a b' = é"), "[a b = é]");
}

TEST(FilterTest, ErrorsShowThePlace) {
  EXPECT_EQ(parsed("year >"), "Was expecting a value but instead got nothing.\n7:7 year >");
  EXPECT_EQ(parsed("é = 'x"),
            "Expression `\\'x` is missing the following closing delimiter: `'`.\n5:7 é = 'x");
  EXPECT_EQ(parsed("a = 1)"),
            "Found unexpected characters at the end of the filter: `)`. You probably forgot an "
            "`OR` or an `AND` "
            "rule.\n6:7 a = 1)");
}

TEST(FilterTest, DeepNestingIsRefused) {
  const std::string deep = std::string(1000, '(') + "a = 1" + std::string(1000, ')');
  EXPECT_NE(parsed(deep).find("exceeded the maximum depth"), std::string::npos);
}

TEST(FilterTest, AttributesAreListedOnce) {
  const auto filter = parse_filter("a = 1 AND (b = 2 OR NOT a > 3)", kCode);
  EXPECT_EQ(attributes_of(*filter), (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace miroir::meili
