#include "http/head_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace miroir::http {
namespace {

using std::string_literals::operator""s;

// The whole way of a head: found in the stream, then parsed.
std::expected<ParsedRequest, HeadError> parse(const std::string& bytes) {
  const auto size = head_size(bytes);
  if (!size) return std::unexpected(size.error());
  if (*size == 0) return std::unexpected(HeadError{0, "incomplete"});
  return parse_request_head(std::string_view(bytes).substr(0, *size));
}

std::string with_fields(const std::string& fields) {
  return "POST /indexes HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

TEST(RequestHeadTest, PartsAreKeptAsSent) {
  const auto parsed = parse(
      "POST /indexes/caf%C3%A9/search?q=a%20b&limit=2 HTTP/1.1\r\nhost: node:7700\r\n"
      "Content-Length:  12 \r\nX-Two: 1\r\nx-two: 2\r\nEmpty:\r\n\r\nBODY");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->head.method, "POST");
  EXPECT_EQ(parsed->head.target, "/indexes/caf%C3%A9/search?q=a%20b&limit=2");
  EXPECT_EQ(parsed->head.path, "/indexes/caf%C3%A9/search");
  EXPECT_EQ(parsed->head.query, "q=a%20b&limit=2");
  EXPECT_EQ(parsed->head.content_length, 12u);
  EXPECT_EQ(parsed->framing.content_length, 12u);
  EXPECT_FALSE(parsed->framing.chunked);
  EXPECT_TRUE(parsed->keep_alive);
  EXPECT_EQ(parsed->head.headers.count("X-TWO"), 2u);
  EXPECT_EQ(*parsed->head.headers.find("X-Two"), "1");
  EXPECT_EQ(*parsed->head.headers.find("empty"), "");
}

TEST(RequestHeadTest, HeadEndsAtItsEmptyLine) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(head_size(head + "GET /next").value(), head.size());
  for (std::size_t size = 0; size < head.size(); ++size) {
    EXPECT_EQ(head_size(head.substr(0, size)).value(), 0u) << size;
  }
}

TEST(RequestHeadTest, ChunkedAndExpectAreSeen) {
  const auto parsed = parse(with_fields("Transfer-Encoding: Chunked\r\nExpect: 100-Continue\r\n"));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->framing.chunked);
  EXPECT_FALSE(parsed->framing.content_length);
  EXPECT_TRUE(parsed->expects_continue);
}

TEST(RequestHeadTest, ConnectionIsKeptOnlyIn11AndWithoutClose) {
  EXPECT_TRUE(parse(with_fields(""))->keep_alive);
  EXPECT_FALSE(parse(with_fields("Connection: Close\r\n"))->keep_alive);
  EXPECT_FALSE(parse(with_fields("Connection: foo , close\r\n"))->keep_alive);
  EXPECT_FALSE(parse(with_fields("Connection: a\r\nConnection: close\r\n"))->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")->keep_alive);
}

struct Refused {
  std::string name;
  std::string bytes;
  int status = 400;
};
class RefusedRequestTest : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequestTest, IsNotInterpreted) {
  const auto parsed = parse(GetParam().bytes);
  ASSERT_FALSE(parsed) << GetParam().bytes;
  EXPECT_EQ(parsed.error().status, GetParam().status) << parsed.error().message;
}

std::string request_line(const std::string& line) { return line + "\r\nHost: a\r\n\r\n"; }

