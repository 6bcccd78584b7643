#include "log/tombstones.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>

#include "log/log_process_test_fake.h"

namespace miroir {
namespace {

constexpr EntryStamp kExact = 7;  // as the fake's records say

class SweptTest : public LogProcessTest {
 protected:
  SweptTest() {
    incarnation_ = process_->create("a");
    process_->append_documents(EntryKind::kWriteDocuments, "a", {"x"});
  }
  Entry sweep() {
    Entry entry = process_->documents(EntryKind::kDeleteDocuments, "a", {"x"});
    entry.origin = Origin::kTtlExpire;
    entry.task_type.clear();
    return process_->append({entry}).value().front();
  }
  Tombstone tombstone() {
    return *process_->run(process_->log().tombstone(incarnation_, "x")).value();
  }

  Position incarnation_ = 0;
};

TEST_F(SweptTest, ASweepIsRememberedByTheStampOfWhatExpired) {
  const Entry swept = sweep();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(tombstone().stamp, kExact);
    EXPECT_TRUE(tombstone().of_expiry);
    EXPECT_EQ(tombstone().slot, 1);
    EXPECT_EQ(tombstone().position, swept.position);
    restart();
  }
}

TEST_F(SweptTest, NoNumberOfSweepsHidesADeleteBeforeThem) {
  const Position deleted = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
  for (int i = 0; i < 20; ++i) sweep();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(tombstone().position, deleted);
    EXPECT_FALSE(tombstone().of_expiry);
    restart();
  }
  ASSERT_TRUE(process_->run(process_->log().collect_tombstones(incarnation_, deleted)));
  EXPECT_EQ(tombstone().stamp, kExact);
}

TEST_F(SweptTest, TheOnesBelowAreFoundToo) {
  const Position deleted = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
  const EntryStamp stamp = tombstone().stamp;
  sweep();
  const auto below = [&](EntryStamp limit) {
    return process_->run(process_->log().tombstone(incarnation_, "x", limit)).value();
  };
  EXPECT_EQ(below(stamp + 1)->position, deleted);
  EXPECT_EQ(below(stamp)->stamp, kExact);
  EXPECT_FALSE(below(kExact));
}

TEST_F(SweptTest, WhatWasCollectedLeavesItsHorizon) {
  const auto horizon = [&] { return process_->log().horizon(incarnation_); };
  EXPECT_EQ(horizon(), 0U);
  const Position deleted = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
  const Entry swept = sweep();
  const EntryStamp stamp = process_->run(process_->log().entry(deleted)).value()->stamp;
  ASSERT_TRUE(process_->run(process_->log().collect_tombstones(incarnation_, deleted - 1)));
  EXPECT_EQ(horizon(), 0U) << "nothing went";
  ASSERT_TRUE(process_->run(process_->log().collect_tombstones(incarnation_, deleted)));
  EXPECT_EQ(horizon(), stamp);
  // The one of an expiry is older: what it killed was.
  ASSERT_TRUE(process_->run(process_->log().collect_tombstones(incarnation_, swept.position)));
  EXPECT_EQ(horizon(), stamp);
  restart();
  EXPECT_EQ(horizon(), stamp);
  EXPECT_EQ(process_->run(process_->log().tombstone(incarnation_, "x")).value(), std::nullopt);

  Entry drop;
  drop.kind = EntryKind::kDropIndex;
  drop.index_uid = "a";
  drop.incarnation = incarnation_;
  ASSERT_TRUE(process_->append({drop}));
  EXPECT_EQ(horizon(), stamp) << "it may yet fail";
  process_->settle();
  EXPECT_EQ(horizon(), 0U) << "its documents are another index's";
  restart();
  EXPECT_EQ(horizon(), 0U);
}

TEST_F(SweptTest, ASweepThatFailedEverywhereIsForgotten) {
  const Entry swept = sweep();
  ASSERT_TRUE(process_->run(process_->log().void_tombstones(incarnation_, swept.position, {"x"})));
  EXPECT_EQ(process_->run(process_->log().tombstone(incarnation_, "x")).value(), std::nullopt);
}

TEST_F(SweptTest, TheDeleteOfAnIdWithAZeroByteIsNotThatOfAnother) {
  using namespace std::string_literals;
  const Entry swept = sweep();
  process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x\0y"s});
  EXPECT_EQ(tombstone().position, swept.position);
}

TEST_F(SweptTest, ARepairOfWhatWasSweptIsOvertaken) {
  const Position before = process_->log().head();
  sweep();
  EXPECT_TRUE(
      process_->run(process_->log().later_writes(incarnation_, "x", before)).value().overtaken);
}

// The one writes what it read of the other.
TEST(ExchangedPastsTest, AHorizonThatRisesMeanwhileStays) {
  for (int steps = 0; steps < 40; ++steps) {
    MemoryStore store;
    SimulatedClock clock;
    auto process = std::make_unique<LogProcess>(store, clock);
    const Position a = process->create("a");
    process->create("b");
    const auto remove = [&] {
      return process->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
    };
    ASSERT_TRUE(process->run(process->log().collect_tombstones(a, remove())));
    const Position failed = process->append_documents(EntryKind::kWriteDocuments, "a", {"x"});
    const Position removal = remove();
    const EntryStamp stamp = process->run(process->log().entry(removal)).value()->stamp;

    Entry back = plain_entry(EntryKind::kTakeBack, "a",
                             Json::object({{"entry", failed}, {"exchange", "b"}}));
    back.incarnation = a;
    bool taken_back = false;
    boost::asio::co_spawn(
        process->io(), process->log().take_back([back](const Catalogue&, Position) {
          return Result<std::vector<Entry>>(std::vector{back});
        }),
        [&](std::exception_ptr, Result<void> done) { taken_back = done.has_value(); });
    const auto step = [&] {
      process->io().restart();
      return process->io().poll_one();
    };
    for (int i = 0; i < steps; ++i) step();
    ASSERT_TRUE(process->run(process->log().collect_tombstones(a, removal)));
    while (step() > 0) {
    }
    EXPECT_TRUE(taken_back);
    process.reset();
    process = std::make_unique<LogProcess>(store, clock);
    EXPECT_EQ(process->log().horizon(a), stamp) << steps;
  }
}

}  // namespace
}  // namespace miroir
