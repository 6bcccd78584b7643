#include "anti_entropy/decide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "anti_entropy/copies_fake.h"

namespace miroir::anti_entropy {
namespace {

TEST(DecideTest, EqualCopiesAreLeftAlone) {
  const Decision decision = decide_on({whole("a", kOld), whole("b", kOld)});
  expect(decision, Action::kNone, Reason::kEqual);
  EXPECT_EQ(decision.owners, (std::vector{kFine, kFine}));
}

TEST(DecideTest, DocumentThatNobodyHoldsIsFine) {
  expect(decide_on({absent("a"), absent("b")}), Action::kNone, Reason::kEqual);
}

TEST(DecideTest, AbsentWithoutADeleteIsRestored) {
  const Decision decision = decide_on({absent("a"), whole("b", kOld)});
  expect(decision, Action::kRestore, Reason::kMissing);
  EXPECT_EQ(decision.winner, 1U);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kMissing, Treatment::kReplace}));
  EXPECT_EQ(decision.owners[1], kFine);
}

TEST(AntiEntropyAcceptance, test_authoritative_doc_selection) {
  const Decision decision =
      decide_on({whole("a", kOld, 1), whole("b", kNew, 2), whole("c", kOld, 1)});
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.winner, 1U);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kOlder, Treatment::kReplace}));
  EXPECT_EQ(decision.owners[2], (Verdict{Finding::kOlder, Treatment::kReplace}));
}

TEST(AntiEntropyAcceptance, test_authoritative_doc_selection_tiebreak) {
  // Equal stamps: the greater base; then the checksum; then the majority; else nobody, or the hash.
  Decision decision = decide_on({merged("a", kNew, 1'200, 1), merged("b", kNew, 1'500, 2)});
  expect(decision, Action::kRestore, Reason::kGreaterBase);
  EXPECT_EQ(decision.winner, 1U);

  decision = decide_on({corrupt("a", kNew), whole("b", kNew, 1)});
  expect(decision, Action::kRestore, Reason::kChecksum);
  EXPECT_EQ(decision.winner, 1U);

  decision = decide_on(
      {merged("a", kNew, kOld, 1), merged("b", kNew, kOld, 2), merged("c", kNew, kOld, 2)});
  expect(decision, Action::kRestore, Reason::kMajority);
  EXPECT_EQ(decision.winner, 1U);

  const std::vector tied = {merged("a", kNew, kOld, 1), merged("b", kNew, kOld, 2)};
  expect(decide_on(tied), Action::kQuarantine, Reason::kTie);
  EXPECT_FALSE(decide_on(tied).winner);

  decision = decide_on(tied, known(), {.tie = TieRule::kHash});
  expect(decision, Action::kRestore, Reason::kTieHash);
  EXPECT_EQ(decision.winner, content(1) > content(2) ? 0U : 1U);
}

TEST(DecideTest, PutThatLandedOnNothingLoses) {
  const Decision decision =
      decide_on({merged("a", kNew, std::nullopt, 2), merged("b", kNew, kOld, 1)});
  expect(decision, Action::kRestore, Reason::kGreaterBase);
  EXPECT_EQ(decision.winner, 1U);
}

// Here a delete was missed, and a PUT then landed on what should have been gone.
TEST(DecideTest, CopyMergedIntoWhatWasDeletedLosesToOneThatLandedOnNothing) {
  for (const auto bury : {&Knowledge::cleared, &Knowledge::born}) {
    Knowledge knowledge = known();
    knowledge.*bury = 1'500;
    const Decision decision =
        decide_on({merged("a", kNew, kOld, 1), merged("b", kNew, std::nullopt, 2)}, knowledge);
    EXPECT_EQ(decision.action, Action::kRestore);
    EXPECT_EQ(decision.winner, 1U);
    EXPECT_EQ(decision.owners[0].treatment, Treatment::kReplace);
  }
  Knowledge knowledge = known();
  knowledge.deleted = 1'500;
  EXPECT_EQ(
      decide_on({merged("a", kNew, kOld, 1), merged("b", kNew, std::nullopt, 2)}, knowledge).winner,
      1U);
}

