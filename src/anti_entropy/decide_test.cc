#include "anti_entropy/decide.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace miroir::anti_entropy {
namespace {

constexpr Stamp kOld = 1'000;
constexpr Stamp kNew = 2'000;
constexpr Stamp kHead = 9'000;
const std::string kId = "package-7";

Hash128 content(std::uint64_t number) { return xxh3_128(std::to_string(number)); }

// A copy as a whole write leaves it.
Copy whole(std::string node, Stamp stamp, std::uint64_t says = 1) {
  Copy copy;
  copy.node = std::move(node);
  copy.presence = Presence::kPresent;
  copy.in_sync = true;
  copy.content = content(says);
  copy.stored.slot = slot_of(kId);
  copy.stored.stamp = stamp;
  copy.stored.base = stamp;
  copy.stored.checksum = checksum_of(copy.content);
  copy.stored.digest = digest_of(kId, stamp);
  return copy;
}

// …and as a merge into the whole write `base` leaves it: the checksum no longer counts.
Copy merged(std::string node, Stamp stamp, std::optional<Stamp> base, std::uint64_t says = 1) {
  Copy copy = whole(std::move(node), stamp, says);
  copy.stored.base = base;
  return copy;
}

Copy corrupt(std::string node, Stamp stamp) {
  Copy copy = whole(std::move(node), stamp);
  copy.content = content(666);
  return copy;
}

Copy absent(std::string node) {
  Copy copy;
  copy.node = std::move(node);
  copy.presence = Presence::kAbsent;
  copy.in_sync = true;
  return copy;
}

Copy unknown(std::string node) {
  Copy copy;
  copy.node = std::move(node);
  return copy;
}

Copy stale(Copy copy) {
  copy.in_sync = false;
  return copy;
}

Copy tainted(Copy copy) {
  copy.tainted = true;
  return copy;
}

Copy foreign(std::string node) {
  Copy copy = absent(std::move(node));
  copy.presence = Presence::kPresent;
  copy.content = content(5);
  return copy;
}

Knowledge known() {
  Knowledge knowledge;
  knowledge.newest = kHead;
  knowledge.born = 10;
  knowledge.now = WallTime(Seconds(1'000));
  return knowledge;
}

Decision decide_on(std::vector<Copy> owners, Knowledge knowledge = known(),
                   TieRule tie = TieRule::kQuarantine, std::vector<Copy> strays = {}) {
  return decide({kId, std::move(owners), std::move(strays)}, knowledge, tie);
}

void expect(const Decision& decision, Action action, Reason reason) {
  EXPECT_EQ(name(decision.action), name(action));
  EXPECT_EQ(code(decision.reason), code(reason));
}

constexpr Verdict kFine{Finding::kRight, Treatment::kLeave};

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

  decision = decide_on(tied, known(), TieRule::kHash);
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

TEST(DecideTest, DocumentThatOnlyAStaleReplicaHoldsIsDeletedThere) {
  const Decision decision = decide_on({stale(whole("a", kOld)), absent("b"), absent("c")});
  expect(decision, Action::kDelete, Reason::kAbsentOnPeers);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kSurplus, Treatment::kDelete}));
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

TEST(DecideTest, ExpiredWinnerIsDeletedEverywhere) {
  Copy expired = whole("a", kNew);
  expired.stored.expires_at = 999'999;
  const Decision decision = decide_on({expired, whole("b", kOld)});
  expect(decision, Action::kDelete, Reason::kExpired);
  EXPECT_EQ(decision.owners[1].treatment, Treatment::kDelete);
}

TEST(DecideTest, ReplicaThatMissedTheExtensionDoesNotKillTheDocument) {
  Copy extended = whole("a", kNew);
  extended.stored.expires_at = 1'000'001;
  Copy expired = whole("b", kOld);
  expired.stored.expires_at = 5;
  expect(decide_on({extended, expired}), Action::kRestore, Reason::kHighestStamp);
}

TEST(DecideTest, ForeignDocumentIsReported) {
  const Decision decision = decide_on({foreign("a"), absent("b")});
  expect(decision, Action::kReport, Reason::kForeign);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kForeign, Treatment::kLeave}));
}

