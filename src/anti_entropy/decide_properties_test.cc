// Whatever the copies are.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "anti_entropy/copies_fake.h"
#include "anti_entropy/decide.h"

namespace miroir::anti_entropy {
namespace {

rc::Gen<Copy> any_copy(std::string node) {
  return rc::gen::exec([node] {
    const int kind = *rc::gen::inRange(0, 12);
    if (kind == 0) return unknown(node);
    Copy copy = absent(node);
    if (kind == 1) copy = foreign(node, *rc::gen::inRange<std::uint64_t>(1, 3));
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
    copy.harmless = copy.tainted && *rc::gen::arbitrary<bool>();
    copy.in_doubt = copy.tainted && *rc::gen::arbitrary<bool>();
    copy.missed_entries = !copy.in_sync && *rc::gen::arbitrary<bool>();
    using enum Copy::Standing;
    copy.standing = *rc::gen::element(kUnasked, kVouched, kVouched, kUnknown, kRefuted);
    return copy;
  });
}

struct Case {
  DocumentCopies copies;
  Knowledge knowledge;
  Policy policy;
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
  given.knowledge.horizon = *rc::gen::element<Stamp>(0, 0, kOld, kNew);
  given.knowledge.cleared = *rc::gen::element<Stamp>(0, 0, 0, kOld);
  given.policy.tie = *rc::gen::element(TieRule::kQuarantine, TieRule::kHash);
  given.policy.foreign = *rc::gen::element(ForeignDocuments::kReport, ForeignDocuments::kAdopt,
                                           ForeignDocuments::kRemove);
  return given;
}

RC_GTEST_PROP(DecideProperties, NeverDeletesWhileAReplicaIsUnknown, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  const bool any_unknown = std::ranges::any_of(
      given.copies.owners, [](const Copy& copy) { return copy.presence == Presence::kUnknown; });
  if (!any_unknown) return;
  for (const Verdict& verdict : decision.owners) RC_ASSERT(verdict.treatment != Treatment::kDelete);
  for (const Verdict& verdict : decision.strays) RC_ASSERT(verdict.treatment != Treatment::kDelete);
}

RC_GTEST_PROP(DecideProperties, DeletesOnlyWhereAPeerInSyncIsNotInDoubt, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  if (decision.action != Action::kDelete) return;
  const auto& owners = given.copies.owners;
  RC_ASSERT(
      std::ranges::any_of(owners, [](const Copy& copy) { return copy.in_sync && !copy.in_doubt; }));
  const Knowledge& known = given.knowledge;
  const Stamp buried = std::max({known.born, known.cleared, known.deleted.value_or(0)});
  const bool by_knowledge = decision.reason == Reason::kDeleted ||
                            decision.reason == Reason::kCleared ||
                            decision.reason == Reason::kBeforeBirth;
  const bool newer = std::ranges::any_of(
      owners, [&](const Copy& copy) { return copy.present() && copy.stored.stamp > buried; });
  RC_ASSERT(!by_knowledge || !newer || std::ranges::any_of(owners, [](const Copy& copy) {
    return copy.in_sync && !copy.tainted;
  }));
}

RC_GTEST_PROP(DecideProperties, WinnerIsTrustedAndNoCopyIsNewerExceptInAnIndexInDoubt, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  if (!decision.winner || decision.action == Action::kAdopt) return;
  const Copy& winner = given.copies.owners[*decision.winner];
  const bool harvested = !winner.in_sync;
  RC_ASSERT(winner.present() && !winner.contradicts_itself(kId));
  RC_ASSERT(!winner.tainted || std::ranges::all_of(given.copies.owners, [&](const Copy& copy) {
    return !copy.in_sync || copy.in_doubt ||
           (copy.stored.stamp == winner.stored.stamp && copy.stored.base == winner.stored.base &&
            copy.stored.expires_at == winner.stored.expires_at && copy.content == winner.content &&
            (copy.harmless || !copy.tainted));
  }));
  RC_ASSERT(!harvested || (winner.standing == Copy::Standing::kVouched && !winner.in_doubt &&
                           winner.stored.base > given.knowledge.horizon));
  for (const auto* group : {&given.copies.owners, &given.copies.strays}) {
    for (const Copy& copy : *group) {
      const bool dismissed =
          copy.in_doubt || (harvested && copy.standing == Copy::Standing::kRefuted);
      RC_ASSERT(dismissed || copy.stored.stamp <= winner.stored.stamp);
    }
  }
}

RC_GTEST_PROP(DecideProperties, AdoptsOnlyWhereNobodyHoldsAVersionAndEveryOwnerIsTold, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  const auto& [id, owners, strays] = given.copies;
  const bool adopts = decision.action == Action::kAdopt;
  for (const Verdict& verdict : decision.owners)
    RC_ASSERT((verdict.treatment == Treatment::kAdopt) == adopts);
  for (const Verdict& verdict : decision.strays) RC_ASSERT(verdict.treatment != Treatment::kAdopt);
  if (!adopts) return;
  RC_ASSERT(given.policy.foreign == ForeignDocuments::kAdopt && !given.knowledge.deleted);
  const Copy* winner = winner_of(given.copies, decision);
  RC_ASSERT(winner != nullptr && winner->present() && !winner->tainted && !winner->missed_entries);
  for (const auto* group : {&owners, &strays})
    for (const Copy& copy : *group) RC_ASSERT(!copy.stored.stamp);
}

RC_GTEST_PROP(DecideProperties, CopiesWithoutAStampAreDeletedOnlyWhereTheyAreNotWanted, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  if (given.policy.foreign != ForeignDocuments::kReport) return;
  for (std::size_t i = 0; i < given.copies.owners.size(); ++i)
    if (decision.owners[i].treatment == Treatment::kDelete)
      RC_ASSERT(given.copies.owners[i].stored.stamp.has_value());
  for (std::size_t i = 0; i < given.copies.strays.size(); ++i)
    if (decision.strays[i].treatment == Treatment::kDelete)
      RC_ASSERT(given.copies.strays[i].stored.stamp.has_value());
}

RC_GTEST_PROP(DecideProperties, UnknownCopiesAndWinnersAreNeverTouched, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  for (std::size_t i = 0; i < given.copies.owners.size(); ++i) {
    const Verdict& verdict = decision.owners[i];
    if (given.copies.owners[i].presence == Presence::kUnknown)
      RC_ASSERT(verdict.treatment == Treatment::kLeave);
    if (decision.winner == i) RC_ASSERT(verdict.treatment != Treatment::kReplace);
    if (verdict.treatment == Treatment::kReplace) RC_ASSERT(decision.winner.has_value());
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
  const Decision one = decide(given.copies, given.knowledge, given.policy);
  const Decision other = decide(shuffled, given.knowledge, given.policy);
  RC_ASSERT(one.action == other.action);
  RC_ASSERT(one.reason == other.reason);
  RC_ASSERT(by_node(given.copies, one) == by_node(shuffled, other));
  RC_ASSERT(one.winner.has_value() == other.winner.has_value());
  if (one.winner) RC_ASSERT(winner_of(given.copies, one)->node == winner_of(shuffled, other)->node);
}

// A decision carried out leads to one that leaves everything alone.
RC_GTEST_PROP(DecideProperties, RepairIsFinal, ()) {
  const Case given = any_case();
  const Decision decision = decide(given.copies, given.knowledge, given.policy);
  if (decision.action != Action::kRestore && decision.action != Action::kAdopt &&
      decision.action != Action::kDelete)
    return;
  DocumentCopies after = given.copies;
  for (std::size_t i = 0; i < after.owners.size(); ++i) {
    Copy& copy = after.owners[i];
    copy.tainted = copy.in_doubt = false;
    if (decision.owners[i].treatment == Treatment::kDelete) {
      copy = absent(copy.node);
    } else if (decision.owners[i].treatment == Treatment::kReplace) {
      copy = given.copies.owners[*decision.winner];
      copy.node = given.copies.owners[i].node;
    } else if (decision.owners[i].treatment == Treatment::kAdopt) {
      copy = whole(copy.node, kHead);
      copy.content = winner_of(given.copies, decision)->content;
      copy.stored.checksum = checksum_of(copy.content);
    }
  }
  std::vector<Copy> strays;
  for (std::size_t i = 0; i < after.strays.size(); ++i) {
    if (decision.strays[i].treatment != Treatment::kDelete) strays.push_back(after.strays[i]);
  }
  after.strays = strays;
  const Decision again = decide(after, given.knowledge, given.policy);
  // What a delete left, having no stamp.
  if (again.action == Action::kAdopt || again.reason == Reason::kForeignRemoved) return;
  for (const Verdict& verdict : again.owners) RC_ASSERT(verdict.treatment == Treatment::kLeave);
}

}  // namespace
}  // namespace miroir::anti_entropy
