#include "http/chunked.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace miroir::http {
namespace {

using std::string_literals::operator""s;

struct Decoded {
  Result<void> outcome;
  std::string body;
  std::size_t taken = 0;
  bool done = false;
};

// Feeds the bytes in pieces of `piece`.
Decoded decode(const std::string& bytes, std::size_t piece = 1'000'000,
               std::uint64_t size_max = 1'000'000) {
  ChunkedDecoder decoder(size_max);
  Decoded decoded;
  while (decoded.taken < bytes.size() && !decoder.done()) {
    const auto taken =
        decoder.feed(std::string_view(bytes).substr(decoded.taken, piece), decoded.body);
    if (!taken) {
      decoded.outcome = std::unexpected(taken.error());
      return decoded;
    }
    decoded.taken += *taken;
  }
  decoded.done = decoder.done();
  return decoded;
}

TEST(ChunkedTest, BodyIsJoinedAndTheRestLeft) {
  const std::string message = "4\r\nWiki\r\nA;name=value\r\n0123456789\r\n000\r\nT: x\r\n\r\n";
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) {
    const auto decoded = decode(message + "GET /next", piece);
    ASSERT_TRUE(decoded.outcome) << decoded.outcome.error().message;
    EXPECT_TRUE(decoded.done);
    EXPECT_EQ(decoded.body, "Wiki0123456789");
    EXPECT_EQ(decoded.taken, message.size());
  }
}

TEST(ChunkedTest, UnfinishedBodyIsNotDone) {
  const std::string message = "4\r\nWiki\r\n0\r\n\r\n";
  for (std::size_t size = 0; size < message.size(); ++size) {
    const auto decoded = decode(message.substr(0, size));
    EXPECT_TRUE(decoded.outcome);
    EXPECT_FALSE(decoded.done) << size;
  }
}

TEST(ChunkedTest, MalformedFramingIsInvalid) {
  for (const std::string& bytes : {"\r\n"s,
                                   "x\r\n"s,
                                   "0x4\r\nWiki\r\n"s,
                                   "+4\r\nWiki\r\n"s,
                                   "-1\r\n"s,
                                   " 4\r\nWiki\r\n"s,
                                   "4 \r\nWiki\r\n"s,
                                   "4 5\r\nWiki\r\n"s,
                                   "4\nWiki\r\n"s,
                                   "4\r\nWikia\r\n"s,
                                   "4\r\nWiki\n"s,
                                   "4\r\nWiki0\r\n\r\n"s,
                                   "4\r\rn\nWiki\r\n"s,
                                   "4;a\rb\r\nWiki\r\n"s,
                                   "4;a\0b\r\nWiki\r\n"s,
                                   "0\r\n\n"s,
                                   "0\r\nA: b\n\r\n"s,
                                   "0\r\nA: b\rC: d\r\n\r\n"s,
                                   ";a\r\n"s,
                                   "10000000000000000\r\n"s,
                                   "00000000000000004\r\nWiki\r\n"s}) {
    for (const std::size_t piece : {1u, 1000u}) {
      const auto decoded = decode(bytes, piece);
      ASSERT_FALSE(decoded.outcome) << bytes;
      EXPECT_EQ(decoded.outcome.error().code, ErrorCode::kInvalid) << bytes;
    }
  }
}

TEST(ChunkedTest, BodyBeyondTheLimitIsRefusedWhenAnnounced) {
  EXPECT_TRUE(decode("4\r\nWiki\r\n2\r\n", 1000, 6).outcome);
  for (const std::string& bytes :
       {"7\r\n"s, "4\r\nWiki\r\n3\r\n"s, "ffffffffffffffff\r\n"s,
        // Added to what is there already, these wrap around.
        "4\r\nWiki\r\nffffffffffffffff\r\nx"s, "4\r\nWiki\r\nfffffffffffffffc\r\nx"s}) {
    const auto decoded = decode(bytes, 1000, 6);
    ASSERT_FALSE(decoded.outcome) << bytes;
    EXPECT_EQ(decoded.outcome.error().code, ErrorCode::kTooLarge) << bytes;
    EXPECT_LE(decoded.body.size(), 6u);
  }
}

TEST(ChunkedTest, WhatIsIgnoredIsBounded) {
  EXPECT_FALSE(decode("1;" + std::string(5'000, 'a')).outcome);
  std::string extensions;
  for (int i = 0; i < 1'000; ++i) extensions += "1;" + std::string(100, 'a') + "\r\nx\r\n";
  EXPECT_FALSE(decode(extensions).outcome);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1'000; ++i) trailers += "X: " + std::string(100, 'a') + "\r\n";
  EXPECT_FALSE(decode(trailers).outcome);
}

RC_GTEST_PROP(ChunkedProperty, AnySplitGivesTheSameBody, (const std::vector<std::string>& chunks)) {
  std::string body;
  std::string message;
  for (const std::string& chunk : chunks) {
    if (chunk.empty()) continue;
    char size[32];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    message += size + chunk + "\r\n";
    body += chunk;
  }
  message += "0\r\n\r\n";
  const auto decoded = decode(message + "rest", *rc::gen::inRange<std::size_t>(1, 20));
  RC_ASSERT(decoded.outcome.has_value());
  RC_ASSERT(decoded.done);
  RC_ASSERT(decoded.body == body);
  RC_ASSERT(decoded.taken == message.size());
}

RC_GTEST_PROP(ChunkedProperty, SplitNeverChangesTheOutcome, ()) {
  static const std::vector<std::string> kPieces = {
      "\r\n", "\n", "\r", "0", "1", "a", ";", "ff", " ", "x", "\0"s, "0\r\n\r\n", "1\r\nx\r\n"};
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(kPieces));
  std::string bytes;
  for (const auto& piece : pieces) bytes += piece;
  const auto whole = decode(bytes, 1'000'000, 64);
  const auto split = decode(bytes, 1, 64);
  RC_ASSERT(whole.outcome.has_value() == split.outcome.has_value());
  RC_ASSERT(whole.body == split.body);
  RC_ASSERT(whole.done == split.done);
  RC_ASSERT(whole.body.size() <= 64u);
}

}  // namespace
}  // namespace miroir::http
