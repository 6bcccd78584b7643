#include "log/entry.h"

#include <gtest/gtest.h>

#include "log/body_codec.h"

namespace miroir {
namespace {

TEST(EntryTest, DecodedIsWhatWasEncoded) {
  Entry entry;
  entry.position = 12;
  entry.stamp = 1'752'000'000'000'001;
  entry.origin = Origin::kAntiEntropy;
  entry.kind = EntryKind::kRepairDeletes;
  entry.index_uid = "books";
  entry.incarnation = 3;
  entry.primary_key = "id";
  entry.target = "b1";
  entry.arguments = Json::object({{"readAt", 11}});
  entry.body = 9;
  entry.body_pieces = 2;
  entry.body_bytes = 1'500'000;
  entry.body_stored = 400'000;
  entry.records = 4;
  entry.shards = {0, 5, 63};
  entry.shard_count = 64;
  entry.task = 13;
  entry.task_type = "documentDeletion";
  entry.task_details = Json::object({{"deletedDocuments", nullptr}});
  entry.custom_metadata = "who \"knows\"";
  entry.born_failed = meili::api_error("index_not_found", "Index `books` not found.");

  const auto decoded = decode_entry(encode(entry));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(encode(*decoded), encode(entry));
  EXPECT_EQ(decoded->target, "b1");
  EXPECT_EQ(decoded->shards, entry.shards);
  EXPECT_EQ(decoded->arguments, entry.arguments);
  EXPECT_EQ(decoded->task, 13);
  EXPECT_EQ(decoded->born_failed, entry.born_failed);
  EXPECT_EQ(decoded->custom_metadata, entry.custom_metadata);
}

TEST(EntryTest, AllKindsAndOriginsHaveTheirNames) {
  for (int kind = 0; kind <= static_cast<int>(EntryKind::kRepairDeletes); ++kind) {
    Entry entry;
    entry.kind = static_cast<EntryKind>(kind);
    EXPECT_EQ(decode_entry(encode(entry))->kind, entry.kind);
  }
  EXPECT_EQ(name(Origin::kTtlExpire), "ttl_expire");
  EXPECT_EQ(name(Origin::kAntiEntropy), "antientropy");
}

TEST(EntryTest, GarbageIsRefused) {
  EXPECT_FALSE(decode_entry("{"));
  EXPECT_FALSE(decode_entry(R"({"kind":"odd","origin":"client"})"));
}

TEST(BodyCodecTest, RecordsComeBackInOrder) {
  std::string piece;
  append_record(piece, {.slot = 65535, .checksum = 1ULL << 47, .id = "a", .document = "{}"});
  append_record(piece, {.slot = 0, .checksum = 0, .id = std::string(511, 'x'), .document = ""});
  std::vector<BodyRecord> records;
  ASSERT_TRUE(read_piece(close_piece(piece), [&](BodyRecord record) -> Result<void> {
    records.push_back(std::move(record));
    return {};
  }));
  ASSERT_EQ(records.size(), 2);
  EXPECT_EQ(records[0].slot, 65535);
  EXPECT_EQ(records[0].checksum, 1ULL << 47);
  EXPECT_EQ(records[0].id, "a");
  EXPECT_EQ(records[0].document, "{}");
  EXPECT_EQ(records[1].id, std::string(511, 'x'));
  EXPECT_EQ(records[1].document, "");
}

TEST(BodyCodecTest, DamageIsReported) {
  std::string piece;
  append_record(piece, {.slot = 1, .checksum = 2, .id = "a", .document = "{}"});
  const auto ignore = [](BodyRecord) -> Result<void> { return {}; };
  EXPECT_FALSE(read_piece("garbage", ignore));
  const auto cut = read_piece(close_piece(piece.substr(0, piece.size() - 1)), ignore);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace miroir