TEST(DecideTest, ForeignOverwriteOfADocumentIsUndone) {
  const Decision decision = decide_on({foreign("a"), whole("b", kOld)});
  expect(decision, Action::kRestore, Reason::kHighestStamp);
  EXPECT_EQ(decision.owners[0], (Verdict{Finding::kForeign, Treatment::kReplace}));
}

TEST(DecideTest, StampBeyondTheLogIsQuarantined) {
  expect(decide_on({whole("a", kHead + 1), whole("b", kOld)}), Action::kQuarantine,
         Reason::kImpossibleStamp);
}

TEST(DecideTest, StrayIsDeletedOnceItsOwnersHoldIt) {
  Decision decision = decide_on({whole("a", kNew), whole("b", kNew)}, known(), TieRule::kQuarantine,
                                {whole("c", kOld)});
  expect(decision, Action::kDelete, Reason::kStray);
  EXPECT_EQ(decision.strays[0], (Verdict{Finding::kStray, Treatment::kDelete}));

  decision =
      decide_on({whole("a", kNew), absent("b")}, known(), TieRule::kQuarantine, {whole("c", kOld)});
  expect(decision, Action::kRestore, Reason::kMissing);
  EXPECT_EQ(decision.strays[0].treatment, Treatment::kLeave);
}

TEST(DecideTest, StrayThatItsOwnersLackIsKept) {
  const Decision decision =
      decide_on({absent("a"), absent("b")}, known(), TieRule::kQuarantine, {whole("c", kOld)});
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

// ---- properties

rc::Gen<Copy> any_copy(std::string node) {
  return rc::gen::exec([node] {
    const int kind = *rc::gen::inRange(0, 12);
    if (kind == 0) return unknown(node);
    if (kind == 1) return foreign(node);
    Copy copy = absent(node);
    if (kind > 3) {
      const Stamp stamp = *rc::gen::element<Stamp>(5, kOld, kNew, kNew, kHead + 1);
      const auto says = *rc::gen::inRange<std::uint64_t>(1, 3);
      const auto base = *rc::gen::element<std::optional<Stamp>>(std::nullopt, kOld, stamp);
      copy = merged(node, stamp, base, says);
      if (*rc::gen::inRange(0, 6) == 0) copy.content = content(666);
      if (*rc::gen::inRange(0, 8) == 0) copy.stored.expires_at = 5;
    }
    copy.in_sync = *rc::gen::inRange(0, 4) != 0;
    copy.tainted = *rc::gen::inRange(0, 5) == 0;
    return copy;
  });
}

struct Case {
  DocumentCopies copies;
  Knowledge knowledge;
  TieRule tie;
};

Case any_case() {
  Case given;
  given.copies.id = kId;
  for (int i = *rc::gen::inRange(1, 5); i > 0; --i) {
    given.copies.owners.push_back(*any_copy("owner" + std::to_string(i)));
  }
  for (int i = *rc::gen::inRange(0, 3); i > 0; --i) {
    Copy stray = *any_copy("stray" + std::to_string(i));
    if (stray.present()) given.copies.strays.push_back(std::move(stray));
  }
  given.knowledge = known();
  given.knowledge.deleted =
      *rc::gen::element<std::optional<Stamp>>(std::nullopt, std::nullopt, kOld, kNew);
  given.knowledge.cleared = *rc::gen::element<Stamp>(0, 0, 0, kOld);
  given.tie = *rc::gen::element(TieRule::kQuarantine, TieRule::kHash);
  return given;
}

RC_GTEST_PROP(DecideProperties, NeverDeletesWhileAReplicaIsUnknown, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.tie);
  const bool any_unknown = std::ranges::any_of(
      given.copies.owners, [](const Copy& copy) { return copy.presence == Presence::kUnknown; });
  if (!any_unknown) return;
  for (const Verdict& verdict : decision.owners) RC_ASSERT(verdict.treatment != Treatment::kDelete);
  for (const Verdict& verdict : decision.strays) RC_ASSERT(verdict.treatment != Treatment::kDelete);
}