TEST(DecideTest, StaleCopyIsNeverASource) {
  const Decision decision = decide_on({stale(whole("a", kOld)), absent("b")});
  EXPECT_NE(name(decision.action), name(Action::kRestore));
  EXPECT_FALSE(decision.winner);
}

TEST(DecideTest, StaleCopyIsHealed) {
  const Decision decision =
      decide_on({stale(whole("a", kOld)), whole("b", kNew), stale(absent("c"))});
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.owners[0].treatment, Treatment::kReplace);
  EXPECT_EQ(decision.owners[2].treatment, Treatment::kReplace);
}

Knowledge beyond(Stamp horizon) {
  Knowledge knowledge = known();
  knowledge.horizon = horizon;
  return knowledge;
}

TEST(DecideTest, DocumentThatOnlyAStaleReplicaHoldsIsDeletedThere) {
  const Decision decision =
      decide_on({stale(whole("a", kOld)), absent("b"), absent("c")}, beyond(kOld));
  expect(decision, Action::kDelete, Reason::kAbsentOnPeers);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kSurplus, Treatment::kDelete}));
}

TEST(DecideTest, DocumentThatOnlyAStaleReplicaHoldsAndThatWasNeverDeletedIsHarvested) {
  const Decision decision = decide_on(
      {vouched(whole("a", kNew)), absent("b"), stale(whole("c", kOld)), stale(absent("d"))},
      beyond(kOld));
  expect(decision, Action::kRestore, Reason::kHarvested);
  EXPECT_EQ(decision.winner, 0U);
  EXPECT_EQ(decision.owners[0], kFine);
  EXPECT_EQ(decision.owners[1], (Verdict{Finding::kMissing, Treatment::kReplace}));
  EXPECT_EQ(decision.owners[2], (Verdict{Finding::kOlder, Treatment::kReplace}));
  EXPECT_EQ(decision.owners[3].treatment, Treatment::kReplace);
}

TEST(DecideTest, CopyThatARecoveryTookOverIsASourceThoughItsNodeIsStale) {
  Copy taken = stale(whole("a", kNew));
  taken.taken_over = Copy::TakenOver::kYes;
  Decision decision = decide_on({taken, absent("b")}, beyond(0));
  expect(decision, Action::kRestore, Reason::kMissing);
  EXPECT_EQ(decision.owners[0], kFine);
  EXPECT_EQ(decision.owners[1], (Verdict{Finding::kMissing, Treatment::kReplace}));
  decision = decide_on({taken, whole("b", kOld)}, beyond(0));
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.winner, 0U);
  Knowledge deleted = beyond(0);
  deleted.deleted = kNew;
  expect(decide_on({taken, absent("b")}, deleted), Action::kDelete, Reason::kDeleted);
  taken.taken_over = Copy::TakenOver::kObscured;
  expect(decide_on({taken, absent("b")}, beyond(kNew)), Action::kQuarantine, Reason::kMaybeDeleted);
}

TEST(DecideTest, NothingThatWasDeletedIsHarvested) {
  Knowledge knowledge = beyond(0);
  knowledge.deleted = kNew;
  expect(decide_on({vouched(whole("a", kNew)), absent("b")}, knowledge), Action::kDelete,
         Reason::kDeleted);
  Copy expired = vouched(whole("a", kNew));
  expired.stored.expires_at = 5;
  expect(decide_on({expired, absent("b")}, beyond(0)), Action::kDelete, Reason::kExpired);
  Copy never_written = refuted(whole("a", kNew));
  expect(decide_on({never_written, absent("b")}, beyond(0)), Action::kDelete,
         Reason::kAbsentOnPeers);
  expect(decide_on({in_doubt(vouched(whole("a", kNew))), absent("b")}, beyond(0)), Action::kDelete,
         Reason::kAbsentOnPeers);
}

