#include "sim/sweep_witness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/simulated_clock_fake.h"
#include "log/entry.h"

namespace miroir::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr TtlPolicy kOthers{.sweep_interval = Seconds(300)};
constexpr TtlOverride kOne{.sweep_interval = std::nullopt, .deletes_max = 1};
constexpr TtlOverride kOften{.sweep_interval = Seconds(10), .deletes_max = std::nullopt};

class SweepWitnessTest : public ::testing::Test {
 protected:
  void say(TtlOverride change, bool taken = true) {
    witness_.answered(witness_.said("books", change), taken);
  }
  void sweep(std::uint64_t documents, bool by_a_pass = false) {
    Entry entry;
    entry.position = ++position_;
    entry.origin = Origin::kTtlExpire;
    entry.kind = EntryKind::kDeleteDocuments;
    entry.index_uid = "books";
    entry.records = documents;
    entry.arguments = Json::object();
    if (by_a_pass) entry.arguments.set("pass", 1);
    witness_.committed(Batch().put(Table::kEntry, std::to_string(position_), encode(entry)));
  }
  std::vector<std::string> check(TtlOverride found) {
    witness_.check("books", {.sweep_interval = found.sweep_interval.value_or(Seconds(300)),
                             .deletes_max = found.deletes_max.value_or(10'000)});
    return witness_.take_wrong();
  }

  SimulatedClock clock_;
  SweepWitness witness_{clock_, kOthers};
  Position position_ = 0;
};

TEST_F(SweepWitnessTest, WhatWasSaidLastHolds) {
  EXPECT_THAT(check({}), IsEmpty());
  say(kOne);
  say(kOften);
  EXPECT_THAT(check(kOften), IsEmpty());
  EXPECT_THAT(check(kOne), ElementsAre(HasSubstr("books is to be swept every 300 s, 1 documents")));
  say({});
  EXPECT_THAT(check({}), IsEmpty());
}

TEST_F(SweepWitnessTest, WhatWasNotTakenDoesNotHold) {
  say(kOne);
  say(kOften, false);
  EXPECT_THAT(check(kOften), ElementsAre(HasSubstr("nobody said so")));
}

TEST_F(SweepWitnessTest, WhatWasNotAnsweredMayHold) {
  say(kOne);
  witness_.said("books", kOften);
  witness_.miroir_died();
  EXPECT_THAT(check(kOften), IsEmpty());
  EXPECT_THAT(check(kOne), IsEmpty());
  EXPECT_THAT(check({}), ElementsAre(HasSubstr("nobody said so")));
}

TEST_F(SweepWitnessTest, OfTwoSaidAtOnceEitherIsTheLast) {
  const int one = witness_.said("books", kOne);
  const int often = witness_.said("books", kOften);
  witness_.answered(often, true);
  witness_.answered(one, true);
  EXPECT_THAT(check(kOften), IsEmpty());
  EXPECT_THAT(check(kOne), IsEmpty());
}

TEST_F(SweepWitnessTest, StoreThatWentBackKnowsWhatItsCopyKnew) {
  say(kOne);
  witness_.store_copied();
  say(kOften);
  witness_.store_went_back(true);
  EXPECT_THAT(check(kOne), IsEmpty());
  witness_.store_went_back(false);
  EXPECT_THAT(check({}), IsEmpty());
}

TEST_F(SweepWitnessTest, SweepsOfTooManyAreFound) {
  say(kOne);
  clock_.advance(Seconds(600));
  sweep(1);
  clock_.advance(Seconds(10));
  sweep(1);
  sweep(7, true);
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
  clock_.advance(Seconds(10));
  sweep(1);
  EXPECT_THAT(witness_.take_wrong(), ElementsAre(HasSubstr("3 documents of books")));
}

TEST_F(SweepWitnessTest, SweepOfEachIntervalIsRight) {
  say(kOne);
  clock_.advance(Seconds(600));
  for (int i = 0; i < 5; ++i) {
    sweep(1);
    clock_.advance(Seconds(300));
  }
  EXPECT_THAT(witness_.take_wrong(), IsEmpty());
}

TEST_F(SweepWitnessTest, ManyTakeSeveralSweeps) {
  EXPECT_EQ(witness_.time_to_sweep("books", 100), Seconds(300));
  say(kOne);
  EXPECT_GT(witness_.time_to_sweep("books", 3), Seconds(900));
}

}  // namespace
}  // namespace miroir::sim
