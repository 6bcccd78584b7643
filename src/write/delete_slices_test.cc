#include "write/delete_slices.h"

#include <gtest/gtest.h>

#include "node_api/simulated_reads_fake.h"
#include "write/write_world_fake.h"

namespace miroir {
namespace {

// A delete by filter before an index of 40 documents, of which 30 match.
class DeleteInSlicesTest : public testing::Test {
 protected:
  static WriteOptions five_per_entry() {
    WriteOptions options;
    options.deleted_per_entry = 5;
    return options;
  }
  static std::string documents() {
    std::string body;
    for (int i = 0; i < 40; ++i)
      body += (i == 0 ? "[" : ",") + std::string(R"({"id":)") + std::to_string(i) + R"(,"g":")" +
              (i % 4 == 0 ? "b" : "a") + R"("})";
    return body + "]";
  }
  WriteWorld::Answer remove(const std::string& filter) {
    return world_.answer(world_.documents().remove_by_filter(
        "movies", WriteWorld::json_request("POST", R"({"filter":")" + filter + R"("})")));
  }
  std::vector<Entry> entries_of(const WriteWorld::Answer& accepted) {
    std::vector<Entry> entries;
    for (Position at = 1; at <= accepted.task(); ++at) {
      const Entry entry = world_.entry(at);
      if (entry.task == accepted.task()) entries.push_back(entry);
    }
    return entries;
  }
  void expect_deleted_in_slices(const WriteWorld::Answer& accepted) {
    const Json task = world_.ended(accepted);
    EXPECT_EQ(status_of(task), "succeeded");
    EXPECT_EQ(*task.find("details")->find("deletedDocuments"), Json(30));
    for (const int group : {0, 1}) EXPECT_EQ(world_.documents_of("movies", group).size(), 10u);
    std::uint64_t records = 0;
    for (const Entry& entry : entries_of(accepted)) {
      EXPECT_EQ(entry.kind, EntryKind::kDeleteDocuments);
      EXPECT_LE(entry.records, 12u);
      records += entry.records;
    }
    EXPECT_EQ(records, 30u);
  }

  WriteWorld world_{five_per_entry()};
};

TEST_F(DeleteInSlicesTest, OfManyDocumentsItIsSeveralEntriesOfOneTask) {
  world_.ended(world_.post("movies", documents()));
  const auto accepted = remove("g = a");
  EXPECT_EQ(accepted.task(), world_.world.log().head());
  EXPECT_GE(entries_of(accepted).size(), 6u);
  expect_deleted_in_slices(accepted);
  EXPECT_EQ(entries_of(remove("g = a")).size(), 1u) << "nothing is left that matches";
}

TEST_F(DeleteInSlicesTest, DocumentsThatNoNodeHasYetCount) {
  world_.post("movies", documents());
  const auto accepted = remove("g = a");
  EXPECT_GE(entries_of(accepted).size(), 6u);
  expect_deleted_in_slices(accepted);
}

TEST_F(DeleteInSlicesTest, WhatOneRefusesFailsTheTask) {
  world_.ended(world_.post("movies", documents()));
  world_.world.answer_documents = [&](const std::string& node,
                                      const DocumentQuery& query) -> Result<DocumentPage> {
    const bool first = query.limit > 0 && query.slots.front().first == 0;
    if (first) return fail(ErrorCode::kInvalid, "not filterable");
    return simulated_documents(*world_.world.nodes.at(node), query);
  };
  world_.world.answer_read = [](const std::string&, const http::ClientRequest&) {
    return http::Response{
        400, {}, R"({"message":"not filterable","code":"invalid_document_filter","type":"x"})"};
  };
  const Json task = world_.ended(remove("g = a"));
  EXPECT_EQ(status_of(task), "failed");
  EXPECT_EQ(error_of(task), "invalid_document_filter");
}

TEST_F(DeleteInSlicesTest, ItOutlivesACrash) {
  world_.ended(world_.post("movies", documents()));
  for (auto& [name, node] : world_.world.nodes) node->options().full = true;  // nothing is sent
  const auto accepted = remove("g = a");
  ASSERT_GE(entries_of(accepted).size(), 6u);
  world_.world.crash();
  world_.world.start();
  for (auto& [name, node] : world_.world.nodes) node->options().full = false;
  expect_deleted_in_slices(accepted);
}

}  // namespace
}  // namespace miroir