TEST(DecideTest, DocumentThatMayHaveBeenDeletedIsNeitherHarvestedNorDeleted) {
  Copy fragment = vouched(merged("a", kNew, std::nullopt));
  Copy over_something_old = vouched(merged("a", kNew, kOld));
  Copy untold = stale(whole("a", kNew));
  Copy forged = vouched(corrupt("a", kNew));
  for (const Copy& copy :
       {fragment, over_something_old, untold, forged, tainted(vouched(whole("a", kNew)))}) {
    const Decision decision = decide_on({copy, absent("b")}, beyond(kOld));
    expect(decision, Action::kQuarantine, Reason::kMaybeDeleted);
    EXPECT_EQ(decision.owners[0].treatment, Treatment::kLeave);
    EXPECT_EQ(decision.owners[1].treatment, Treatment::kLeave);
  }
  // Nor does an older one come back in its place.
  expect(decide_on({untold, absent("b"), vouched(whole("c", 1'500))}, beyond(kOld)),
         Action::kQuarantine, Reason::kMaybeDeleted);
}

TEST(DecideTest, NothingIsHarvestedUnlessReplicasInSyncAgreeThatThereIsNone) {
  for (const Copy& peer : {stale(absent("b")), tainted(absent("b"))})
    expect(decide_on({vouched(whole("a", kNew)), peer}, beyond(kOld)), Action::kReport,
           Reason::kNoSource);
  expect(decide_on({vouched(whole("a", kNew)), whole("b", kOld)}, beyond(0)), Action::kQuarantine,
         Reason::kNewerUntrusted);
}

// That it was deleted says nothing of what was written since.
TEST(DecideTest, ACopyThatIsDeadCountsAsNoneBesideANewerOne) {
  Knowledge born = beyond(0);
  born.born = kOld;
  Knowledge cleared = beyond(0);
  cleared.cleared = kOld;
  Knowledge deleted = beyond(0);
  deleted.deleted = kOld;
  for (const Knowledge& knowledge : {born, cleared, deleted}) {
    const Copy dead = whole("b", kOld, 2);
    Decision decision = decide_on({vouched(whole("a", kNew)), dead, absent("c")}, knowledge);
    expect(decision, Action::kRestore, Reason::kHarvested);
    EXPECT_EQ(decision.winner, 0U);
    EXPECT_EQ(decision.owners[1], (Verdict{Finding::kOlder, Treatment::kReplace}));
    expect(decide_on({stale(whole("a", kNew)), dead}, knowledge), Action::kQuarantine,
           Reason::kMaybeDeleted);
    for (const Copy& peer : {tainted(dead), stale(dead)})
      expect(decide_on({vouched(whole("a", kNew)), peer}, knowledge), Action::kReport,
             Reason::kNoSource);

    decision = decide_on({refuted(whole("a", kNew)), dead}, knowledge);
    expect(decision, Action::kDelete, Reason::kAbsentOnPeers);
    EXPECT_EQ(decision.owners[0].treatment, Treatment::kDelete);
    EXPECT_EQ(decision.owners[1].treatment, Treatment::kDelete);
    // Nor does it come back in the place of what the log never wrote.
    expect(decide_on({refuted(whole("a", kNew)), vouched(dead), absent("c")}, knowledge),
           Action::kDelete, Reason::kAbsentOnPeers);
  }
}

TEST(DecideTest, WhatFailedOnReplicasInSyncIsHarvestedWhereOneThatIsHealedAppliedIt) {
  const Copy applied = what_failed(whole("a", kNew, 2));
  for (const Copy& peer : {tainted(whole("b", kOld)), tainted(absent("b"))}) {
    for (const Copy& third : {tainted(whole("c", kOld)), stale(absent("c")), unknown("c")}) {
      const Decision decision = decide_on({applied, peer, third}, beyond(kOld));
      expect(decision, Action::kRestore, Reason::kHarvested);
      EXPECT_EQ(decision.winner, 0U);
      EXPECT_EQ(decision.owners[0], kFine);
      EXPECT_EQ(decision.owners[1].treatment, Treatment::kReplace);
    }
    // What may have been deleted, is not known to be right, or is not the newest.
    expect(decide_on({applied, peer}, beyond(kNew)), Action::kReport, Reason::kNoSource);
    for (const Copy& other : {tainted(applied), what_failed(corrupt("a", kNew)), in_doubt(applied),
                              stale(whole("a", kNew, 2))})
      expect(decide_on({other, peer}, beyond(kOld)), Action::kReport, Reason::kNoSource);
    expect(decide_on({applied, peer, stale(whole("c", kNew + 1))}, beyond(kOld)), Action::kReport,
           Reason::kNoSource);
  }
  expect(decide_on({applied, stale(tainted(whole("b", kOld)))}, beyond(kOld)), Action::kReport,
         Reason::kNoSource);
  Knowledge deleted = beyond(kOld);
  deleted.deleted = kNew;
  expect(decide_on({applied, tainted(whole("b", kOld))}, deleted), Action::kDelete,
         Reason::kDeleted);
}

TEST(DecideTest, WithoutAReplicaInSyncNothingIsDone) {
  expect(decide_on({stale(whole("a", kOld)), stale(absent("b"))}), Action::kReport,
         Reason::kNoSource);
}

TEST(DecideTest, TaintedCopyIsNeverASource) {
  const Decision decision = decide_on({tainted(whole("a", kNew, 2)), merged("b", kNew, kOld, 1)});
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.winner, 1U);
  EXPECT_EQ(decision.owners[0].treatment, Treatment::kReplace);
  expect(decide_on({tainted(whole("a", kNew)), tainted(absent("b"))}), Action::kReport,
         Reason::kNoSource);
}

TEST(DecideTest, CopiesThatAreAllAlikeAreRightWhereWhatFailedOnThemDidNotHappen) {
  const Decision decision =
      decide_on({harmless(whole("a", kNew)), stale(tainted(whole("b", kNew)))});
  expect(decision, Action::kNone, Reason::kEqual);
  EXPECT_EQ(decision.owners, (std::vector{kFine, kFine}));
  for (const Copy& other : {stale(tainted(whole("b", kOld))), stale(tainted(absent("b"))),
                            unknown("b"), in_doubt(whole("b", kNew))})
    EXPECT_NE(decide_on({harmless(whole("a", kNew)), other}).action, Action::kNone);
  expect(decide_on({stale(harmless(whole("a", kNew))), stale(harmless(whole("b", kNew)))}),
         Action::kReport, Reason::kNoSource);
}

TEST(DecideTest, TaintedCopiesThatAllInSyncHoldAlikeAreCopiedToWhoeverHasLess) {
  for (const Copy& other : {stale(whole("c", kOld)), stale(tainted(whole("c", kOld))),
                            stale(absent("c")), in_doubt(absent("c"))}) {
    const Decision decision =
        decide_on({harmless(whole("a", kNew)), harmless(whole("b", kNew)), other});
    EXPECT_EQ(decision.action, Action::kRestore);
    EXPECT_EQ(decision.owners[2].treatment, Treatment::kReplace);
    // It may have applied what failed on the others, and lost it since.
    expect(decide_on({harmless(whole("a", kNew)), tainted(whole("b", kNew)), other}),
           Action::kReport, Reason::kNoSource);
  }
  // Somebody in sync says otherwise, or may have what failed on the others.
  for (const Copy& other :
       {tainted(whole("c", kOld)), tainted(absent("c")), absent("c"), stale(whole("c", kNew + 1)),
        stale(whole("c", kNew, 2)), in_doubt(whole("c", kNew)), unknown("c")}) {
    const Decision decision =
        decide_on({harmless(whole("a", kNew)), harmless(whole("b", kNew)), other});
    EXPECT_NE(decision.action, Action::kNone);
    EXPECT_NE(decision.action, Action::kRestore);
  }
}

TEST(DecideTest, WhatLiesInAnIndexInDoubtIsReplacedEvenWhereItIsNewer) {
  const Decision decision = decide_on({in_doubt(whole("a", kNew)), whole("b", kOld)});
  expect(decision, Action::kRestore, Reason::kInDoubt);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kUnlike, Treatment::kReplace}));
  EXPECT_EQ(decision.winner, 1U);
}

