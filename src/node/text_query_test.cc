#include "node/text_query.h"

#include <gtest/gtest.h>

#include "meili/settings.h"

namespace miroir::node {
namespace {

TextQuery parse(std::string_view text, Json::Array stop_words = {}) {
  Json settings = meili::default_settings();
  settings.set("stopWords", Json(std::move(stop_words)));
  return parse_text_query(text, settings);
}

TEST(TextQueryTest, OnlyAnOpenLastWordIsAPrefix) {
  const TextQuery open = parse("white wha");
  ASSERT_EQ(open.wanted.size(), 2u);
  EXPECT_FALSE(open.wanted[0].prefix);
  EXPECT_TRUE(open.wanted[1].prefix);
  EXPECT_FALSE(parse("whale ").wanted.back().prefix);
}

TEST(TextQueryTest, QuotesMakePhrasesAndDashesRefuse) {
  const TextQuery query = parse("\"White  whale\" -ship -\"the sea\" moby-dick");
  ASSERT_EQ(query.wanted.size(), 3u);
  EXPECT_EQ(query.wanted[0].words, (std::vector<std::string>{"white", "whale"}));
  EXPECT_FALSE(query.wanted[0].prefix);
  EXPECT_EQ(query.wanted[1].words, (std::vector<std::string>{"moby"}));
  ASSERT_EQ(query.refused.size(), 2u);
  EXPECT_EQ(query.refused[0].words, (std::vector<std::string>{"ship"}));
  EXPECT_EQ(query.refused[1].words, (std::vector<std::string>{"the", "sea"}));
}

TEST(TextQueryTest, NothingButSeparatorsAsksForNothing) {
  for (const char* text : {"", " ", "(", "!!", "\"\"", "\"", "- ;?"})
    EXPECT_TRUE(parse(text).empty()) << text;
}

TEST(TextQueryTest, StopWordsAreLeftOutButMayBegin) {
  EXPECT_EQ(parse("the sea", {"the"}).wanted.size(), 1u);
  EXPECT_EQ(parse("sea the", {"the"}).wanted.size(), 2u);
}

TEST(TextQueryTest, FurtherWordsAreNotLookedAt) {
  EXPECT_EQ(parse("a b c d e f g h i j k l").wanted.size(), 10u);
}

TEST(MatchesAtTest, PhrasesStandTogether) {
  const std::vector<Word> words = Words().of("the white whale");
  EXPECT_TRUE(matches_at({{"white", "whale"}, false}, words, 1));
  EXPECT_FALSE(matches_at({{"the", "whale"}, false}, words, 0));
  EXPECT_FALSE(matches_at({{"whale", "x"}, false}, words, 2));
  EXPECT_TRUE(matches_at({{"wha"}, true}, words, 2));
  EXPECT_FALSE(matches_at({{"wha"}, false}, words, 2));
}

}  // namespace
}  // namespace miroir::node
