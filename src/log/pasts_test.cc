#include "log/pasts.h"

#include <boost/asio/co_spawn.hpp>

#include "log/log_process_test_fake.h"

namespace miroir {
namespace {

TEST(PastsTest, PastGoesFromIndexToIndexInTheLogsOrder) {
  Pasts pasts;
  pasts.add({.at = 20, .failed = 10, .index = 1, .other = 2});
  pasts.add({.at = 21, .failed = 12, .index = 2, .other = 3});
  pasts.add({.at = 22, .failed = 11, .index = 1, .other = 0});
  EXPECT_EQ(pasts.owner(1, 9), 3U);
  EXPECT_EQ(pasts.owner(2, 9), 1U);
  EXPECT_EQ(pasts.owner(3, 9), 2U);
  EXPECT_EQ(pasts.owner(1, 10), 1U) << "on what it was named since";
  EXPECT_EQ(pasts.owner(2, 11), 3U);
  EXPECT_EQ(pasts.owner(2, 12), 2U);
  EXPECT_EQ(pasts.owner(1, 9, 20), 2U);
  EXPECT_EQ(pasts.owner(4, 9), 4U);
  pasts.forget(pasts.forgettable(12));
  EXPECT_EQ(pasts.owner(2, 9), 1U);
  EXPECT_TRUE(pasts.has_taken_back(10, 1));
  EXPECT_FALSE(pasts.has_taken_back(11, 1));
  EXPECT_TRUE(pasts.has_taken_back(12, 3));
  EXPECT_FALSE(pasts.has_taken_back(12, 1));
}

TEST(PastsTest, WhatWasTakenBackAfterALaterOneIsOfTheIndexThatItNamed) {
  Pasts pasts;
  pasts.add({.at = 20, .failed = 12, .index = 1, .other = 2});
  pasts.add({.at = 21, .failed = 10, .index = 2, .other = 3});
  pasts.add({.at = 22, .failed = 14, .index = 2, .other = 4});
  EXPECT_TRUE(pasts.has_taken_back(10, 1));
  EXPECT_TRUE(pasts.has_taken_back(10, 3));
  EXPECT_FALSE(pasts.has_taken_back(10, 2));
  EXPECT_FALSE(pasts.has_taken_back(10, 4));
}

TEST(PastsTest, TheNewestExchangesAreKept) {
  Pasts pasts;
  for (Position i = 0; i < Pasts::kExchangesKept + 2; ++i)
    pasts.add({.at = 1000 + i, .failed = 10 + i, .index = 1, .other = 2});
  EXPECT_EQ(pasts.forgettable(11).size(), 1U);
  pasts.forget(pasts.forgettable(1000));
  EXPECT_EQ(pasts.all().size(), Pasts::kExchangesKept);
  EXPECT_FALSE(pasts.has_taken_back(11, 1));
  EXPECT_TRUE(pasts.has_taken_back(12, 1));
}

TEST(PastsTest, NothingThatWasTakenBackIsForgottenForOthersSake) {
  Pasts pasts;
  for (Position i = 0; i < 100; ++i)
    pasts.add({.at = 200 + i, .failed = 100 + i, .index = 1, .other = 2});
  for (Position i = 0; i < 100; ++i) EXPECT_TRUE(pasts.has_taken_back(100 + i, 2));
}

// An index `a` and a delete on it, before something that failed and gave its past to `b`.
class PastsOfLogTest : public LogProcessTest {
 protected:
  void SetUp() override {
    a_ = process_->create("a");
    b_ = process_->create("b");
    removal_ = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
    failed_ = process_->append_documents(EntryKind::kWriteDocuments, "a", {"z"});
  }
  void begin_to_take_back() {
    Entry back = plain_entry(EntryKind::kTakeBack, "a",
                             Json::object({{"entry", failed_}, {"exchange", "b"}}));
    back.incarnation = a_;
    boost::asio::co_spawn(process_->io(), log().take_back([back](const Catalogue&, Position) {
      return Result<std::vector<Entry>>(std::vector{back});
    }),
                          [](std::exception_ptr, Result<void> done) { EXPECT_TRUE(done); });
  }
  bool step() {
    process_->io().restart();
    return process_->io().poll_one() > 0;
  }
  void finish() {
    while (step()) {
    }
  }

  Position a_ = 0;
  Position b_ = 0;
  Position removal_ = 0;
  Position failed_ = 0;
};

TEST_F(PastsOfLogTest, SurviveARestart) {
  begin_to_take_back();
  finish();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(kept_under(log(), a_, removal_), b_);
    EXPECT_EQ(kept_under(log(), b_, removal_), a_);
    EXPECT_EQ(kept_under(log(), a_, failed_), a_);
    const std::string described = describe(log().catalogue());
    restart();
    EXPECT_EQ(describe(log().catalogue()), described);
  }
}

// Whatever has been done of it by then.
class WhileExchangedTest : public PastsOfLogTest, public testing::WithParamInterface<int> {
 protected:
  void take_back_in_part() {
    begin_to_take_back();
    for (int i = 0; i < GetParam(); ++i) step();
  }
};

TEST_P(WhileExchangedTest, FailureIsNotedOnTheRightIndex) {
  take_back_in_part();
  ASSERT_TRUE(process_->run(log().add_taints({{a_, "x", "n", {removal_}}}, removal_)));
  finish();
  EXPECT_TRUE(log().tainted(b_, "x", "n"));
  EXPECT_FALSE(log().tainted(a_, "x", "n"));
}

TEST_P(WhileExchangedTest, WhatFailedEverywhereLeavesNothing) {
  ASSERT_TRUE(process_->run(log().add_taints({{a_, "x", "n", {removal_}}}, removal_)));
  take_back_in_part();
  ASSERT_TRUE(process_->run(log().void_tombstones(a_, removal_, {"x"})));
  ASSERT_TRUE(process_->run(log().untaint(removal_, {"x"})));
  finish();
  for (const Position index : {a_, b_}) {
    EXPECT_FALSE(log().any_tainted(index));
    EXPECT_EQ(process_->run(log().tombstone(index, "x")).value(), std::nullopt);
  }
}

INSTANTIATE_TEST_SUITE_P(Moments, WhileExchangedTest, testing::Range(0, 40));

TEST_F(PastsOfLogTest, ExchangesOutlastTheOperationsThatTheLogForgets) {
  begin_to_take_back();
  finish();
  ASSERT_TRUE(process_->run(log().add_taints({{a_, "x", "n", {removal_}}}, removal_)));
  restart({.retention_age = Microseconds(1), .tasks_kept = 5, .operations_kept = 1});
  const auto forget = [&] {
    for (int i = 0; i < 10; ++i) {
      process_->create("c");
      Entry drop = plain_entry(EntryKind::kDropIndex, "c");
      drop.incarnation = log().catalogue().index("c")->incarnation;
      ASSERT_TRUE(process_->append({drop}));
    }
    process_->settle();
    clock_.advance(Seconds(1));
    const Position head = log().head();
    ASSERT_TRUE(process_->run(log().trim(head, head, head)));
    ASSERT_GT(log().operations_forgotten(), failed_);
  };
  forget();
  EXPECT_EQ(kept_under(log(), a_, removal_), b_) << "there is a taint of it";
  ASSERT_TRUE(process_->run(log().untaint(removal_, {"x"})));
  forget();
  EXPECT_EQ(kept_under(log(), a_, removal_), b_) << "lists from before it may be kept";
  restart();
  EXPECT_EQ(kept_under(log(), a_, removal_), b_);
}

}  // namespace
}  // namespace miroir