INSTANTIATE_TEST_SUITE_P(
    Smuggling, RefusedRequestTest,
    testing::Values(
        Refused{"EncodingAndLength",
                with_fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
        Refused{"LengthAndEncoding",
                with_fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
        Refused{"TwoEncodings",
                with_fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 501},
        Refused{"EncodingList", with_fields("Transfer-Encoding: gzip, chunked\r\n"), 501},
        Refused{"EncodingIdentity", with_fields("Transfer-Encoding: identity\r\n"), 501},
        Refused{"EncodingUnknown", with_fields("Transfer-Encoding: xchunked\r\n"), 501},
        Refused{"EncodingEmpty", with_fields("Transfer-Encoding:\r\n"), 501},
        Refused{"EncodingQuoted", with_fields("Transfer-Encoding: \"chunked\"\r\n"), 501},
        Refused{"EncodingTrailingComma", with_fields("Transfer-Encoding: chunked,\r\n"), 501},
        Refused{"EncodingVerticalTab", with_fields("Transfer-Encoding:\vchunked\r\n")},
        Refused{"EncodingSpaceBeforeColon", with_fields("Transfer-Encoding : chunked\r\n")},
        Refused{"EncodingTabBeforeColon", with_fields("Transfer-Encoding\t: chunked\r\n")},
        Refused{"EncodingFolded", with_fields("Transfer-Encoding:\r\n chunked\r\n")},
        Refused{"EncodingIn10", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        Refused{"TwoLengths", with_fields("Content-Length: 5\r\nContent-Length: 6\r\n")},
        Refused{"TwoEqualLengths", with_fields("Content-Length: 5\r\ncontent-length: 5\r\n")},
        Refused{"LengthList", with_fields("Content-Length: 5, 5\r\n")},
        Refused{"LengthPlus", with_fields("Content-Length: +5\r\n")},
        Refused{"LengthMinus", with_fields("Content-Length: -5\r\n")},
        Refused{"LengthHex", with_fields("Content-Length: 0x5\r\n")},
        Refused{"LengthInnerSpace", with_fields("Content-Length: 5 5\r\n")},
        Refused{"LengthEmpty", with_fields("Content-Length:\r\n")},
        Refused{"LengthLetters", with_fields("Content-Length: five\r\n")},
        Refused{"LengthOverflow", with_fields("Content-Length: 18446744073709551616\r\n")},
        Refused{"LengthSpaceBeforeColon", with_fields("Content-Length : 5\r\n")},
        Refused{"FoldedField", with_fields("X: a\r\n b\r\n")},
        Refused{"FirstFieldFolded", "GET / HTTP/1.1\r\n X: a\r\nHost: a\r\n\r\n"},
        Refused{"BareLf", "GET / HTTP/1.1\nHost: a\n\n"},
        Refused{"BareLfInFields", with_fields("X: a\nY: b\r\n")},
        Refused{"BareCrInValue", with_fields("X: a\rY: b\r\n")},
        Refused{"BareCrInLine", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"},
        Refused{"NulInValue", with_fields("X: a\0b\r\n"s)},
        Refused{"NulInName", with_fields("X\0: a\r\n"s)},
        Refused{"DelInValue", with_fields("X: a\x7F\r\n")},
        Refused{"NoColon", with_fields("X\r\n")}, Refused{"EmptyName", with_fields(": a\r\n")},
        Refused{"NameNotAToken", with_fields("X(y): a\r\n")},
        Refused{"NoHost", "GET / HTTP/1.1\r\nX: a\r\n\r\n"},
        Refused{"TwoHosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        Refused{"TwoHostsIn10", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
        Refused{"HostList", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        Refused{"HostWithUser", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
        Refused{"HostWithPath", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        Refused{"AbsoluteTarget", request_line("GET http://b/ HTTP/1.1")},
        Refused{"AuthorityTarget", request_line("CONNECT b:443 HTTP/1.1")},
        Refused{"AsteriskTarget", request_line("OPTIONS * HTTP/1.1")},
        Refused{"Fragment", request_line("GET /a#b HTTP/1.1")},
        Refused{"SpaceInTarget", request_line("GET /a b HTTP/1.1")},
        Refused{"TabInTarget", request_line("GET /a\tb HTTP/1.1")},
        Refused{"HighByteInTarget", request_line("GET /\xC3\xA9 HTTP/1.1")},
        Refused{"TwoSpaces", request_line("GET  / HTTP/1.1")},
        Refused{"LeadingSpace", request_line(" GET / HTTP/1.1")},
        Refused{"TrailingSpace", request_line("GET / HTTP/1.1 "), 505},
        Refused{"NoVersion", request_line("GET /")},
        Refused{"MethodNotAToken", request_line("GE{T / HTTP/1.1")},
        Refused{"Version2", request_line("GET / HTTP/2.0"), 505},
        Refused{"Version12", request_line("GET / HTTP/1.2"), 505},
        Refused{"VersionLowerCase", request_line("GET / http/1.1"), 505},
        Refused{"VersionLong", request_line("GET / HTTP/1.10"), 505},
        Refused{"LeadingEmptyLine", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        Refused{"UnknownExpect", with_fields("Expect: 200-ok\r\n"), 417}),
    [](const auto& instance) { return instance.param.name; });

TEST(RequestHeadTest, TooManyFieldsAreRefused) {
  std::string fields;
  for (int i = 0; i < 200; ++i) fields += "X: a\r\n";
  EXPECT_EQ(parse(with_fields(fields)).error().status, 431);
}

std::expected<ParsedResponse, HeadError> parse_answer(const std::string& bytes) {
  const auto size = head_size(bytes);
  if (!size) return std::unexpected(size.error());
  return parse_response_head(std::string_view(bytes).substr(0, *size));
}

TEST(ResponseHeadTest, PartsAreSeen) {
  const auto parsed =
      parse_answer("HTTP/1.1 202 Accepted\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->status, 202);
  EXPECT_EQ(parsed->framing.content_length, 3u);
  EXPECT_FALSE(parsed->keep_alive);
  EXPECT_EQ(parse_answer("HTTP/1.1 200\r\n\r\n")->status, 200);
  EXPECT_FALSE(parse_answer("HTTP/1.0 200 OK\r\n\r\n")->keep_alive);
}

TEST(ResponseHeadTest, MalformedAnswersAreRefused) {
  for (const std::string& bytes :
       {"HTTP/1.1 20 OK\r\n\r\n"s, "HTTP/1.1 2000 OK\r\n\r\n"s, "HTTP/1.1 099 OK\r\n\r\n"s,
        "HTTP/1.1 600 OK\r\n\r\n"s, "HTTP/1.1 -20 OK\r\n\r\n"s, "HTTP/1.1 \r\n\r\n"s,
        "HTTP/1.1  200 OK\r\n\r\n"s, "HTTP/1.1 200 O\0K\r\n\r\n"s, "HTTP/1.1 200 O\rK\r\n\r\n"s,
        "HTTP/2 200 OK\r\n\r\n"s, "ICY 200 OK\r\n\r\n"s, "\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"s,
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"s,
        "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"s}) {
    EXPECT_FALSE(parse_answer(bytes)) << bytes;
  }
}

// What a mutated head is read as, must be what its bytes say to any other parser.
void expect_unambiguous(const ParsedRequest& parsed) {
  RC_ASSERT(is_token(parsed.head.method));
  RC_ASSERT(is_target(parsed.head.target));
  const Headers& headers = parsed.head.headers;
  RC_ASSERT(headers.count("Host") <= 1);
  RC_ASSERT(headers.count("Content-Length") + headers.count("Transfer-Encoding") <= 1);
  RC_ASSERT(parsed.framing.chunked == (headers.count("Transfer-Encoding") == 1));
  if (const std::string* length = headers.find("Content-Length")) {
    RC_ASSERT(length->find_first_not_of("0123456789") == std::string::npos);
    RC_ASSERT(parsed.framing.content_length.has_value());
  }
  for (const auto& [name, value] : headers.all()) {
    RC_ASSERT(is_token(name));
    RC_ASSERT(is_field_value(value));
  }
}

RC_GTEST_PROP(RequestHeadProperty, MutatedHeadsAreRefusedOrUnambiguous, ()) {
  static const std::vector<std::string> kPieces = {"\r\n",
                                                   "\n",
                                                   "\r",
                                                   "\0"s,
                                                   " ",
                                                   "\t",
                                                   ":",
                                                   ",",
                                                   "Host",
                                                   "chunked",
                                                   "GET /",
                                                   "HTTP/1.1",
                                                   "+",
                                                   "0x",
                                                   "\r\n\r\n",
                                                   "Transfer-Encoding: chunked\r\n",
                                                   "Content-Length: 4\r\n",
                                                   "\xFF",
                                                   "#",
                                                   "\x7F"};
  std::string bytes = *rc::gen::element(with_fields("Content-Length: 4\r\n"s),
                                        with_fields("Transfer-Encoding: chunked\r\nX-A: b\r\n"s),
                                        "GET /a?b HTTP/1.0\r\n\r\n"s);
  const int mutations = *rc::gen::inRange(0, 6);
  for (int i = 0; i < mutations; ++i) {
    const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
    const auto cut = *rc::gen::inRange<std::size_t>(0, 3);
    const auto piece = *rc::gen::elementOf(kPieces);
    bytes.replace(at, std::min(cut, bytes.size() - at), piece);
  }
  const auto parsed = parse(bytes);
  RC_CLASSIFY(parsed.has_value(), "accepted");
  if (parsed) expect_unambiguous(*parsed);
}

RC_GTEST_PROP(RequestHeadProperty, ArbitraryBytesDoNoHarm, (const std::string& bytes)) {
  (void)parse(bytes);
  (void)parse_answer("HTTP/1.1 200 " + bytes + "\r\n\r\n");
  (void)parse_request_head(bytes);
  (void)parse_response_head(bytes);
}

}  // namespace
}  // namespace miroir::http
