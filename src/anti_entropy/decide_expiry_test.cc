// What is decided about documents that expire.
#include <gtest/gtest.h>

#include "anti_entropy/copies_fake.h"

namespace miroir::anti_entropy {
namespace {

TEST(DecideExpiryTest, ExpiredWinnerIsDeletedEverywhere) {
  Copy expired = whole("a", kNew);
  expired.stored.expires_at = 999'999;
  const Decision decision = decide_on({expired, whole("b", kOld)});
  expect(decision, Action::kDelete, Reason::kExpired);
  EXPECT_EQ(decision.owners[1].treatment, Treatment::kDelete);
}

TEST(DecideExpiryTest, WhatHasExpiredGoesFromAllReplicasOrFromNone) {
  Copy expired = whole("a", kNew);
  expired.stored.expires_at = 5;
  const Decision decision = decide_on({expired, absent("b"), unknown("c")});
  expect(decision, Action::kReport, Reason::kUnknownReplica);
  for (const Verdict& verdict : decision.owners) EXPECT_EQ(verdict.treatment, Treatment::kLeave);
}

TEST(DecideExpiryTest, ExpiredDocumentThatAllHoldAlikeWaitsForTheSweep) {
  Copy a = whole("a", kNew);
  a.stored.expires_at = 5;
  Copy b = a;
  b.node = "b";
  expect(decide_on({a, b}), Action::kNone, Reason::kEqual);
  b.tainted = true;
  const Decision decision = decide_on({a, b});
  expect(decision, Action::kNone, Reason::kEqual);
  EXPECT_EQ(decision.owners[1], kFine);
  b.presence = Presence::kUnknown;
  expect(decide_on({a, b}), Action::kNone, Reason::kEqual);
}

TEST(DecideExpiryTest, ReplicaThatMissedTheExtensionDoesNotKillTheDocument) {
  Copy extended = whole("a", kNew);
  extended.stored.expires_at = 1'000'001;
  Copy expired = whole("b", kOld);
  expired.stored.expires_at = 5;
  expect(decide_on({extended, expired}), Action::kRestore, Reason::kHighestStamp);
}

TEST(DecideExpiryTest, NothingExpiresWhereNothingMay) {
  Knowledge knowledge = known();
  knowledge.now = Knowledge().now;
  Copy expired = whole("a", kNew);
  expired.stored.expires_at = 0;
  expect(decide_on({expired, absent("b")}, knowledge), Action::kRestore, Reason::kMissing);
}

TEST(DecideExpiryTest, OfCopiesThatDifferOnlyInTheirExpiryTheLaterOneWins) {
  Copy early = whole("a", kNew);
  early.stored.expires_at = 5;
  Copy late = whole("b", kNew);
  late.stored.expires_at = 2'000'000;
  const Copy never = whole("b", kNew);
  for (const TieRule tie : {TieRule::kQuarantine, TieRule::kHash}) {
    Decision decision = decide_on({early, late}, known(), {.tie = tie});
    expect(decision, Action::kRestore, Reason::kLaterExpiry);
    EXPECT_EQ(decision.winner, 1U);
    EXPECT_EQ(decision.owners[0], (Verdict{Finding::kUnlike, Treatment::kReplace}));
    decision = decide_on({late, never}, known(), {.tie = tie});
    expect(decision, Action::kRestore, Reason::kLaterExpiry);
    EXPECT_EQ(decision.winner, 1U);
  }
}

TEST(DecideExpiryTest, ExpiryHasItsMajorityToo) {
  Copy early = whole("a", kNew);
  early.stored.expires_at = 1'000'001;
  Copy same = whole("b", kNew);
  same.stored.expires_at = 1'000'001;
  const Decision decision = decide_on({early, same, whole("c", kNew)});
  expect(decision, Action::kRestore, Reason::kMajority);
  EXPECT_EQ(decision.owners[2].treatment, Treatment::kReplace);
}

TEST(DecideExpiryTest, OfTheCopyThatMissedAnExtensionAndTookTheNextMergeTheOthersExpiryWins) {
  Copy extended = merged("a", kNew, kOld, 1);
  extended.stored.expires_at = 1'000'001;
  Copy missed = merged("b", kNew, kOld, 1);
  missed.stored.expires_at = 5;
  missed.tainted = true;
  const Decision decision = decide_on({extended, missed});
  EXPECT_EQ(name(decision.action), name(Action::kRestore));
  EXPECT_EQ(decision.owners[1].treatment, Treatment::kReplace);
}

// The sweep found another version than the one that had expired, and passed it over everywhere.
TEST(DecideExpiryTest, WhatWasMergedInTimeOutlivesTheExpiryOfWhatItWasMergedInto) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  const std::vector copies = {merged("a", kNew, kOld, 1), merged("c", kNew, kOld, 1),
                              tainted(merged("b", kNew - 1, kOld, 2))};
  expect(decide_on(copies, knowledge), Action::kReport, Reason::kNoSource);
  knowledge.expired = true;
  const Decision decision = decide_on(copies, knowledge);
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.owners[2].treatment, Treatment::kReplace);
}

