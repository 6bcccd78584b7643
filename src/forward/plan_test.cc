#include "forward/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace miroir {
namespace {

struct PlanTest : testing::Test {
  Topology topology =
      *Topology::make({{"a0", "http://a0", 0}, {"a1", "http://a1", 0}, {"b0", "http://b0", 1}}, 16);
  FieldNames names;

  BodyRecord record(const std::string& id) {
    return {.slot = slot_of(id),
            .checksum = 5,
            .id = id,
            .document = R"({"id":")" + id + R"(","x":1.50})"};
  }
  Entry entry(EntryKind kind, const std::vector<std::string>& ids) {
    Entry made;
    made.position = 7;
    made.stamp = 1'000;
    made.kind = kind;
    made.index_uid = "books";
    made.primary_key = "id";
    made.body = 1;
    made.records = ids.size();
    made.shard_count = topology.shard_count();
    for (const std::string& id : ids) made.shards.push_back(topology.shard_of(slot_of(id)));
    std::ranges::sort(made.shards);
    return made;
  }
};

TEST_F(PlanTest, DocumentsGoToTheirOwnersOnly) {
  for (const char* id : {"1", "2", "abc", "x-9", "long_name"}) {
    const Entry write = entry(EntryKind::kWriteDocuments, {id});
    int owners = 0;
    for (const NodeConfig& node : topology.nodes()) {
      EXPECT_EQ(concerns(write, node.id, topology), topology.owns(node.id, slot_of(id)));
      EXPECT_EQ(is_for(write, record(id), node.id, topology), topology.owns(node.id, slot_of(id)));
      owners += concerns(write, node.id, topology) ? 1 : 0;
    }
    EXPECT_EQ(owners, 2);
  }
}

TEST_F(PlanTest, EntriesOfAnotherShardCountAreJudgedByTheirRecords) {
  Entry write = entry(EntryKind::kWriteDocuments, {"1"});
  write.shard_count = 4;
  EXPECT_TRUE(concerns(write, "a0", topology));
  EXPECT_TRUE(concerns(write, "a1", topology));
  EXPECT_NE(is_for(write, record("1"), "a0", topology), is_for(write, record("1"), "a1", topology));
}

TEST_F(PlanTest, IndexAndKeyEntriesGoToEveryNode) {
  for (EntryKind kind :
       {EntryKind::kCreateIndex, EntryKind::kUpdateSettings, EntryKind::kClearDocuments,
        EntryKind::kSwapIndexes, EntryKind::kPutKey, EntryKind::kDeleteByFilter}) {
    Entry made;
    made.kind = kind;
    EXPECT_TRUE(concerns(made, "a1", topology));
    EXPECT_TRUE(concerns(made, "b0", topology));
  }
}

TEST_F(PlanTest, BornFailedEmptyAndOthersRepairsGoNowhere) {
  Entry failed = entry(EntryKind::kWriteDocuments, {"1"});
  failed.born_failed = meili::api_error("invalid_document_id", "bad");
  EXPECT_FALSE(concerns(failed, "b0", topology));
  EXPECT_FALSE(concerns(entry(EntryKind::kDeleteDocuments, {}), "b0", topology));
  Entry repair = entry(EntryKind::kRepairDocuments, {"1"});
  repair.target = "a0";
  EXPECT_FALSE(concerns(repair, "b0", topology));
  EXPECT_TRUE(concerns(repair, "a0", topology));
  // A stray copy is repaired where it is, not where it belongs.
  EXPECT_TRUE(is_for(repair, record("1"), "a0", topology));
}

TEST_F(PlanTest, WholeWritesCarryTheStoredFieldsAndTheClientsBytes) {
  const Entry write = entry(EntryKind::kWriteDocuments, {"1"});
  PartBuilder part(write, names, 1 << 20);
  ASSERT_TRUE(part.add(record("1")));
  const auto taken = part.take();
  ASSERT_TRUE(taken);
  const auto& documents = std::get<WriteDocuments>(*taken);
  EXPECT_FALSE(documents.merge);
  EXPECT_NE(documents.ndjson.find(R"("x":1.50)"), std::string::npos);
  auto copy = parse_copy(documents.ndjson, "id", names);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(copy->id, "1");
  EXPECT_EQ(copy->stored.stamp, 1'000U);
  EXPECT_EQ(copy->stored.base, 1'000U);
  EXPECT_EQ(copy->stored.checksum, 5U);
  EXPECT_EQ(copy->stored.slot, slot_of("1"));
  EXPECT_EQ(copy->stored.digest, digest_of("1", 1'000));
}

TEST_F(PlanTest, MergesLeaveBaseAndChecksumAlone) {
  const Entry merge = entry(EntryKind::kMergeDocuments, {"1"});
  PartBuilder part(merge, names, 1 << 20);
  ASSERT_TRUE(part.add(record("1")));
  const auto documents = std::get<WriteDocuments>(*part.take());
  EXPECT_TRUE(documents.merge);
  auto copy = parse_copy(documents.ndjson, "id", names);
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->stored.stamp, 1'000U);
  EXPECT_FALSE(copy->stored.base);
  EXPECT_FALSE(copy->stored.checksum);
}

TEST_F(PlanTest, RepairsAreSentAsTheyAre) {
  const Entry repair = entry(EntryKind::kRepairDocuments, {"1"});
  PartBuilder part(repair, names, 1 << 20);
  ASSERT_TRUE(part.add(record("1")));
  EXPECT_EQ(std::get<WriteDocuments>(*part.take()).ndjson, record("1").document + "\n");

  const Entry deletes = entry(EntryKind::kRepairDeletes, {"1"});
  PartBuilder exact(deletes, names, 1 << 20);
  ASSERT_TRUE(exact.add(record("1")));
  const auto copies = std::get<DeleteExactCopies>(*exact.take()).copies;
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].id, "1");
  EXPECT_EQ(copies[0].slot, slot_of("1"));
  EXPECT_EQ(copies[0].stamp, 5U);

  PartBuilder foreign(deletes, names, 1 << 20);
  BodyRecord without_stamp = record("1");
  without_stamp.checksum = 0;
  ASSERT_TRUE(foreign.add(without_stamp));
  EXPECT_EQ(std::get<DeleteExactCopies>(*foreign.take()).copies[0].stamp, std::nullopt);
}

TEST_F(PlanTest, NothingIsSentWhereNoRecordIsTheNodes) {
  const Entry write = entry(EntryKind::kWriteDocuments, {"1"});
  EXPECT_FALSE(PartBuilder(write, names, 1 << 20).take());
}

TEST_F(PlanTest, PartBeyondTheNodesLimitIsRefused) {
  const Entry write = entry(EntryKind::kWriteDocuments, {"1"});
  PartBuilder part(write, names, 100);
  auto added = part.add(record("1"));
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code, ErrorCode::kTooLarge);
}

TEST_F(PlanTest, IndexOperationsKeepTheirArguments) {
  Entry create = entry(EntryKind::kCreateIndex, {});
  create.arguments = Json::object({{"primaryKey", "sku"}});
  EXPECT_EQ(std::get<CreateIndex>(*write_of(create, 0)).primary_key, "sku");
  create.arguments = Json::object({{"primaryKey", Json()}});
  EXPECT_EQ(std::get<CreateIndex>(*write_of(create, 0)).primary_key, std::nullopt);

  Entry swap;
  swap.kind = EntryKind::kSwapIndexes;
  swap.arguments =
      Json::array({Json::object({{"indexes", Json::array({"a", "b"})}, {"rename", true}})});
  const auto pairs = std::get<SwapIndexes>(*write_of(swap, 0)).pairs;
  ASSERT_EQ(pairs.size(), 1U);
  EXPECT_EQ(pairs[0].first, "a");
  EXPECT_EQ(pairs[0].second, "b");
  EXPECT_TRUE(pairs[0].rename);

  Entry settings;
  settings.kind = EntryKind::kUpdateSettings;
  settings.arguments =
      Json::object({{"settings", Json::object({{"stopWords", Json::array({"the"})}})}});
  EXPECT_EQ(to_text(std::get<UpdateSettings>(*write_of(settings, 0)).settings),
            R"({"stopWords":["the"]})");
}

TEST_F(PlanTest, TasksToForgetAreNamedByTheNodesOwnNumbers) {
  Entry entry;
  entry.kind = EntryKind::kForgetNodeTasks;
  entry.arguments = Json::object({{"first", -3}, {"before", 40}});
  const NodeWrite write = *write_of(entry, 10);
  EXPECT_EQ(std::get<ForgetTasks>(write).first, 7U);
  EXPECT_EQ(std::get<ForgetTasks>(write).before, 50U);
  EXPECT_FALSE(write_of(entry, 0)) << "the node was emptied: its numbers begin anew";
}

}  // namespace
}  // namespace miroir
