#include "http/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "http/connect.h"
#include "http/head_parser.h"
#include "http/head_writer.h"

namespace miroir::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

TEST(HeadersTest, SetLeavesExactlyOne) {
  Headers headers{{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("a", "4");
  EXPECT_THAT(headers.all(), ElementsAre(Pair("A", "4"), Pair("B", "2")));
  headers.add("b", "5");
  EXPECT_EQ(headers.count("B"), 2u);
  headers.erase("b");
  EXPECT_EQ(headers.find("B"), nullptr);
}

TEST(QueryTest, PairsAreDecodedInOrder) {
  EXPECT_THAT(parse_query("q=a+b%20c&empty&=x&q=%C3%A9&&bad=%zz"),
              ElementsAre(Pair("q", "a b c"), Pair("empty", ""), Pair("", "x"), Pair("q", "é"),
                          Pair("bad", "%zz")));
}

TEST(QueryTest, MalformedEscapesAreSeen) {
  EXPECT_EQ(percent_decode("a%2Fb"), "a/b");
  EXPECT_EQ(percent_decode("a+b"), "a+b");
  for (const char* text : {"%", "%2", "%zz", "a%4"}) EXPECT_FALSE(percent_decode(text)) << text;
}

RC_GTEST_PROP(QueryProperty, WhatIsBuiltIsParsedBack,
              (const std::vector<std::pair<std::string, std::string>>& pairs)) {
  const std::string query = build_query(pairs);
  RC_ASSERT(parse_query(query) == pairs);
  RC_ASSERT(is_target("/?" + query));
}

TEST(ResponseHeadTest, FramingIsOurs) {
  const Response response{200,
                          {{"Content-Length", "999"},
                           {"transfer-encoding", "chunked"},
                           {"Connection", "keep-alive"},
                           {"X-Kept", "yes"}},
                          "abc"};
  const std::string head = response_head(response, false);
  EXPECT_EQ(head,
            "HTTP/1.1 200 OK\r\nX-Kept: yes\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
}

TEST(ResponseHeadTest, FieldsThatWouldBreakTheHeadAreLeftOut) {
  const Response response{
      200,
      {{"X-Split", "a\r\nSet-Cookie: b"}, {"X\r\nY", "c"}, {"X-Nul", std::string(1, '\0')}},
      {}};
  EXPECT_EQ(response_head(response, true), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseHeadTest, AnswersWithoutABodyHaveNoLength) {
  EXPECT_THAT(response_head({204, {}, "x"}, true), Not(HasSubstr("Content-Length")));
  EXPECT_THAT(response_head({304, {}, "x"}, true), Not(HasSubstr("Content-Length")));
  EXPECT_THAT(response_head({404, {}, ""}, true), HasSubstr("Content-Length: 0"));
}

TEST(RequestHeadTest, FramingAndHostAreOurs) {
  const ClientRequest request{"POST",
                              "/a?b",
                              {{"Host", "evil"},
                               {"Content-Length", "0"},
                               {"Transfer-Encoding", "chunked"},
                               {"Expect", "100-continue"},
                               {"Authorization", "Bearer k"}},
                              "body"};
  EXPECT_EQ(request_head(request, "node:7700").value(),
            "POST /a?b HTTP/1.1\r\nHost: node:7700\r\nAuthorization: Bearer k\r\n"
            "Content-Length: 4\r\n\r\n");
  EXPECT_EQ(request_head({"GET", "/", {}, {}}, "n").value(), "GET / HTTP/1.1\r\nHost: n\r\n\r\n");
  EXPECT_THAT(request_head({"DELETE", "/", {}, {}}, "n").value(), HasSubstr("Content-Length: 0"));
}

TEST(RequestHeadTest, WhatWouldBreakTheHeadIsInvalid) {
  for (const ClientRequest& request :
       {ClientRequest{"GET ", "/", {}, {}}, ClientRequest{"", "/", {}, {}},
        ClientRequest{"GET", "a", {}, {}}, ClientRequest{"GET", "/a b", {}, {}},
        ClientRequest{"GET", "/\r\nX: y", {}, {}}, ClientRequest{"GET", "/#a", {}, {}},
        ClientRequest{"GET", "/", {{"X", "a\r\nY: b"}}, {}},
        ClientRequest{"GET", "/", {{"X:", "a"}}, {}}}) {
    const auto head = request_head(request, "n");
    ASSERT_FALSE(head) << request.method << request.target;
    EXPECT_EQ(head.error().code, ErrorCode::kInvalid);
  }
}

TEST(AddressTest, PartsAreFound) {
  const auto plain = parse_address("http://10.0.0.1:7701").value();
  EXPECT_EQ(plain.host, "10.0.0.1");
  EXPECT_EQ(plain.port, 7701);
  EXPECT_EQ(plain.authority, "10.0.0.1:7701");
  const auto name = parse_address("http://node-a.svc/").value();
  EXPECT_EQ(name.host, "node-a.svc");
  EXPECT_EQ(name.port, 80);
  EXPECT_EQ(name.authority, "node-a.svc");
  const auto v6 = parse_address("http://[::1]:7701").value();
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(v6.port, 7701);
  EXPECT_EQ(v6.authority, "[::1]:7701");
}

TEST(AddressTest, AnythingElseIsInvalid) {
  for (const char* text :
       {"", "http://", "https://a", "a:7700", "http://a:", "http://a:0", "http://a:70000",
        "http://a:7x", "http://a:99999999999999999999", "http://a/b", "http://u@a", "http://[::1",
        "http://::1", "http://[a]", "http://a b", "http://a\r\nX: y", "http://[::1]7"}) {
    const auto address = parse_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace miroir::http
