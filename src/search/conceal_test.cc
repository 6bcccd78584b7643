#include "search/conceal.h"

#include <gtest/gtest.h>

namespace miroir {
namespace {

TEST(ConcealTest, WhatNamesNoStoredFieldStaysByteForByte) {
  for (const char* body : {"", "not json", R"({ "q" : "\"a phrase\"", "vector":[0.10] })",
                           R"({"q":"_miroir_slot","filter":"title = \"_miroir_slot\""})",
                           R"({"filter":"meta._miroir_note = 1","highlightPreTag":"_miroir_"})"}) {
    EXPECT_EQ(concealed_body(body), body);
  }
}

TEST(ConcealTest, ConditionsOnStoredFieldsGetAnotherName) {
  EXPECT_EQ(concealed_body(R"({"filter":"_miroir_slot = 1"})"), R"({"filter":"_miroir-slot = 1"})");
  EXPECT_EQ(concealed_body(R"({"filter":["a = 1",["NOT _miroir_base EXISTS","b = 2"]]})"),
            R"({"filter":["a = 1",["NOT _miroir-base EXISTS","b = 2"]]})");
  EXPECT_EQ(concealed_body(R"({"q":"_miroir_x","filter":"\"_miroir_slot\" > \"!\""})"),
            R"({"q":"_miroir_x","filter":"\"_miroir-slot\" > \"!\""})");
}

TEST(ConcealTest, EscapesHideNothing) {
  EXPECT_EQ(concealed_body(R"({"filter":"\u005fmiroir_slot = 1"})"),
            R"({"filter":"_miroir-slot = 1"})");
  EXPECT_EQ(concealed_body(R"({"\u0066ilter":"'\\u{5f}miroir_slot' = 1"})"),
            R"({"filter":"\"_miroir-slot\" EXISTS"})");
}

// The node has operators that our parser does not know.
TEST(ConcealTest, EscapesHideNothingWhereOnlyANodeCanReadTheFilter) {
  EXPECT_EQ(concealed_body(
                R"x({"filter":["'\\x5fmiroir_slot' EXISTS AND _geoPolygon([1,2],[3,4],[5,6])"]})x"),
            R"({"filter":"\"_miroir-\" EXISTS"})");
}

TEST(ConcealTest, NamesOfFieldsAreConcealedWhereverTheyStand) {
  EXPECT_EQ(
      concealed_body(
          R"({"facets":["_miroir_slot","a"],"sort":["_miroir_updated_at:asc"],"distinct":"_miroir_slot"})"),
      R"({"facets":["_miroir-slot","a"],"sort":["_miroir-updated_at:asc"],"distinct":"_miroir-slot"})");
  EXPECT_EQ(concealed_body(R"({"facetName":"_miroir_digest_0","facetQuery":"_miroir_"})"),
            R"({"facetName":"_miroir-digest_0","facetQuery":"_miroir_"})");
  EXPECT_EQ(concealed_body(R"({"queries":[{"indexUid":"_miroir_i","filter":"_miroir_slot = 1"}],)"
                           R"("federation":{"facetsByIndex":{"_miroir_i":["_miroir_slot"]}}})"),
            R"({"queries":[{"indexUid":"_miroir_i","filter":"_miroir-slot = 1"}],)"
            R"("federation":{"facetsByIndex":{"_miroir_i":["_miroir-slot"]}}})");
}

TEST(ConcealTest, AFilterThatCannotBeReadDoesNotReachANodeWithTheName) {
  EXPECT_EQ(concealed_body(R"({"filter":"_miroir_slot = = 1"})"),
            R"({"filter":"_miroir-slot = = 1"})");
}

TEST(ConcealTest, QueryStringsToo) {
  auto value = [](const std::string& query) { return http::parse_query(query).front().second; };
  EXPECT_EQ(value(concealed_query("filter=%5Fmiroir_slot%20%3D%201")), "_miroir-slot = 1");
  EXPECT_EQ(value(concealed_query("filter=%5B%22%5Fmiroir_slot%20EXISTS%22%5D")),
            R"(["_miroir-slot EXISTS"])");
  EXPECT_EQ(value(concealed_query("facets=a,_miroir_slot")), "a,_miroir-slot");
  EXPECT_EQ(value(concealed_query("fields=_miroir_slot,id")), "_miroir-slot,id");
  for (const char* query :
       {"", "q=_miroir_slot", "filter=title%20=%20_miroir_x", "filter=%5B%20%22a%20=%201%22%20%5D"})
    EXPECT_EQ(concealed_query(query), query);
}

TEST(ConcealTest, PathsAreNamesOfNoFields) {
  http::Request request;
  request.path = "/indexes/_miroir_i/documents/_miroir_1";
  request.query = "fields=_miroir_slot";
  request.target = request.path + "?" + request.query;
  const http::Request given = concealed(request);
  EXPECT_EQ(given.target, request.path + "?fields=_miroir-slot");
}

TEST(ConcealTest, AnExpiryThatClientsMaySeeCanBeAskedForAndNothingElse) {
  FieldNames names;
  names.expiry = true;
  EXPECT_EQ(concealed_body(R"({"attributesToRetrieve":["_miroir_expires_at","_miroir_slot"],)"
                           R"("sort":["_miroir_expires_at:asc"],"facets":["_miroir_expires_at"]})",
                           names),
            R"({"attributesToRetrieve":["_miroir_expires_at","_miroir-slot"],)"
            R"("sort":["_miroir-expires_at:asc"],"facets":["_miroir-expires_at"]})");
  EXPECT_EQ(concealed_query("fields=_miroir_expires_at,id", names), "fields=_miroir_expires_at,id");
  EXPECT_NE(concealed_query("fields=_miroir_expires_at,_miroir_slot", names).find("_miroir-slot"),
            std::string::npos);
  EXPECT_EQ(concealed_body(R"({"fields":["_miroir_expires_at"]})"),
            R"({"fields":["_miroir-expires_at"]})");
}

}  // namespace
}  // namespace miroir
