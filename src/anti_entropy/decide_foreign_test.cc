// What is decided about documents without a stamp.
#include <gtest/gtest.h>

#include "anti_entropy/copies_fake.h"

namespace miroir::anti_entropy {
namespace {

TEST(DecideForeignTest, ForeignDocumentIsReported) {
  const Decision decision = decide_on({foreign("a"), absent("b")});
  expect(decision, Action::kReport, Reason::kForeign);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kForeign, Treatment::kLeave}));
}

TEST(DecideForeignTest, ForeignOverwriteOfADocumentIsUndone) {
  const Decision decision = decide_on({foreign("a"), whole("b", kOld)});
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kForeign, Treatment::kReplace}));
}

constexpr Policy kAdopting{.foreign = ForeignDocuments::kAdopt};
constexpr Policy kRemoving{.foreign = ForeignDocuments::kRemove};

TEST(DecideForeignTest, ForeignDocumentBecomesAVersionWhereTheyAreAdopted) {
  const Decision decision = decide_on({absent("a"), foreign("b")}, known(), kAdopting);
  expect(decision, Action::kAdopt, Reason::kForeignAdopted);
  EXPECT_EQ(decision.winner, 1U);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kMissing, Treatment::kAdopt}));
  EXPECT_EQ(decision.owners[1], (Verdict{Finding::kForeign, Treatment::kAdopt}));
}

// Whoever writes to a node makes it stale.
TEST(DecideForeignTest, ForeignDocumentIsAdoptedFromAStaleReplicaThatMissedNothing) {
  const Decision decision = decide_on({absent("a"), stale(foreign("b"))}, known(), kAdopting);
  expect(decision, Action::kAdopt, Reason::kForeignAdopted);
  EXPECT_EQ(decision.winner, 1U);
}

TEST(DecideForeignTest, ForeignDocumentThatMayHaveBeenDeletedIsNotAdopted) {
  for (const Copy& copy :
       {missed_entries(foreign("b")), tainted(foreign("b")), in_doubt(foreign("b"))})
    expect(decide_on({absent("a"), copy}, known(), kAdopting), Action::kReport, Reason::kForeign);
  Knowledge knowledge = known();
  knowledge.deleted = kOld;
  expect(decide_on({absent("a"), foreign("b")}, knowledge, kAdopting), Action::kReport,
         Reason::kForeign);
}

TEST(DecideForeignTest, ForeignDocumentIsNotAdoptedWhileWhatItsOwnersHoldIsNotKnown) {
  expect(decide_on({unknown("a"), foreign("b")}, known(), kAdopting), Action::kReport,
         Reason::kUnknownReplica);
  expect(decide_on({stale(absent("a")), stale(foreign("b"))}, known(), kAdopting), Action::kReport,
         Reason::kForeign);
}

TEST(DecideForeignTest, ForeignContentsThatDifferAreAdoptedOnlyByTheTieRule) {
  const std::vector differ = {foreign("a", 1), foreign("b", 2), absent("c")};
  Policy policy = kAdopting;
  expect(decide_on(differ, known(), policy), Action::kQuarantine, Reason::kTie);
  policy.tie = TieRule::kHash;
  const Decision decision = decide_on(differ, known(), policy);
  expect(decision, Action::kAdopt, Reason::kTieHash);
  EXPECT_EQ(decision.winner, content(1) > content(2) ? 0U : 1U);
}

TEST(DecideForeignTest, ForeignDocumentOfANodeThatDoesNotOwnItIsAdoptedByItsOwners) {
  const Decision decision =
      decide_on({absent("a"), absent("b")}, known(), kAdopting, {foreign("c")});
  expect(decision, Action::kAdopt, Reason::kForeignAdopted);
  ASSERT_EQ(decision.winner, 2U);
  EXPECT_EQ(winner_of({kId, {absent("a"), absent("b")}, {foreign("c")}}, decision)->node, "c");
  EXPECT_EQ(decision.owners[0].treatment, Treatment::kAdopt);
  EXPECT_EQ(decision.strays[0], (Verdict{Finding::kForeign, Treatment::kLeave}));
}

TEST(DecideForeignTest, ForeignStrayGoesOnceItsOwnersHoldTheDocumentUnlessItIsOnlyReported) {
  const std::vector owners = {whole("a", kOld), whole("b", kOld)};
  for (const Policy& policy : {kAdopting, kRemoving}) {
    const Decision decision = decide_on(owners, known(), policy, {foreign("c")});
    expect(decision, Action::kDelete, Reason::kStray);
    EXPECT_EQ(decision.strays[0], (Verdict{Finding::kForeign, Treatment::kDelete}));
  }
  const Decision decision = decide_on(owners, known(), {}, {foreign("c")});
  expect(decision, Action::kReport, Reason::kForeign);
  EXPECT_EQ(decision.strays[0].treatment, Treatment::kLeave);
}

TEST(DecideForeignTest, ForeignDocumentsAreRemovedWhereverTheyAre) {
  const Decision decision =
      decide_on({absent("a"), stale(foreign("b", 1))}, known(), kRemoving, {foreign("c", 2)});
  expect(decision, Action::kDelete, Reason::kForeignRemoved);
  EXPECT_EQ(decision.owners[1], (Verdict{Finding::kForeign, Treatment::kDelete}));
  EXPECT_EQ(decision.strays[0], (Verdict{Finding::kForeign, Treatment::kDelete}));
}

TEST(DecideForeignTest, ForeignDocumentIsNotRemovedWhileAReplicaIsUnknown) {
  const Decision decision = decide_on({unknown("a"), foreign("b")}, known(), kRemoving);
  expect(decision, Action::kReport, Reason::kUnknownReplica);
  EXPECT_EQ(decision.owners[1].treatment, Treatment::kLeave);
}

TEST(DecideForeignTest, ForeignOverwriteIsUndoneWhateverBecomesOfForeignDocuments) {
  for (const Policy& policy : {kAdopting, kRemoving}) {
    const Decision decision = decide_on({foreign("a"), whole("b", kOld)}, known(), policy);
    expect(decision, Action::kRestore, Reason::kHighestStamp);
    EXPECT_EQ(decision.owners[0], (Verdict{Finding::kForeign, Treatment::kReplace}));
  }
}

}  // namespace
}  // namespace miroir::anti_entropy
