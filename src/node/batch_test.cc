#include "node/batch.h"

#include <gtest/gtest.h>

namespace miroir::node {
namespace {

// A task by a letter: i imports, d deletes ids, f by filter, c clears, x deletes the index, s
// settings, w swaps.
Task task(char letter, TaskUid uid, const std::string& index = "a") {
  Task made;
  made.uid = uid;
  made.index_uid = index;
  made.content = Json::object();
  switch (letter) {
    case 'i':
      made.kind = meili::TaskKind::kDocumentAdditionOrUpdate;
      break;
    case 'x':
      made.kind = meili::TaskKind::kIndexDeletion;
      break;
    case 's':
      made.kind = meili::TaskKind::kSettingsUpdate;
      break;
    case 'w':
      made.kind = meili::TaskKind::kIndexSwap;
      made.index_uid = std::nullopt;
      break;
    default:
      made.kind = meili::TaskKind::kDocumentDeletion;
      if (letter == 'd') made.content.set("ids", Json::array({"1"}));
      if (letter == 'f') made.content.set("filter", "a = 1");
  }
  return made;
}

// How many of the tasks are the first batch, and of which kind.
std::pair<std::size_t, Batch::Kind> first_batch(std::string_view letters) {
  std::vector<Task> later;
  for (std::size_t i = 1; i < letters.size(); ++i)
    later.push_back(task(letters[i], static_cast<TaskUid>(i)));
  const Batch batch = batch_of(task(letters[0], 0), std::move(later));
  return {batch.tasks.size(), batch.kind};
}

using Kind = Batch::Kind;

TEST(BatchTest, WritesOfOneIndexBatchTogether) {
  EXPECT_EQ(first_batch("iidi"), std::pair(4UL, Kind::kDocuments));
  EXPECT_EQ(first_batch("iisi"), std::pair(2UL, Kind::kDocuments));
  EXPECT_EQ(first_batch("iiwi"), std::pair(2UL, Kind::kDocuments));
}

TEST(BatchTest, FilterDeletesOnlyLead) {
  EXPECT_EQ(first_batch("fdfi"), std::pair(4UL, Kind::kDocuments));
  EXPECT_EQ(first_batch("if"), std::pair(1UL, Kind::kDocuments));
  EXPECT_EQ(first_batch("fif"), std::pair(2UL, Kind::kDocuments));
}

TEST(BatchTest, DeletionsSwallowWhatIsBefore) {
  EXPECT_EQ(first_batch("iic"), std::pair(3UL, Kind::kClear));
  EXPECT_EQ(first_batch("cdi"), std::pair(2UL, Kind::kClear));
  EXPECT_EQ(first_batch("iixi"), std::pair(3UL, Kind::kIndexDeletion));
}

TEST(BatchTest, OthersAreAlone) { EXPECT_EQ(first_batch("ss"), std::pair(1UL, Kind::kSingle)); }

TEST(BatchTest, OtherIndexesArePassedOver) {
  const Batch batch = batch_of(task('i', 0), {task('s', 1, "b"), task('i', 2)});
  EXPECT_EQ(batch.tasks.size(), 2U);
}

}  // namespace
}  // namespace miroir::node
