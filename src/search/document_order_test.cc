#include "search/document_order.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace miroir {
namespace {

// The documents' ids as the order puts them.
std::string sorted(const char* sort, std::vector<std::string> documents) {
  const auto parsed = parse_json(sort);
  const DocumentOrder order = DocumentOrder::parse(&*parsed);
  std::ranges::stable_sort(documents, [&](const std::string& a, const std::string& b) {
    return order.compare(*order.place_of(a), *order.place_of(b)) < 0;
  });
  std::string ids;
  for (const std::string& document : documents)
    ids += parse_json(document)->find("id")->as_string();
  return ids;
}

TEST(DocumentOrderTest, NumbersComeBeforeStringsAndWhatIsMissingLast) {
  const std::vector<std::string> documents = {R"({"id": "a"})", R"({"id": "b", "x": "k"})",
                                              R"({"id": "c", "x": 10})", R"({"id": "d", "x": 9})",
                                              R"({"id": "e", "x": null})"};
  EXPECT_EQ(sorted(R"(["x:asc"])", documents), "dcbae");
  EXPECT_EQ(sorted(R"(["x:desc"])", documents), "cdbae");
}

TEST(DocumentOrderTest, OfSeveralValuesTheFirstInTheOrderCounts) {
  const std::vector<std::string> documents = {R"({"id": "a", "x": [5, 6]})",
                                              R"({"id": "b", "x": [1, 9]})"};
  EXPECT_EQ(sorted(R"(["x:asc"])", documents), "ba");
  EXPECT_EQ(sorted(R"(["x:desc"])", documents), "ba");
}

TEST(DocumentOrderTest, StringsAreComparedWithoutRegardToCase) {
  EXPECT_EQ(sorted(R"(["x:asc"])", {R"({"id": "a", "x": "b"})", R"({"id": "b", "x": "A"})"}), "ba");
}

TEST(DocumentOrderTest, NestedFieldsAreReachedThroughObjectsAndArrays) {
  EXPECT_EQ(
      sorted(R"(["x.y:desc"])", {R"({"id": "a", "x": {"y": 1}})", R"({"id": "b", "x": [{"y": 2}]})",
                                 R"({"id": "c", "x.y": 3})"}),
      "cba");
}

TEST(DocumentOrderTest, LaterRulesDecideBetweenEquals) {
  EXPECT_EQ(sorted(R"(["x:asc", "y:desc"])",
                   {R"({"id": "a", "x": 1, "y": 1})", R"({"id": "b", "x": 1, "y": 2})"}),
            "ba");
}

TEST(DocumentOrderTest, PointsAreOrderedByDistance) {
  const std::vector<std::string> documents = {R"({"id": "a", "_geo": {"lat": 10, "lng": 0}})",
                                              R"({"id": "b", "_geo": {"lat": "1", "lng": "1"}})",
                                              R"({"id": "c"})"};
  EXPECT_EQ(sorted(R"(["_geoPoint(0, 0):asc"])", documents), "bac");
  EXPECT_EQ(sorted(R"(["_geoPoint(0, 0):desc"])", documents), "abc");
}

TEST(DocumentOrderTest, WhatIsNoSortLeavesTheDocumentsAsTheyCame) {
  EXPECT_EQ(sorted(R"(["x:up"])", {R"({"id": "a", "x": 2})", R"({"id": "b", "x": 1})"}), "ab");
  EXPECT_EQ(sorted(R"("x:asc")", {R"({"id": "a", "x": 2})", R"({"id": "b", "x": 1})"}), "ab");
}

}  // namespace
}  // namespace miroir
