#include "node/text_index.h"

#include <gtest/gtest.h>

#include "meili/settings.h"

namespace miroir::node {
namespace {

std::vector<std::string> words_of(std::string_view text, const Json& settings = Json::object()) {
  std::vector<std::string> words;
  for (const Word& word : Words(settings).of(text)) words.push_back(word.text);
  return words;
}

using Strings = std::vector<std::string>;

TEST(WordsTest, AreLowerCaseWithoutMarks) {
  EXPECT_EQ(words_of("Les Misérables, 1862"), (Strings{"les", "miserables", "1862"}));
  EXPECT_EQ(words_of("Moby-Dick's"), (Strings{"moby", "dick", "s"}));
  EXPECT_EQ(words_of("e\u0301te\u0301"), (Strings{"ete"}));
}

TEST(WordsTest, SeparatorsAloneHaveNone) {
  EXPECT_EQ(words_of("!()*;?[]"), Strings{});
  EXPECT_EQ(words_of("![([**]]!????[];(("), Strings{});
}

TEST(WordsTest, ScriptsWithoutSpacesAreCutAtEachCharacter) {
  EXPECT_EQ(words_of("東京 is 大"), (Strings{"東", "京", "is", "大"}));
}

TEST(WordsTest, SettingsMoveTheBorders) {
  const Json settings = Json::object(
      {{"separatorTokens", Json::array({"and"})}, {"nonSeparatorTokens", Json::array({"#"})}});
  EXPECT_EQ(words_of("c# and java", settings).size(), 2u);
  EXPECT_NE(words_of("c#", settings), words_of("c", settings));
}

TEST(WordsTest, TellWhereTheyStand) {
  const std::vector<Word> words = Words().of("où, Été");
  ASSERT_EQ(words.size(), 2u);
  EXPECT_EQ(words[1].text, "ete");
  EXPECT_EQ(words[1].first, 5u);
  EXPECT_EQ(words[1].end, 10u);
}

TEST(WordsTest, BrokenTextEndsAWord) {
  EXPECT_EQ(words_of("ab\xff\xfe"
                     "cd"),
            (Strings{"ab", "cd"}));
}

class TextIndexTest : public testing::Test {
 protected:
  TextIndexTest() : database_(*sqlite::Database::open(":memory:")) {
    index_.number = 7;
    index_.settings = meili::default_settings();
    EXPECT_TRUE(create_text_index(database_, 7));
  }

  void put(DocumentNumber number, const char* before, const char* after) {
    const Json old_document = *parse_json(before == nullptr ? "{}" : before);
    const Json new_document = *parse_json(after == nullptr ? "{}" : after);
    ASSERT_TRUE(update_text_index(database_, index_, number,
                                  before == nullptr ? nullptr : &old_document,
                                  after == nullptr ? nullptr : &new_document));
  }

  std::vector<DocumentNumber> find(std::string_view word, bool prefix = false,
                                   std::optional<std::size_t> column = std::nullopt) {
    std::vector<DocumentNumber> numbers;
    const auto found = documents_with(database_, index_, word, prefix, column);
    EXPECT_TRUE(found);
    found->for_each([&](DocumentNumber number) { numbers.push_back(number); });
    return numbers;
  }

  using Numbers = std::vector<DocumentNumber>;
  sqlite::Database database_;
  Index index_;
};

TEST_F(TextIndexTest, FindsWordsNumbersAndBeginnings) {
  put(1, nullptr, R"({"id":17,"title":"The Sea","in":{"tags":["Épée",true]}})");
  put(2, nullptr, R"({"id":2,"title":"Seashell"})");
  EXPECT_EQ(find("sea"), (Numbers{1}));
  EXPECT_EQ(find("sea", true), (Numbers{1, 2}));
  EXPECT_EQ(find("17"), (Numbers{1}));
  EXPECT_EQ(find("epee"), (Numbers{1}));
  EXPECT_EQ(find("true"), (Numbers{1}));
  EXPECT_EQ(find("title"), Numbers{});
}

TEST_F(TextIndexTest, ChangedAndErasedWordsAreGone) {
  put(1, nullptr, R"({"t":"old words"})");
  put(1, R"({"t":"old words"})", R"({"t":"new words"})");
  EXPECT_EQ(find("old"), Numbers{});
  EXPECT_EQ(find("new"), (Numbers{1}));
  put(1, R"({"t":"new words"})", nullptr);
  EXPECT_EQ(find("words"), Numbers{});
}

TEST_F(TextIndexTest, SearchableAttributesAreColumns) {
  index_.settings.set("searchableAttributes", Json::array({"title", "author"}));
  put(1, nullptr, R"({"title":"x","author":{"name":"Homer"},"hidden":"secret"})");
  EXPECT_EQ(find("homer", false, 1), (Numbers{1}));
  EXPECT_EQ(find("homer", false, 0), Numbers{});
  EXPECT_EQ(find("secret"), Numbers{});
}

TEST_F(TextIndexTest, VectorsAreNoWords) {
  put(1, nullptr, R"({"_vectors":{"u":[17.5]},"t":"x"})");
  EXPECT_EQ(find("17"), Numbers{});
}

TEST(SameWordsTest, OnlySomeSettingsChangeWords) {
  const Json before = meili::default_settings();
  Json after = before;
  after.set("stopWords", Json::array({"the"}));
  EXPECT_TRUE(same_words(before, after));
  after.set("searchableAttributes", Json::array({"title"}));
  EXPECT_FALSE(same_words(before, after));
}

}  // namespace
}  // namespace miroir::node