TEST(DecideExpiryTest, WhatMostSayOutlivedItsExpiryDidSo) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  knowledge.expired = true;
  const std::vector copies = {merged("a", kNew, std::nullopt, 2), merged("b", kNew, kOld, 1),
                              merged("c", kNew, kOld, 1)};
  const Decision decision = decide_on(copies, knowledge);
  expect(decision, Action::kRestore, Reason::kGreaterBase);
  EXPECT_EQ(decision.owners[0].treatment, Treatment::kReplace);
  knowledge.expired = false;
  EXPECT_EQ(decide_on(copies, knowledge).winner, 0U);
}

TEST(DecideExpiryTest, WhoLacksItSaysNothingOfAnExpiryThatItOutlived) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  knowledge.expired = true;
  const std::vector copies = {absent("a"), merged("b", kNew, kOld, 1)};
  expect(decide_on(copies, knowledge), Action::kRestore, Reason::kMissing);
  knowledge.expired = false;
  expect(decide_on(copies, knowledge), Action::kReport, Reason::kNoSource);
}

TEST(DecideExpiryTest, WhatOutlivedAnExpirySaysNothingOfADeleteAll) {
  Knowledge knowledge = known();
  knowledge.cleared = kOld - 1;
  knowledge.deleted = kOld;
  knowledge.expired = true;
  const std::vector copies = {merged("a", kNew, kOld, 1), merged("b", kNew, kOld, 1),
                              merged("c", kNew + 1, kOld - 1, 2)};
  expect(decide_on(copies, knowledge), Action::kQuarantine, Reason::kNewerUntrusted);
}

TEST(DecideExpiryTest, WhoMissedAnExpiryThatAPeerCarriedOutIsNoSource) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  knowledge.expired = true;
  const Decision decision =
      decide_on({merged("a", kNew, kOld, 1), merged("b", kNew, std::nullopt, 2)}, knowledge);
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.winner, 1U);
}

TEST(DecideExpiryTest, WhatWasMergedBeforeTheSweepWasPassedOver) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  knowledge.expired = true;
  knowledge.swept = kNew + 1;
  const Decision decision =
      decide_on({merged("a", kNew, kOld, 1), merged("b", kNew, std::nullopt, 2)}, knowledge);
  expect(decision, Action::kRestore, Reason::kGreaterBase);
  EXPECT_EQ(decision.winner, 0U);
}

// Its stamp is that of the newest PUT, and tells of no other.
TEST(DecideExpiryTest, WhatTheLogSaysWasPassedOverWasSoWhateverWasMergedSince) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  knowledge.expired = true;
  knowledge.swept = kNew - 1;
  const std::vector copies = {merged("a", kNew, kOld, 1), merged("b", kNew, std::nullopt, 2),
                              merged("c", kNew, std::nullopt, 2)};
  EXPECT_EQ(decide_on(copies, knowledge).winner, 1U);
  knowledge.passed_over = kOld;
  EXPECT_EQ(decide_on(copies, knowledge).winner, 1U) << "it was dead before";
  knowledge.passed_over = kOld - 1;
  const Decision decision = decide_on(copies, knowledge);
  expect(decision, Action::kRestore, Reason::kGreaterBase);
  EXPECT_EQ(decision.winner, 0U);
}

}  // namespace
}  // namespace miroir::anti_entropy
