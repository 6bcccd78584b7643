#include <gtest/gtest.h>

#include "base/random.h"
#include "log/log.h"
#include "log/log_process_test_fake.h"

namespace miroir {
namespace {

class TrimmingTest : public LogProcessTest {
 protected:
  // All tasks have ended.
  void trim(Position everywhere, Position here) {
    ASSERT_TRUE(process_->run(log().trim(everywhere, here, log().head())));
  }
  // Nothing of it compresses.
  Position write_noise(int seed, int characters) {
    std::string noise;
    Random random(static_cast<std::uint64_t>(seed));
    for (int n = 0; n < characters; ++n) noise += static_cast<char>('a' + random.below(26));
    return process_->append_documents(EntryKind::kWriteDocuments, "a", {noise});
  }
};

TEST_F(TrimmingTest, AppliedBodiesGoByAgeAndOthersStay) {
  restart({.retention_age = std::chrono::hours(1)});
  process_->create("a");
  const Position old = process_->append_documents(EntryKind::kWriteDocuments, "a", {"1"});
  const Position waiting = process_->append_documents(EntryKind::kWriteDocuments, "a", {"2"});
  clock_.advance(std::chrono::hours(2));
  const Position young = process_->append_documents(EntryKind::kWriteDocuments, "a", {"3"});
  const std::uint64_t before = log().bytes();
  trim(old, old);
  EXPECT_EQ(rows(Table::kBody), 2);
  EXPECT_LT(log().bytes(), before);
  EXPECT_NE(ids_of(old)[0].find("trimmed"), std::string::npos);
  EXPECT_EQ(ids_of(waiting), std::vector<std::string>{"2"});
  trim(young, young);
  EXPECT_EQ(rows(Table::kBody), 1);
  const std::uint64_t left = log().bytes();
  restart();
  EXPECT_EQ(log().bytes(), left);
  EXPECT_EQ(ids_of(young), std::vector<std::string>{"3"});
  EXPECT_TRUE(process_->run(log().later_writes(1, "unknown", old - 1)).value().overtaken);
}

TEST_F(TrimmingTest, WhatWasAppliedAndIsNoMoreIsKept) {
  restart({.retention_age = std::chrono::hours(1)});
  process_->create("a");
  const Position lost = process_->append_documents(EntryKind::kWriteDocuments, "a", {"1"});
  trim(lost, lost);
  clock_.advance(std::chrono::hours(2));
  trim(0, lost - 1);
  EXPECT_EQ(ids_of(lost), std::vector<std::string>{"1"});
}

TEST_F(TrimmingTest, FullLogRefusesUntilSomethingCanBeTrimmed) {
  restart({.retention_bytes = 3'000});
  process_->create("a");
  const auto write = [&](int i) { return write_noise(i, 1'000); };
  for (int i = 0; log().bytes() < 3'000; ++i) write(i);
  const Position full = log().head();
  const auto refused = process_->append({plain_entry(EntryKind::kClearDocuments, "a")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(refused.error().message.find("log.retention.bytes"), std::string::npos);
  EXPECT_EQ(log().head(), full);
  // …but for what nodes wait for, or it would be full for ever.
  const auto one_record = [done = false]() mutable -> Result<std::optional<BodyRecord>> {
    if (std::exchange(done, true)) return std::nullopt;
    return BodyRecord{.slot = 1, .checksum = 0, .id = "x", .document = {}};
  };
  EXPECT_FALSE(process_->run(log().write_body(one_record)));
  EXPECT_TRUE(process_->run(log().write_body(one_record, WhenFull::kTake)));
  const auto settings = [](const Catalogue&, Position) -> Result<std::vector<Entry>> {
    return std::vector{plain_entry(EntryKind::kUpdateSettings, "a")};
  };
  EXPECT_FALSE(process_->run(log().append(settings)));
  EXPECT_TRUE(process_->run(log().append(settings, WhenFull::kTake)));
  trim(full, full);
  EXPECT_LT(log().bytes(), 3'000);
  EXPECT_GT(log().bytes(), 0);
  EXPECT_TRUE(process_->append({plain_entry(EntryKind::kClearDocuments, "a")}));
}

TEST_F(TrimmingTest, WhatANodeThatIsAwayLacksGoesByAgeAndLastBySize) {
  using std::chrono::hours;
  restart({.retention_age = hours(1), .retention_bytes = 20'000});
  process_->create("a");
  const auto write = [&](int i) { return write_noise(i, 400); };
  int i = 0;
  const Position applied = write(i++);
  while (log().bytes() < 18'500) write(i++);
  clock_.advance(std::chrono::seconds(1));
  trim(applied, log().head());
  EXPECT_GT(log().bytes(), 18'000) << "only what every node has goes so early";
  EXPECT_NE(ids_of(applied)[0].find("trimmed"), std::string::npos);
  while (log().bytes() < 20'000) write(i++);
  EXPECT_TRUE(process_->append({plain_entry(EntryKind::kClearDocuments, "a")}))
      << "nobody makes the log refuse who is only away";
  EXPECT_LE(log().bytes(), 19'000);
  clock_.advance(hours(2));
  trim(applied, applied);
  EXPECT_GT(log().bytes(), 0);
  trim(applied, log().head());
  EXPECT_EQ(log().bytes(), 0);
}

TEST_F(TrimmingTest, BodiesThatTheChangeStreamMayWantAreKeptLongerButMakeNobodyWait) {
  const auto hours = [](int count) { return Microseconds(std::chrono::hours(count)); };
  restart({.retention_age = hours(1), .retention_bytes = 20'000, .stream_age = hours(24)});
  process_->create("a");
  const auto write = [&](int i) { return write_noise(i, 400); };
  int i = 0;
  while (log().bytes() <= 18'000) write(i++);
  const std::uint64_t nearly_full = log().bytes();
  ASSERT_LE(nearly_full, 19'000);
  clock_.advance(hours(2));
  trim(log().head(), log().head());
  EXPECT_EQ(log().bytes(), nearly_full);
  while (log().bytes() < 20'000) write(i++);
  EXPECT_TRUE(process_->append({plain_entry(EntryKind::kClearDocuments, "a")}));
  EXPECT_LE(log().bytes(), 19'000);
  EXPECT_GT(log().bytes(), 18'000);
  clock_.advance(hours(25));
  trim(log().head(), log().head());
  EXPECT_EQ(log().bytes(), 0);
}

TEST_F(TrimmingTest, EntriesBeyondTheTasksKeptAreForgottenUnlessReferredTo) {
  const LogOptions options{.retention_age = Microseconds(1), .tasks_kept = 5};
  restart(options);
  const Position a = process_->create("a");
  for (int i = 0; i < 20; ++i) process_->append_documents(EntryKind::kWriteDocuments, "a", {"x"});
  ASSERT_TRUE(process_->run(log().add_taints({{a, "x", "b1", {7}}}, 7)));
  TaskEnd ended;
  ended.status = "succeeded";
  ASSERT_TRUE(process_->run(log().end_task(8, ended)));
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(process_->run(log().trim(log().head(), log().head(), 10)));
  restart(options);
  EXPECT_FALSE(process_->run(log().entry(10)));
  EXPECT_TRUE(process_->run(log().entry(11))) << "its task has not ended";
  trim(log().head(), log().head());
  restart();
  EXPECT_EQ(log().head(), 21);
  EXPECT_TRUE(process_->run(log().entry(a)));
  EXPECT_TRUE(process_->run(log().entry(7)));
  EXPECT_TRUE(process_->run(log().entry(17)));
  EXPECT_EQ(process_->run(log().entry(8)).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(process_->run(log().task_end(8)).value(), std::nullopt);
  EXPECT_EQ(process_->run(log().entries(2, 3)).value().front()->position, 7);
  EXPECT_TRUE(process_->run(log().later_writes(a, "y", 3)).value().overtaken);
}

TEST_F(TrimmingTest, OfIndexOperationsTheNewestAreKeptBeyondAllElse) {
  const LogOptions options{.retention_age = Microseconds(1), .tasks_kept = 5, .operations_kept = 4};
  restart(options);
  const Position a = process_->create("a");
  std::vector<Position> drops;
  for (int i = 0; i < 5; ++i) {
    process_->create("b");
    drops.push_back(process_->append({plain_entry(EntryKind::kDropIndex, "b")})->front().position);
    process_->append_documents(EntryKind::kWriteDocuments, "a", {"x"});
  }
  for (int i = 0; i < 6; ++i) process_->append_documents(EntryKind::kWriteDocuments, "a", {"x"});
  process_->settle();
  clock_.advance(std::chrono::seconds(1));
  trim(log().head(), log().head());
  restart(options);
  const Position first_kept = drops[3] - 1;  // the two newest pairs
  ASSERT_GT(log().forgotten(), drops[4]);
  EXPECT_EQ(log().operations_forgotten(), drops[2]);
  EXPECT_TRUE(process_->run(log().entry(a))) << "it is referred to";
  std::vector<Position> kept;
  for (const auto& entry : process_->run(log().entries(a + 1, 4)).value())
    kept.push_back(entry->position);
  EXPECT_EQ(kept, (std::vector<Position>{first_kept, drops[3], drops[4] - 1, drops[4]}));
  trim(log().head(), log().head());
  EXPECT_EQ(log().operations_forgotten(), drops[2]);
}

}  // namespace
}  // namespace miroir
