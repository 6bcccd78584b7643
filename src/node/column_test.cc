#include "node/column.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <set>

#include "meili/facet_value.h"
#include "node/filter_evaluation.h"

namespace miroir::node {
namespace {

bool everything(std::string_view) { return true; }

FieldValues values_of(const std::string& document, const std::string& field) {
  for (auto& [name, values] : flatten(parse_json(document).value(), everything)) {
    if (name == field) return values;
  }
  return {};
}

TEST(FlattenTest, NestedFieldsHaveDottedNames) {
  EXPECT_EQ(values_of(R"({"a":[{"b":1},{"b":[2,"x"]}]})", "a.b").numbers,
            (std::vector<double>{1, 2}));
  EXPECT_TRUE(values_of(R"({"a":{"b":1}})", "a").exists);
  EXPECT_FALSE(values_of(R"({"a":[null]})", "a").null);
  EXPECT_TRUE(values_of(R"({"a":null})", "a").null);
  EXPECT_TRUE(values_of(R"({"a":""})", "a").empty);
}

TEST(FacetTest, EqualityIsLoose) {
  EXPECT_EQ(meili::normalise_facet("  Å ﬁ "), meili::normalise_facet("å fi"));
  EXPECT_EQ(facet_key(std::string(600, 'x')).size(), 468U);
  EXPECT_EQ(meili::normalise_facet(std::string(600, 'x')).size(), 600U);
}

// Any sequence of changes, in batches of any size, leaves what a naive model holds.
TEST(ColumnTest, BatchesLeaveWhatOneByOneWould) {
  rc::check([](const std::vector<std::vector<std::pair<std::uint8_t, std::uint8_t>>>& batches) {
    Column column;
    std::map<DocumentNumber, std::string> model;
    for (const auto& batch : batches) {
      ColumnChange change;
      for (const auto& [raw, value] : batch) {
        const DocumentNumber document = raw % 8;
        if (model.contains(document)) {
          change.remove(document, {.numbers = {}, .strings = {model[document]}, .exists = true});
          model.erase(document);
        }
        if (value % 4 == 0) continue;
        const std::string text(1, static_cast<char>('a' + value % 4));
        change.add(document, {.numbers = {}, .strings = {text}, .exists = true});
        model[document] = text;
      }
      std::move(change).apply(column);
    }
    std::map<std::string, Postings> expected;
    for (const auto& [document, text] : model) expected[text].push_back(document);
    std::map<std::string, Postings> got;
    for (const auto& [text, value] : column.strings) got[text] = value.documents;
    RC_ASSERT(got == expected);
    RC_ASSERT(column.exists.size() == model.size());
  });
}

Index index_of(const std::vector<double>& numbers) {
  Index index;
  index.rules =
      FieldRules(parse_json(R"({"filterableAttributes":["n"],"sortableAttributes":[]})").value());
  ColumnChange change;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto document = static_cast<DocumentNumber>(i);
    index.documents.insert(document);
    change.add(document, {.numbers = {numbers[i]}, .strings = {}, .exists = true});
  }
  std::move(change).apply(index.columns["n"]);
  return index;
}

TEST(FilterEvaluationTest, RangesHoldWhatComparisonSays) {
  rc::check([](const std::vector<std::int8_t>& raw, std::int8_t low, std::int8_t high) {
    const Index index = index_of(std::vector<double>(raw.begin(), raw.end()));
    const auto count = [&](const std::string& filter) {
      return evaluate(Json(filter), index, false, "invalid_search_filter").value().size();
    };
    const auto naive = [&](auto holds) {
      return static_cast<std::size_t>(std::ranges::count_if(raw, holds));
    };
    const std::string l = std::to_string(low);
    const std::string h = std::to_string(high);
    RC_ASSERT(count("n > " + l) == naive([&](int n) { return n > low; }));
    RC_ASSERT(count("n >= " + l) == naive([&](int n) { return n >= low; }));
    RC_ASSERT(count("n < " + l) == naive([&](int n) { return n < low; }));
    RC_ASSERT(count("n <= " + l) == naive([&](int n) { return n <= low; }));
    RC_ASSERT(count("n " + l + " TO " + h) == naive([&](int n) { return low <= n && n <= high; }));
    RC_ASSERT(count("n != " + l) == naive([&](int n) { return n != low; }));
    RC_ASSERT(count("NOT (n = " + l + " OR n = " + h + ")") ==
              naive([&](int n) { return n != low && n != high; }));
  });
}

TEST(FilterEvaluationTest, UnfilterableAttributesAreRefused) {
  const Index index = index_of({1});
  const auto result = evaluate(Json("other = 1"), index, false, "invalid_search_filter");
  EXPECT_EQ(result.error().code, "invalid_search_filter");
  EXPECT_EQ(evaluate(Json("n CONTAINS a"), index, false, "x").error().code, "feature_not_enabled");
}

}  // namespace
}  // namespace miroir::node
