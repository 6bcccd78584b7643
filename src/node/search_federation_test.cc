#include "node/search_federation.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace miroir::node {
namespace {

using Keys = std::vector<RankValue>;

const SortRule kRising{.field = "a", .ascending = true};
const SortRule kFalling{.field = "a", .ascending = false};

RankValue score(double value) { return {value, nullptr}; }
RankValue sorted(Json value, const SortRule& rule) { return {std::move(value), &rule}; }

TEST(CompareKeysTest, GreaterScoreComesFirst) {
  EXPECT_LT(compare_keys({score(0.9)}, 1, {score(0.8)}, 1), 0);
  EXPECT_GT(compare_keys({score(0.9)}, 0.5, {score(0.8)}, 1), 0);
  EXPECT_EQ(compare_keys({score(0.1 + 0.2)}, 1, {score(0.3)}, 1), 0);
}

TEST(CompareKeysTest, NumbersThenStringsThenNothingInBothDirections) {
  for (const SortRule* rule : {&kRising, &kFalling}) {
    EXPECT_LT(compare_keys({sorted(1, *rule)}, 1, {sorted("1", *rule)}, 1), 0);
    EXPECT_LT(compare_keys({sorted("z", *rule)}, 1, {sorted(nullptr, *rule)}, 1), 0);
  }
  EXPECT_LT(compare_keys({sorted(1, kRising)}, 1, {sorted(2, kRising)}, 1), 0);
  EXPECT_GT(compare_keys({sorted(1, kFalling)}, 1, {sorted(2, kFalling)}, 1), 0);
}

TEST(CompareKeysTest, EarlierKeysCountMoreAndMoreKeysWin) {
  EXPECT_LT(compare_keys({score(1), sorted(9, kRising)}, 1, {score(0.5), sorted(1, kRising)}, 1),
            0);
  EXPECT_LT(compare_keys({score(1), score(0.1)}, 1, {score(1)}, 1), 0);
}

TEST(CompareKeysTest, SwappingTurnsTheSign) {
  rc::check(
      [](const std::vector<std::pair<int, int>>& a, const std::vector<std::pair<int, int>>& b) {
        const auto keys = [](const std::vector<std::pair<int, int>>& pairs) {
          Keys made;
          for (const auto& [number, text] : pairs) {
            made.push_back(sorted(number, kRising));
            made.push_back(text % 2 == 0 ? sorted(std::to_string(text), kFalling)
                                         : sorted(nullptr, kFalling));
          }
          return made;
        };
        RC_ASSERT(compare_keys(keys(a), 1, keys(b), 1) == -compare_keys(keys(b), 1, keys(a), 1));
        RC_ASSERT(compare_keys(keys(a), 1, keys(a), 1) == 0);
      });
}

TEST(ParseFederationTest, EachIsRefusedWithItsCode) {
  const auto code = [](std::string_view text) {
    const auto parsed = parse_federation(*parse_json(text));
    return parsed ? "" : parsed.error().code;
  };
  EXPECT_EQ(code(R"({"limit":-1})"), "invalid_multi_search_limit");
  EXPECT_EQ(code(R"({"facetsByIndex":[]})"), "invalid_multi_search_facets_by_index");
  EXPECT_EQ(code(R"({"mergeFacets":1})"), "invalid_multi_search_merge_facets");
  EXPECT_EQ(code(R"({"odd":1})"), "bad_request");
  EXPECT_EQ(code(R"({"page":2,"hitsPerPage":4,"distinct":"a","mergeFacets":{}})"), "");
}

}  // namespace
}  // namespace miroir::node
