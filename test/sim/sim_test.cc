#include <gtest/gtest.h>

#include "base/logging.h"
#include "sim/checks.h"
#include "sim/simulation.h"

namespace miroir::sim {
namespace {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr std::uint64_t kSeeds = 300;  // the same code, many times slower
#else
constexpr std::uint64_t kSeeds = 3'000;
#endif
constexpr std::uint64_t kBlocks = 6;  // which ctest runs side by side

class SimulationTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { configure_logging(LogLevel::kError, LogFormat::kText); }
};

std::string sentences(const Outcome& outcome) {
  std::string all;
  for (const std::string& wrong : outcome.wrong) all += "\n  " + wrong;
  return all;
}

// As it was drawn when it failed.
void expect_holds(std::uint64_t seed, const FaultSet& faults, bool audits_are_kept) {
  Plan plan = draw_plan(seed, faults);
  plan.hurried = false;
  plan.loses_again = false;
  plan.copy_is_old = false;
  if (audits_are_kept) {
    plan.audit_retention = Plan().audit_retention;
    plan.emit_ttl_deletes = plan.emit_internal_writes = false;
  }
  const Outcome outcome = simulate(plan);
  EXPECT_TRUE(outcome.wrong.empty()) << "seed " << seed << sentences(outcome);
}

TEST_F(SimulationTest, SameSeedTellsTheSameStory) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Plan plan = draw_plan(seed, default_faults());
    EXPECT_EQ(simulate(plan).hash, simulate(plan).hash) << "seed " << seed;
  }
}

TEST_F(SimulationTest, OtherSeedsTellOtherStories) {
  EXPECT_NE(simulate(draw_plan(1, default_faults())).hash,
            simulate(draw_plan(2, default_faults())).hash);
}

// Beyond those that SeedsTest runs: a swap on a disk that was put back was taken for somebody
// else's, and done twice; an index that one node alone still held was taken without its settings;
// what failed on one owner and was skipped by the other was taken for what had happened. A delete
// that failed everywhere buried documents after all, where its body was trimmed; what all in sync
// held alike was no source for the others; a node counted as compared while nobody was there to
// compare it with; a change was told that had failed before a group was added; an emptied disk said
// that nothing matches a filter; a task succeeded whose failures the log had forgotten; an expired
// document was deleted on some of its owners; a request arrived late from before the log went back;
// one replica that had lost a document outvoted two; an index stayed in doubt for a trimmed body;
// an index was swept that had had another name while it was read; a node that had carried out a
// delete by filter was asked what matched; a node was empty whose first tasks had not ended; a
// rename that failed left out documents; a stranger's document lay in an index without a primary
// key; an outcome was looked up under another number; what a rename left behind was forgotten with
// the drop of its new name; settings were taken back though a node that was away had still to tell.
// A swap that no node made left each index the other's deletes; one that failed on its last holder
// was taken back though it had been told; a rename that failed took what had been dropped since; of
// an index in doubt everywhere what the other had deleted was deleted; a cancelled task was void on
// some nodes only, or was sent to one that joined later, or never ended; a delete by filter that
// the log had forgotten was waited for; a PUT that a sweep had passed over lost its fields; nodes
// of one shard all had a queue that a lost log had cleared; a node that held tasks and no index did
// not tell of them; a node that had lost a document outvoted the only one that held it; a disk from
// when an index was in doubt was taken at its word.
TEST_F(SimulationTest, SeedsThatOnceFailedHold) {
  FaultSet faults = default_faults();
  for (const FaultKind drawn_since :
       {FaultKind::kPolicy, FaultKind::kStranger, FaultKind::kStrangeIndex, FaultKind::kOperator,
        FaultKind::kNodeClock, FaultKind::kNodeSlow, FaultKind::kEverybody,
        FaultKind::kMergedCorrupt, FaultKind::kTagCorrupt, FaultKind::kChore})
    faults.erase(drawn_since);
  std::erase_if(faults, is_drift);
  for (const std::uint64_t seed :
       {3259U,   3344U,   3616U,    4281U,   4675U,   5109U,   5487U,   7756U,   7979U,   8145U,
        8666U,   8759U,   9521U,    9662U,   9863U,   10126U,  10180U,  10607U,  10955U,  11252U,
        11588U,  12893U,  13110U,   13520U,  14929U,  15998U,  17454U,  17639U,  18381U,  19148U,
        20363U,  20791U,  22471U,   25979U,  30360U,  31409U,  47099U,  69816U,  95359U,  107098U,
        111465U, 121415U, 124628U,  124695U, 131396U, 135143U, 141122U, 144684U, 176532U, 198735U,
        209045U, 211751U, 221008U,  240452U, 243237U, 334178U, 337178U, 338843U, 341251U, 347008U,
        510144U, 600343U, 600466U,  600591U, 601164U, 601820U, 612975U, 615398U, 666991U, 706817U,
        708407U, 717998U, 2003345U, 612931U, 4002144U}) {
    expect_holds(seed, faults, true);
  }
  // A log that keeps little forgot a delete whose task had not ended; a delete by filter that had
  // failed succeeded once the log went back; an index that had not been dropped went with a name
  // that a rename did not give; what a drop had left in vain went to the index that a swap, made in
  // vain as well, had named like it.
  FaultSet all_then = default_faults();
  for (const FaultKind drawn_since :
       {FaultKind::kOperator, FaultKind::kNodeClock, FaultKind::kNodeSlow, FaultKind::kEverybody,
        FaultKind::kMergedCorrupt, FaultKind::kTagCorrupt, FaultKind::kChore})
    all_then.erase(drawn_since);
  std::erase_if(all_then, is_drift);
  for (const std::uint64_t seed : {6002869U, 6017713U, 8160636U, 54596U, 711253U}) {
    expect_holds(seed, all_then, true);
  }
  // A sweep was not told, for what it deleted had been written after it looked; nobody could see
  // what waited for a decision, for its row was forgotten; so was a pass as soon as it ended.
  FaultSet but_drift = default_faults();
  but_drift.erase(FaultKind::kChore);
  std::erase_if(but_drift, is_drift);
  for (const std::uint64_t seed : {1544U, 3089U, 3136U}) {
    expect_holds(seed, but_drift, false);
  }
  // A check of a node's history lasted while it was sent more, and old tasks of it were deleted;
  // the settings that came after a rename were taken for its own; a drop under a name that a rename
  // did not give was forgotten; nobody looked at what a tie had been broken to; a
  // request that came late beside a node's own snapshot left nobody in sync, and nobody decided.
  for (const std::uint64_t seed : {57690U, 62060U, 158103U, 109533U, 209111U})
    expect_holds(seed, default_faults(), false);
}

