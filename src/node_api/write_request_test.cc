#include "node_api/write_request.h"

#include <gtest/gtest.h>

#include "meili/filter.h"
#include "node_api/document_filter.h"
#include "node_api/field_names_fake.h"

namespace miroir {
namespace {

http::ClientRequest request_of(const NodeWrite& write, std::string_view metadata = "m 1") {
  return write_request(write, 7, metadata, kNames);
}

TEST(WriteRequestTest, DocumentsAreSentAsTheyAre) {
  const WriteDocuments write{.index_uid = "books",
                             .primary_key = "a.b&c",
                             .merge = true,
                             .skip_creation = true,
                             .ndjson = "{\"id\":1e2}\n"};
  const http::ClientRequest request = request_of(write);
  EXPECT_EQ(request.method, "PUT");
  const std::size_t mark = request.target.find('?');
  EXPECT_EQ(request.target.substr(0, mark), "/indexes/books/documents");
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"primaryKey", "a.b&c"}, {"skipCreation", "true"}, {"customMetadata", "m 1"}};
  EXPECT_EQ(http::parse_query(request.target.substr(mark + 1)), expected);
  EXPECT_EQ(request.body, write.ndjson);
  EXPECT_EQ(*request.headers.find("TaskId"), "7");
  EXPECT_EQ(*request.headers.find("Content-Type"), "application/x-ndjson");
}

TEST(WriteRequestTest, OnlyDocumentRoutesCarryMetadata) {
  const std::vector<std::pair<NodeWrite, std::string>> cases = {
      {ClearDocuments{"i"}, "DELETE /indexes/i/documents?customMetadata=m%201 "},
      {DeleteDocuments{"i", {"a", "1"}},
       "POST /indexes/i/documents/delete-batch?customMetadata=m%201 [\"a\",\"1\"]"},
      {CreateIndex{"i", "id"}, "POST /indexes {\"uid\":\"i\",\"primaryKey\":\"id\"}"},
      {UpdateIndex{"i", std::nullopt, "j"}, "PATCH /indexes/i {\"uid\":\"j\"}"},
      {DropIndex{"i"}, "DELETE /indexes/i "},
      {SwapIndexes{{{"a", "b", false}, {"c", "d", true}}},
       R"(POST /swap-indexes [{"indexes":["a","b"]},{"indexes":["c","d"],"rename":true}])"},
      {UpdateSettings{"i", Json::object({{"stopWords", nullptr}})},
       "PATCH /indexes/i/settings {\"stopWords\":null}"}};
  for (const auto& [write, expected] : cases) {
    const http::ClientRequest request = request_of(write);
    EXPECT_EQ(request.method + ' ' + request.target + ' ' + request.body, expected);
    EXPECT_EQ(*request.headers.find("TaskId"), "7");
  }
}

TEST(WriteRequestTest, ForgetsExactlyTheTasksNamed) {
  const http::ClientRequest request = request_of(ForgetTasks{2, 5});
  EXPECT_EQ(request.method, "DELETE");
  EXPECT_EQ(http::parse_query(request.target.substr(request.target.find('?') + 1))[0].second,
            "2,3,4");
  EXPECT_EQ(*request.headers.find("TaskId"), "7");
}

TEST(DocumentFilterTest, SlotRangesReachToTheNextSlot) {
  EXPECT_EQ(slot_condition({1, 7}),
            R"((_miroir_slot "!!!!!(" TO "!!!!(!" AND _miroir_slot != "!!!!(!"))");
  EXPECT_EQ(slot_condition({8, 0xFFFF}), R"(_miroir_slot "!!!!(!" TO "(]]]]]")");
}

// The filter's grammar takes back every condition as it was meant.
TEST(DocumentFilterTest, ExactCopiesSurviveTheGrammar) {
  const std::string characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  const std::string key = "a \"quoted\\ 'key\" AND";
  DeleteExactCopies write{.index_uid = "i", .primary_key = key, .copies = {}};
  write.copies.push_back({.id = characters, .slot = slot_of(characters), .stamp = 1});
  const std::string longer(461, 'x');
  const auto others = static_cast<Slot>(slot_of(longer) + 1);
  write.copies.push_back({.id = longer, .slot = others, .stamp = 2});
  write.copies.push_back({.id = "alien", .slot = 7, .stamp = std::nullopt});
  const auto parsed = meili::parse_filter(exact_copies_filter(write, kNames), "x");
  ASSERT_TRUE(parsed) << parsed.error().message;
  std::vector<meili::Filter> copies = parsed->children;
  if (parsed->kind == meili::Filter::Kind::kAnd) copies = parsed->children[0].children;
  ASSERT_EQ(copies.size(), 3u);
  const auto& exact = copies[0].children;
  ASSERT_EQ(exact.size(), 3u);
  EXPECT_EQ(exact[0].values[0].text, encode_stamp(1));
  EXPECT_EQ(exact[1].operation, meili::FilterOperator::kEqual);
  EXPECT_EQ(exact[1].values[0].text, encode_slot(slot_of(characters)));
  EXPECT_EQ(exact[2].field.text, key);
  EXPECT_EQ(exact[2].values[0].text, characters);
  EXPECT_EQ(copies[1].children[1].operation, meili::FilterOperator::kNotEqual);
  EXPECT_EQ(copies[1].children[1].values[0].text, encode_slot(slot_of(longer)));
  EXPECT_EQ(copies[1].children[2].operation, meili::FilterOperator::kStartsWith);
  EXPECT_EQ(copies[1].children[2].values[0].text, std::string(460, 'x'));
  const auto& foreign = copies[2].children;
  ASSERT_EQ(foreign.size(), 3u) << "it has no slot";
  for (const meili::Filter& outside : {foreign[0], foreign[1]}) {
    ASSERT_EQ(outside.kind, meili::Filter::Kind::kNot);
    EXPECT_EQ(outside.children[0].operation, meili::FilterOperator::kBetween);
    EXPECT_EQ(outside.children[0].field.text, kNames.updated_at);
  }
  EXPECT_EQ(foreign[2].values[0].text, "alien");
}

TEST(DocumentFilterTest, AllConditionsMustHold) {
  DocumentQuery query;
  EXPECT_EQ(document_filter(query), std::nullopt);
  query.slots = {{0, 7}, {64, 64}};
  query.symbols[1] = {0, 99};
  query.unmarked = true;
  query.filter = Json::array({"a = 1", Json::array({"b = 2", "c = 3"})});
  const auto filter = document_filter(query);
  ASSERT_TRUE(filter);
  ASSERT_EQ(filter->size(), 5u);
  EXPECT_EQ(filter->as_array()[1], Json(R"(_miroir_digest_1 IN ["!!!", "(;*"])"));
  EXPECT_EQ(filter->as_array()[4], Json::array({"b = 2", "c = 3"})) << "an inner array stays an OR";
  EXPECT_TRUE(meili::parse_filter(*filter, "x"));
}

}  // namespace
}  // namespace miroir