TEST(DecideTest, WhatOnlyAnIndexInDoubtHoldsIsDeletedThere) {
  const Decision decision = decide_on({in_doubt(whole("a", kNew)), absent("b")});
  expect(decision, Action::kDelete, Reason::kAbsentOnPeers);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kSurplus, Treatment::kDelete}));
}

TEST(DecideTest, WhatOnlyAnIndexInDoubtHoldsIsKeptUnlessAPeerInSyncSaysThatThereIsNone) {
  for (const Copy& peer : {stale(absent("b")), tainted(absent("b")), in_doubt(absent("b"))})
    expect(decide_on({in_doubt(whole("a", kNew)), peer}), Action::kReport, Reason::kNoSource);
  expect(decide_on({in_doubt(whole("a", kNew)), absent("b"), unknown("c")}), Action::kReport,
         Reason::kUnknownReplica);
}

// It may be another index, with births and deletes of its own.
TEST(DecideTest, NothingIsDeletedOfAnIndexThatIsInDoubtEverywhere) {
  Knowledge knowledge = known();
  knowledge.born = kNew;
  const Copy old = in_doubt(whole("a", kOld));
  expect(decide_on({old, in_doubt(absent("b"))}, knowledge), Action::kReport, Reason::kNoSource);
  expect(decide_on({old, absent("b")}, knowledge), Action::kDelete, Reason::kBeforeBirth);
}

