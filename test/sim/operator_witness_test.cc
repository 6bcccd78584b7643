#include "sim/operator_witness.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/simulated_clock_fake.h"
#include "log/rows.h"

namespace miroir::sim {
namespace {

// Two replicas of four shards, one of which is read at a time, in two minutes of five.
class OperatorWitnessTest : public ::testing::Test {
 protected:
  OperatorWitnessTest() {
    for (const NodeConfig& node : topology_.nodes()) journals_[node.id];
    clock_.advance(Seconds(10));
    write(Table::kIndex, R"({"incarnation":1,"primaryKey":"id"})", "books");
    write(Table::kIndex, R"({"incarnation":2,"primaryKey":"id"})", "films");
  }

  void begin(const std::string& kind = "deep", bool repairs = true, int minute = 0) {
    write(Table::kPass, fmt::format(R"({{"pass":{},"kind":"{}","repair":{},"state":"running",)"
                                    R"("startedMicroseconds":{}}})",
                                    ++pass_, kind, repairs, minute * 60'000'000LL + 1));
    clock_.advance(Seconds(1));
  }
  void end(const std::string& state = "completed", int resumes = 0, bool whole = false,
           int repaired = 0) {
    write(Table::kPass,
          fmt::format(R"({{"pass":{},"kind":"deep","state":"{}","resumes":{},"whole":{},)"
                      R"("repaired":{},"nodes":{{"a":"in_sync","b":"in_sync"}}}})",
                      pass_, state, resumes == 0 ? "null" : std::to_string(resumes), whole,
                      repaired));
    clock_.advance(Seconds(1));
  }
  void read(ShardId shard, const std::string& index = "books") {
    journals_["a"].scans.push_back({clock_.now(), index, {topology_.slots_of(shard)}});
  }
  void note_read(int pass, const std::string& done) {
    write(Table::kMeta, fmt::format(R"({{"pass":{},"done":{}}})", pass, done), "deep sweep");
  }
  void forget_read() { witness_.committed(Batch().erase(Table::kMeta, "deep sweep")); }
  void read_to_the_end_and_fail() {
    begin();
    read(0);
    read(0, "films");
    forget_read();
    end("failed");
  }
  // Shards are read one a pass, until the next pass must end the round.
  void take_turns_until_the_last() {
    begin();
    end();
    note_read(1, "[[1,0,0]]");
    for (int i = 0; i < 3; ++i) {
      begin();
      end("completed", 1);
    }
  }
  void pause() { witness_.paused(witness_.pausing()); }
  void write(Table table, std::string row, std::string key = "key") {
    witness_.committed(Batch().put(table, std::move(key), std::move(row)));
  }
  void append(Entry entry) {
    entry.position = 7;
    write(Table::kEntry, encode(entry), key_of(7));
  }
  std::size_t wrong() { return witness_.take_wrong().size(); }