RC_GTEST_PROP(DecideProperties, WinnerIsTrustedAndNoCopyIsNewer, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.tie);
  if (!decision.winner) return;
  const Copy& winner = given.copies.owners[*decision.winner];
  RC_ASSERT(winner.present() && winner.in_sync && !winner.tainted);
  RC_ASSERT(!winner.contradicts_itself(kId));
  for (const auto* group : {&given.copies.owners, &given.copies.strays}) {
    for (const Copy& copy : *group) RC_ASSERT(copy.stored.stamp <= winner.stored.stamp);
  }
}

RC_GTEST_PROP(DecideProperties, UnknownCopiesAndWinnersAreNeverTouched, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.tie);
  for (std::size_t i = 0; i < given.copies.owners.size(); ++i) {
    const Verdict& verdict = decision.owners[i];
    if (given.copies.owners[i].presence == Presence::kUnknown)
      RC_ASSERT(verdict.treatment == Treatment::kLeave);
    if (decision.winner == i) RC_ASSERT(verdict.treatment != Treatment::kReplace);
    if (verdict.treatment == Treatment::kReplace) RC_ASSERT(decision.winner.has_value());
    if (verdict.treatment == Treatment::kDelete)
      RC_ASSERT(given.copies.owners[i].stored.stamp.has_value());
  }
}

RC_GTEST_PROP(DecideProperties, OrderOfTheCopiesDoesNotMatter, ()) {
  const Case given = any_case();
  DocumentCopies shuffled = given.copies;
  const auto rotation = *rc::gen::inRange<std::size_t>(0, shuffled.owners.size());
  std::ranges::rotate(shuffled.owners,
                      shuffled.owners.begin() + static_cast<std::ptrdiff_t>(rotation));
  if (*rc::gen::arbitrary<bool>()) std::ranges::reverse(shuffled.owners);
  std::ranges::reverse(shuffled.strays);

  auto by_node = [](const DocumentCopies& copies, const Decision& decision) {
    std::map<std::string, std::pair<Finding, Treatment>> verdicts;
    for (std::size_t i = 0; i < copies.owners.size(); ++i) {
      verdicts[copies.owners[i].node] = {decision.owners[i].finding, decision.owners[i].treatment};
    }
    for (std::size_t i = 0; i < copies.strays.size(); ++i) {
      verdicts[copies.strays[i].node] = {decision.strays[i].finding, decision.strays[i].treatment};
    }
    return verdicts;
  };
  const Decision one = decide(given.copies, given.knowledge, given.tie);
  const Decision other = decide(shuffled, given.knowledge, given.tie);
  RC_ASSERT(one.action == other.action);
  RC_ASSERT(one.reason == other.reason);
  RC_ASSERT(by_node(given.copies, one) == by_node(shuffled, other));
  RC_ASSERT(one.winner.has_value() == other.winner.has_value());
  if (one.winner)
    RC_ASSERT(given.copies.owners[*one.winner].node == shuffled.owners[*other.winner].node);
}

// A decision carried out leads to one that leaves everything alone.
RC_GTEST_PROP(DecideProperties, RepairIsFinal, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.tie);
  if (decision.action != Action::kRestore && decision.action != Action::kDelete) return;
  DocumentCopies after = given.copies;
  for (std::size_t i = 0; i < after.owners.size(); ++i) {
    Copy& copy = after.owners[i];
    copy.tainted = false;
    if (decision.owners[i].treatment == Treatment::kDelete) {
      copy = absent(copy.node);
    } else if (decision.owners[i].treatment == Treatment::kReplace) {
      copy = given.copies.owners[*decision.winner];
      copy.node = given.copies.owners[i].node;
    }
  }
  std::vector<Copy> strays;
  for (std::size_t i = 0; i < after.strays.size(); ++i) {
    if (decision.strays[i].treatment != Treatment::kDelete) strays.push_back(after.strays[i]);
  }
  after.strays = strays;
  const Decision again = decide(after, given.knowledge, given.tie);
  for (const Verdict& verdict : again.owners) RC_ASSERT(verdict.treatment == Treatment::kLeave);
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