// Nor on the word of one whose disk is old, or that failed to write what the other holds.
TEST(DecideTest, NothingIsDeletedOfAnIndexThatIsInDoubtWhereItsPeersAreNoSources) {
  Knowledge deleted = known();
  deleted.deleted = kOld + 500;
  Knowledge cleared = known();
  cleared.cleared = kOld + 500;
  Knowledge born = known();
  born.born = kOld + 500;
  for (const Knowledge& knowledge : {deleted, cleared, born}) {
    const Copy newer = in_doubt(whole("a", kNew));
    const Copy older = in_doubt(whole("a", kOld + 1));
    for (const auto& owners :
         {std::vector{newer, stale(whole("b", kOld))},
          std::vector{newer, tainted(whole("b", kOld))},
          std::vector{older, stale(whole("b", kOld))}, std::vector{older, stale(absent("b"))}}) {
      Decision decision = decide_on(owners, knowledge);
      expect(decision, Action::kReport, Reason::kNoSource);
      for (const Verdict& verdict : decision.owners)
        EXPECT_EQ(verdict.treatment, Treatment::kLeave);
      // Until there is a peer that can tell.
      decision = decide_on({owners[0], owners[1], whole("c", kOld)}, knowledge);
      EXPECT_EQ(name(decision.action), name(Action::kDelete));
      EXPECT_EQ(decision.owners[0].treatment, Treatment::kDelete);
      EXPECT_EQ(decide_on({owners[0], owners[1], whole("c", kNew)}, knowledge).winner, 2U);
    }
  }
}

TEST(DecideTest, IndexInDoubtDoesNotHideADelete) {
  Knowledge knowledge = known();
  knowledge.deleted = kOld + 1;
  const Decision decision =
      decide_on({in_doubt(whole("a", kNew)), whole("b", kOld), absent("c")}, knowledge);
  expect(decision, Action::kDelete, Reason::kDeleted);
}

TEST(DecideTest, TaintedAbsenceDoesNotDelete) {
  expect(decide_on({stale(whole("a", kOld)), tainted(absent("b"))}), Action::kReport,
         Reason::kNoSource);
}

TEST(DecideTest, CorruptCopyNeverWinsEvenAlone) {
  expect(decide_on({corrupt("a", kOld)}), Action::kQuarantine, Reason::kNoGoodCopy);
  expect(decide_on({corrupt("a", kOld), absent("b")}), Action::kQuarantine, Reason::kNoGoodCopy);
}

TEST(DecideTest, WrongSlotOrDigestIsCorruptToo) {
  Copy wrong_slot = whole("a", kOld);
  wrong_slot.stored.slot = static_cast<Slot>(slot_of(kId) + 1);
  Copy wrong_digest = whole("a", kOld);
  wrong_digest.stored.digest = digest_of(kId, kNew);
  for (const Copy& copy : {wrong_slot, wrong_digest}) {
    const Decision decision = decide_on({copy, whole("b", kOld)});
    expect(decision, Action::kRestore, Reason::kChecksum);
    EXPECT_EQ(decision.owners[0], (Verdict{Finding::kCorrupt, Treatment::kReplace}));
  }
}

TEST(DecideTest, AnOlderCopyDoesNotReplaceANewerOneThatIsCorrupt) {
  expect(decide_on({corrupt("a", kNew), whole("b", kOld)}), Action::kQuarantine,
         Reason::kNewerUntrusted);
  expect(decide_on({stale(whole("a", kNew)), whole("b", kOld)}), Action::kQuarantine,
         Reason::kNewerUntrusted);
}