  Topology topology_ = *Topology::make({{"a", "http://a", 0}, {"b", "http://b", 1}}, 4);
  SimulatedClock clock_;
  Journals journals_;
  OperatorWitness witness_{topology_, journals_, clock_, {true, 1, 2, 5}};
  std::uint64_t pass_ = 0;
};

TEST_F(OperatorWitnessTest, ScheduledDeepPassBeginsInAWindow) {
  begin("deep", true, 0);
  begin("deep", true, 6);
  begin("light", true, 2);
  EXPECT_EQ(wrong(), 0U);
  begin("deep", true, 2);
  begin("deep", true, 9);
  EXPECT_EQ(wrong(), 2U);
  witness_.ordered(6, true);
  begin("deep", true, 2);
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(OperatorWitnessTest, PassRepairsIfThatWasSaid) {
  begin("light", false);
  EXPECT_EQ(wrong(), 1U) << "a scheduled one";
  witness_.ordered(2, false);
  begin("light", true);
  EXPECT_EQ(wrong(), 1U) << "a dry run";
  witness_.ordered(3, false);
  begin("light", false);
  EXPECT_EQ(wrong(), 0U);
  witness_.ordered(4, false);
  witness_.miroir_died();  // and with it what it was to do
  begin();
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(OperatorWitnessTest, DryRunLeavesAllAsItIs) {
  Entry heal;
  heal.origin = Origin::kAntiEntropy;
  heal.kind = EntryKind::kUpdateSettings;
  Entry expiry;
  expiry.origin = Origin::kTtlExpire;
  expiry.kind = EntryKind::kDeleteDocuments;
  expiry.arguments = Json::object({{"pass", 1}});
  witness_.ordered(1, false);
  begin("deep", false);
  append(heal);
  EXPECT_EQ(wrong(), 1U);
  append(expiry);
  EXPECT_EQ(wrong(), 1U);
  expiry.arguments = Json::object({});  // a sweep's
  append(expiry);
  EXPECT_EQ(wrong(), 0U);
  write(Table::kRepair, R"({"pass":1,"repaired":false})");
  EXPECT_EQ(wrong(), 0U);
  write(Table::kRepair, R"({"pass":1,"repaired":true})");
  EXPECT_EQ(wrong(), 1U);
  end("completed", 0, true, 1);
  EXPECT_EQ(wrong(), 1U);
  begin();
  append(heal);
  end("completed", 0, true, 1);
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(OperatorWitnessTest, NoPassBeginsUntilResumed) {
  pause();
  clock_.advance(Seconds(3));
  begin("light");
  EXPECT_EQ(wrong(), 1U);
  witness_.miroir_died();
  begin("light");
  EXPECT_EQ(wrong(), 1U) << "over restarts";
  witness_.ordered(3, true);
  begin("light");
  EXPECT_EQ(wrong(), 0U) << "a person's";
  const int late = witness_.pausing();
  witness_.resuming();
  witness_.paused(late);
  begin("light");
  EXPECT_EQ(wrong(), 0U);
  pause();
  witness_.store_went_back();
  clock_.advance(Seconds(3));
  begin("light");
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(OperatorWitnessTest, PauseCutsOff) {
  begin();
  pause();
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 0U) << "it was about to end";
  witness_.resuming();
  begin();
  pause();
  clock_.advance(Seconds(5));
  end("cut_off");
  EXPECT_EQ(wrong(), 0U);
  witness_.resuming();
  begin();
  pause();
  clock_.advance(Seconds(25));
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(OperatorWitnessTest, OneShardIsReadAtATime) {
  begin();
  read(1);
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 0U);
  begin();
  read(1);
  read(2);
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 1U);
  write(Table::kTaint, "", "an index in doubt");
  begin();
  read(1);
  read(2);
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(OperatorWitnessTest, TurnOfEveryShardComes) {
  take_turns_until_the_last();
  EXPECT_EQ(wrong(), 0U);
  begin();
  end("completed", 1);
  EXPECT_EQ(wrong(), 1U);
  write(Table::kIndex, R"({"incarnation":3,"primaryKey":"id"})", "books");
  begin();
  end("completed", 1);
  EXPECT_EQ(wrong(), 0U) << "another index";
}

TEST_F(OperatorWitnessTest, WhatWasCutOffIsResumed) {
  begin();
  note_read(1, "[[1,0,0,1]]");
  end("cut_off");
  begin();
  end("completed", 1, true);
  EXPECT_EQ(wrong(), 0U);
  begin();
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(OperatorWitnessTest, WhatReadAnIndexIsResumedWhateverItWroteDown) {
  begin();
  read(0);
  witness_.miroir_died();
  begin();
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 0U);
  begin();
  read(0);
  read(0, "films");
  witness_.miroir_died();
  begin();
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(OperatorWitnessTest, WhatWasReadToItsEndUnnoticedIsNotResumed) {
  // The first one's end and the second one's beginning could not be written.
  read_to_the_end_and_fail();
  ++pass_;
  end("completed", 1, true);
  begin();
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 0U);
  read_to_the_end_and_fail();
  begin();
  end("completed", 0, true);
  EXPECT_EQ(wrong(), 1U) << "nobody read it to its end";
}

TEST_F(OperatorWitnessTest, TurnsAreCountedAnewWhereAllWasReadUnnoticed) {
  take_turns_until_the_last();
  forget_read();
  begin();
  end();
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(OperatorWitnessTest, WhatHasAnothersPastIsReadAgain) {
  begin();
  note_read(1, "[[1,0,0],[2,0,0]]");
  end("cut_off");
  const TakenBack exchange{.at = 9, .failed = 8, .index = 1, .other = 3};
  write(Table::kMeta, encode(exchange), taken_back_row(exchange));
  begin();
  read(0);
  note_read(1, "[[1,0,0],[1,9,0],[2,0,0]]");
  end("completed", 1);
  EXPECT_EQ(wrong(), 0U);
  begin();
  read(0);
  end("completed", 1, true);
  EXPECT_EQ(wrong(), 1U);
  begin();
  read(0, "films");
  end("completed", 1, true);
  EXPECT_EQ(wrong(), 1U) << "which kept its own";
}

TEST_F(OperatorWitnessTest, WhatIsReadIsNotReadAgain) {
  begin();
  note_read(1, "[[1,0,0]]");
  end("cut_off");
  begin();
  read(1);
  end("completed", 1, true);
  EXPECT_EQ(wrong(), 0U);
  begin();
  read(0);
  end("completed", 1, true);
  EXPECT_EQ(wrong(), 1U);
}

}  // namespace
}  // namespace miroir::sim