// As they are drawn now. Most were of a store that went back, of operations on indexes that failed,
// and of deletes by filter while nodes were away.
TEST_F(SimulationTest, SeedsThatFailedLaterHold) {
  for (const std::uint64_t seed :
       {3293U,    3323U,    6907U,    8744U,    9352U,    10628U,   11560U,    12877U,   15076U,
        18922U,   20435U,   26468U,   50512U,   94063U,   95304U,   100419U,   340002U,  400384U,
        400660U,  404756U,  451110U,  501563U,  600643U,  602405U,  614262U,   614689U,  771096U,
        908605U,  1116774U, 2002992U, 2007835U, 4000960U, 7300483U, 31001646U, 11019U,   66394U,
        14825U,   306948U,  613105U,  715399U,  715970U,  720568U,  801672U,   711793U,  717714U,
        1004166U, 1005757U, 98561U,   99321U,   2002364U, 2003125U, 2001023U,  2025964U, 2045520U,
        2011842U, 2025686U, 2039874U, 2034751U, 2060275U, 2062561U, 2069232U,  2084332U, 2072986U,
        2123534U, 2141117U, 2159452U, 5400754U, 2174141U, 2187642U}) {
    const Outcome outcome = simulate(draw_plan(seed, default_faults()));
    EXPECT_TRUE(outcome.wrong.empty()) << "seed " << seed << sentences(outcome);
  }
}

// A disk from before a swap took a later entry before anybody looked.
TEST_F(SimulationTest, SeedOfDisksAloneHolds) {
  const FaultSet disks = {FaultKind::kStoreSnapshot, FaultKind::kStoreBack, FaultKind::kSnapshot,
                          FaultKind::kRestore, FaultKind::kWipe};
  const Outcome outcome = simulate(draw_plan(27, disks));
  EXPECT_TRUE(outcome.wrong.empty()) << sentences(outcome);
}

// A creation made the index that one before it, which had failed, was to make, while its drop that
// failed was still to be taken back.
TEST_F(SimulationTest, SeedOfWhatFailsEverywhereAloneHolds) {
  const Outcome outcome = simulate(draw_plan(5201329, {FaultKind::kCurse}));
  EXPECT_TRUE(outcome.wrong.empty()) << sentences(outcome);
}

class SeedsTest : public SimulationTest, public ::testing::WithParamInterface<std::uint64_t> {};

TEST_P(SeedsTest, Hold) {
  constexpr std::uint64_t kSize = kSeeds / kBlocks;
  const std::uint64_t first = 1 + kSize * GetParam();
  std::uint64_t acknowledged = 0;
  std::uint64_t repairs = 0;
  std::uint64_t collections = 0;
  for (std::uint64_t seed = first; seed < first + kSize; ++seed) {
    const Outcome outcome = simulate(draw_plan(seed, default_faults()));
    EXPECT_TRUE(outcome.wrong.empty())
        << "miroir-sim --seed " << seed << " replays this:" << sentences(outcome);
    acknowledged += outcome.acknowledged;
    repairs += outcome.repairs;
    collections += outcome.judged.collections;
  }
  EXPECT_GT(acknowledged, kSize);
  EXPECT_GT(repairs, 0U);
  EXPECT_GT(collections, 0U);
}

INSTANTIATE_TEST_SUITE_P(Blocks, SeedsTest, ::testing::Range<std::uint64_t>(0, kBlocks));

}  // namespace
}  // namespace miroir::sim