TEST(DecideTest, TombstoneNotOlderThanTheWinnerDeletesEverywhere) {
  Knowledge knowledge = known();
  knowledge.deleted = kNew;
  const Decision decision = decide_on({whole("a", kOld), absent("b"), whole("c", kNew)}, knowledge);
  expect(decision, Action::kDelete, Reason::kDeleted);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kSurplus, Treatment::kDelete}));
  EXPECT_EQ(decision.owners[1], kFine);
  EXPECT_EQ(decision.owners[2], (Verdict{Finding::kSurplus, Treatment::kDelete}));
}

TEST(DecideTest, TombstoneOlderThanTheWinnerIsHistory) {
  Knowledge knowledge = known();
  knowledge.deleted = kNew - 1;
  expect(decide_on({whole("a", kNew), absent("b")}, knowledge), Action::kRestore, Reason::kMissing);
}

TEST(DecideTest, DeleteAllBuriesWhatIsOlder) {
  Knowledge knowledge = known();
  knowledge.cleared = kNew;
  expect(decide_on({whole("a", kOld), absent("b")}, knowledge), Action::kDelete, Reason::kCleared);
}

TEST(DecideTest, DocumentOlderThanItsIndexIsDeleted) {
  Knowledge knowledge = known();
  knowledge.born = kNew;
  expect(decide_on({whole("a", kOld), absent("b")}, knowledge), Action::kDelete,
         Reason::kBeforeBirth);
}

TEST(DecideTest, StampBeyondTheLogIsQuarantined) {
  expect(decide_on({whole("a", kHead + 1), whole("b", kOld)}), Action::kQuarantine,
         Reason::kImpossibleStamp);
}

TEST(DecideTest, StrayIsDeletedOnceItsOwnersHoldIt) {
  Decision decision =
      decide_on({whole("a", kNew), whole("b", kNew)}, known(), {}, {whole("c", kOld)});
  expect(decision, Action::kDelete, Reason::kStray);
  EXPECT_EQ(decision.strays[0], (Verdict{Finding::kStray, Treatment::kDelete}));

  decision = decide_on({whole("a", kNew), absent("b")}, known(), {}, {whole("c", kOld)});
  expect(decision, Action::kRestore, Reason::kMissing);
  EXPECT_EQ(decision.strays[0].treatment, Treatment::kLeave);
}

TEST(DecideTest, StrayThatItsOwnersLackIsKept) {
  const Decision decision = decide_on({absent("a"), absent("b")}, known(), {}, {whole("c", kOld)});
  expect(decision, Action::kReport, Reason::kNoSource);
  EXPECT_EQ(decision.strays[0].treatment, Treatment::kLeave);
}

TEST(DecideTest, UnknownReplicaAllowsRestoring) {
  const Decision decision = decide_on({unknown("a"), whole("b", kNew), absent("c")});
  expect(decision, Action::kRestore, Reason::kMissing);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kUnknown, Treatment::kLeave}));
  EXPECT_EQ(decision.owners[2].treatment, Treatment::kReplace);
}

TEST(DecideTest, UnknownReplicaForbidsDeleting) {
  Knowledge knowledge = known();
  knowledge.deleted = kHead;
  const Decision decision = decide_on({unknown("a"), whole("b", kNew)}, knowledge);
  expect(decision, Action::kReport, Reason::kUnknownReplica);
  EXPECT_EQ(decision.owners[1].treatment, Treatment::kLeave);
}

TEST(RulesTest, EveryRuleHasItsRowInTheDocumentation) {
  const std::filesystem::path here = std::filesystem::absolute(__FILE__);
  std::ifstream file(here.parent_path() / "../../docs/deciding.md");
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  ASSERT_FALSE(page.empty());
  for (const Rule& rule : rules()) {
    EXPECT_EQ(code(rule.reason), rule.code);
    EXPECT_NE(
        page.find("| `" + std::string(rule.code) + "` | " + std::string(rule.sentence) + " |"),
        std::string::npos)
        << rule.code;
  }
}

}  // namespace
}  // namespace miroir::anti_entropy
