#include "anti_entropy/decide.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

namespace miroir::anti_entropy {
namespace {

using Expiry = std::int64_t;

class Judge {
 public:
  Judge(const DocumentCopies& copies, const Knowledge& knowledge, Policy policy)
      : copies_(copies), knowledge_(knowledge), policy_(policy) {
    decision_.owners.resize(copies.owners.size());
    decision_.strays.resize(copies.strays.size());
  }

  Decision judge() {
    describe();
    if (std::optional<Stamp> newest = newest_to_count(); !newest) {
      if (!present().empty()) judge_foreign();
    } else if (*newest_stamp([](const Copy&) { return true; }) > knowledge_.newest) {
      conclude(Action::kQuarantine, Reason::kImpossibleStamp);
    } else if (std::optional<Reason> buried = buried_by(*newest)) {
      remove_all(*buried);
    } else if (std::vector<std::size_t> sources = trusted(); sources.empty()) {
      without_source();
    } else {
      elect(std::move(sources), *newest);
    }
    return std::move(decision_);
  }

 private:
  // The findings that hold whoever wins.
  void describe() {
    auto describe_one = [&](const Copy& copy, Verdict& verdict) {
      if (copy.presence == Presence::kUnknown) {
        verdict.finding = Finding::kUnknown;
      } else if (copy.presence == Presence::kAbsent) {
        verdict.finding = Finding::kRight;
      } else if (!copy.stored.stamp) {
        verdict.finding = Finding::kForeign;
      } else if (*copy.stored.stamp > knowledge_.newest) {
        verdict.finding = Finding::kImpossible;
      } else if (copy.contradicts_itself(copies_.id)) {
        verdict.finding = Finding::kCorrupt;
      } else if (!speaks(copy)) {
        verdict.finding = Finding::kUntrusted;
      }
    };
    for (std::size_t i = 0; i < copies_.owners.size(); ++i) {
      describe_one(copies_.owners[i], decision_.owners[i]);
    }
    for (std::size_t i = 0; i < copies_.strays.size(); ++i) {
      describe_one(copies_.strays[i], decision_.strays[i]);
      if (decision_.strays[i].finding == Finding::kRight)
        decision_.strays[i].finding = Finding::kStray;
    }
  }

  void conclude(Action action, Reason reason) {
    decision_.action = action;
    decision_.reason = reason;
  }

  bool all_known() const {
    return std::ranges::none_of(
        copies_.owners, [](const Copy& copy) { return copy.presence == Presence::kUnknown; });
  }

  template <class Predicate>
  std::optional<Stamp> newest_stamp(Predicate predicate) const {
    std::optional<Stamp> newest;
    for (const auto* group : {&copies_.owners, &copies_.strays}) {
      for (const Copy& copy : *group) {
        if (copy.present() && predicate(copy)) newest = std::max(newest, copy.stored.stamp);
      }
    }
    return newest;
  }

  // Whether a replica in sync has the index itself, and no other in its place.
  bool any_trusted() const {
    return std::ranges::any_of(copies_.owners,
                               [](const Copy& copy) { return copy.in_sync && !copy.in_doubt; });
  }

  // Of all copies, whoever holds them; what lies in an index in doubt may be another document of
  // the same name, and counts only where there is nothing else, or nobody to say what is right, or
  // only who may have missed it.
  std::optional<Stamp> newest_to_count() const {
    const bool any_speaks =
        std::ranges::any_of(copies_.owners, [&](const Copy& copy) { return speaks(copy); });
    const auto newest = newest_stamp([&](const Copy& copy) {
      return !copy.in_doubt || !any_speaks || copy.taken_over == Copy::TakenOver::kObscured;
    });
    return newest ? newest : newest_stamp([](const Copy&) { return true; });
  }

  std::optional<Reason> buried_by(Stamp newest) const {
    if (newest <= knowledge_.born) return Reason::kBeforeBirth;
    if (newest <= knowledge_.cleared) return Reason::kCleared;
    if (knowledge_.deleted && newest <= *knowledge_.deleted) return Reason::kDeleted;
    return std::nullopt;
  }

  // What was deleted before: as if it were not there, where another copy is newer than that.
  bool is_dead(const Copy& copy) const {
    return copy.stored.stamp && buried_by(*copy.stored.stamp);
  }

  // All that is there are copies without a stamp.
  void judge_foreign() {
    switch (policy_.foreign) {
      case ForeignDocuments::kReport:
        return conclude(Action::kReport, Reason::kForeign);
      case ForeignDocuments::kAdopt:
        return adopt();
      case ForeignDocuments::kRemove:
        return remove_if(Reason::kForeignRemoved, [](const Copy&) { return true; });
    }
  }

  // Whether its node carried out every delete before the copy was written there.
  static bool adoptable(const Copy& copy) {
    return copy.present() && !copy.tainted && !copy.in_doubt && !copy.missed_entries;
  }

  void adopt() {
    std::vector<std::size_t> sources;
    for (const std::size_t i : present())
      if (adoptable(copy_at(i))) sources.push_back(i);
    // An expiry or a repair deletes by stamp: what it passed over may be older than the tombstone.
    if (!any_trusted() || sources.empty() || knowledge_.deleted)
      return conclude(Action::kReport, Reason::kForeign);
    if (!all_known()) return conclude(Action::kReport, Reason::kUnknownReplica);

    Reason reason = Reason::kForeignAdopted;
    if (!alike(present())) {
      if (policy_.tie == TieRule::kQuarantine) return conclude(Action::kQuarantine, Reason::kTie);
      reason = Reason::kTieHash;
      keep_greatest(sources);
    }
    elect_first(sources);
    for (std::size_t i = 0; i < copies_.owners.size(); ++i) {
      const Finding finding = owner(i).present() ? Finding::kForeign : Finding::kMissing;
      decision_.owners[i] = {finding, Treatment::kAdopt};
    }
    conclude(Action::kAdopt, reason);
  }

  // One without a stamp is another question.
  void remove_all(Reason reason) {
    const bool foreign = policy_.foreign == ForeignDocuments::kRemove;
    remove_if(reason, [&](const Copy& copy) { return foreign || copy.stored.stamp; });
  }

  template <class Predicate>
  void remove_if(Reason reason, Predicate predicate) {
    // What is known of the index is another's, maybe, where nobody is known to have it.
    const bool allowed = all_known() && any_trusted();
    auto remove = [&](const Copy& copy, Verdict& verdict) {
      if (!copy.present() || !predicate(copy)) return;
      if (verdict.finding != Finding::kForeign) verdict.finding = Finding::kSurplus;
      verdict.treatment = allowed ? Treatment::kDelete : Treatment::kLeave;
    };
    for (std::size_t i = 0; i < copies_.owners.size(); ++i)
      remove(copies_.owners[i], decision_.owners[i]);
    for (std::size_t i = 0; i < copies_.strays.size(); ++i)
      remove(copies_.strays[i], decision_.strays[i]);
    if (!allowed) reason = all_known() ? Reason::kNoSource : Reason::kUnknownReplica;
    conclude(allowed ? Action::kDelete : Action::kReport, reason);
  }

  bool speaks(const Copy& copy) const {
    return (copy.in_sync || copy.is_as_logged || copy.taken_over == Copy::TakenOver::kYes) &&
           !copy.tainted && !copy.in_doubt && !revived(copy);
  }

  // Whether what it was merged into had been deleted before: the delete was missed here.
  bool revived(const Copy& copy) const {
    const auto buried = base_buried_by(copy);
    return buried && !(buried == Reason::kDeleted && outlived_its_expiry(copy));
  }

  std::optional<Reason> base_buried_by(const Copy& copy) const {
    if (!copy.stored.base || !copy.stored.stamp || buried_by(*copy.stored.stamp))
      return std::nullopt;
    return buried_by(*copy.stored.base);
  }

  // A sweep passes over what a PUT has changed in time, and later PUTs go on from there. Where the
  // log does not say so of it, but most that are in sync do, they did not miss it; the others have
  // lost what it was. Where they are divided, the sweep passed over what was merged before it. Who
  // lacks it says nothing: after the sweep the PUT would have made it.
  bool outlived_its_expiry(const Copy& its) const {
    if (!knowledge_.expired) return false;
    if (knowledge_.passed_over && *its.stored.base > *knowledge_.passed_over) return true;
    int passed_over = 0;
    int others = 0;
    for (const Copy& copy : copies_.owners) {
      if (!copy.present() || !copy.in_sync || copy.tainted || copy.in_doubt) continue;
      ++(base_buried_by(copy) == Reason::kDeleted ? passed_over : others);
    }
    if (passed_over == others) return its.stored.stamp < knowledge_.swept;
    return passed_over > others;
  }

  std::vector<std::size_t> trusted() const {
    std::vector<std::size_t> sources;
    for (std::size_t i = 0; i < copies_.owners.size(); ++i) {
      const Copy& copy = copies_.owners[i];
      if (copy.stored.stamp && speaks(copy) && !is_dead(copy) &&
          !copy.contradicts_itself(copies_.id))
        sources.push_back(i);
    }
    return sources;
  }

  static bool being_healed(const Copy& copy) { return !copy.in_sync || copy.in_doubt; }

  // Those in sync, where they are all alike, nobody holds anything newer and what failed on them
  // did not happen. Otherwise somebody had applied it, and may have lost it since.
  std::vector<std::size_t> agreed() const {
    std::vector<std::size_t> peers;
    for (std::size_t i = 0; i < copies_.owners.size(); ++i)
      if (!being_healed(owner(i))) peers.push_back(i);
    if (peers.empty() || !all_known() || !copies_.strays.empty()) return {};
    const Copy& first = owner(peers.front());
    const bool agree = std::ranges::all_of(copies_.owners, [&](const Copy& copy) {
      if (being_healed(copy) && !copy.present()) return true;
      if (!copy.present() || !copy.stored.stamp) return false;
      if (being_healed(copy) && copy.stored.stamp < first.stored.stamp) return true;
      return same(copy, first) && (copy.harmless || being_healed(copy)) && !copy.in_doubt &&
             !revived(copy) && !copy.contradicts_itself(copies_.id);
    });
    return agree ? peers : std::vector<std::size_t>();
  }

  // No copy may be copied from, unless those in sync agree. Where every replica in sync agrees that
  // there is no such document, it is deleted from those that are being healed; otherwise nothing
  // can be known.
  void without_source() {
    if (std::vector<std::size_t> sources = agreed(); !sources.empty()) {
      const Stamp stamp = *owner(sources.front()).stored.stamp;
      return elect(std::move(sources), stamp);
    }
    bool corrupt = false;
    bool peers_agree = false;   // at least one replica in sync says that there is none…
    bool peers_differ = false;  // …and none says otherwise
    for (const Copy& copy : copies_.owners) {
      if (being_healed(copy)) continue;
      if (copy.present() && copy.stored.stamp && copy.contradicts_itself(copies_.id))
        corrupt = true;
      const bool says_none = (copy.presence == Presence::kAbsent || is_dead(copy)) && !copy.tainted;
      (says_none ? peers_agree : peers_differ) = true;
    }
    const bool on_owners_being_healed = std::ranges::any_of(
        copies_.owners, [](const Copy& copy) { return copy.present() && being_healed(copy); });
    if (corrupt) {
      conclude(Action::kQuarantine, Reason::kNoGoodCopy);
    } else if (peers_agree && !peers_differ && on_owners_being_healed && copies_.strays.empty()) {
      lost_or_deleted();
    } else if (std::vector<std::size_t> applied = applied_elsewhere(); !applied.empty()) {
      harvest(applied, *owner(applied.front()).stored.stamp);
    } else {
      conclude(Action::kReport, Reason::kNoSource);
    }
  }

  // What failed on replicas in sync, where one that is healed holds it and nobody anything newer.
  std::vector<std::size_t> applied_elsewhere() const {
    std::vector<std::size_t> sources;
    const std::optional<Stamp> newest = newest_stamp([](const Copy&) { return true; });
    for (std::size_t i = 0; i < copies_.owners.size(); ++i)
      if (owner(i).is_what_failed && owner(i).stored.stamp == newest && harvestable(owner(i)))
        sources.push_back(i);
    return any_trusted() ? sources : std::vector<std::size_t>();
  }

  // A write that those in sync lost, or one whose delete the others missed. Nothing that is known
  // speaks against it; what is newer than the horizon, nothing forgotten does either.
  void lost_or_deleted() {
    std::vector<std::size_t> newer;
    for (const std::size_t i : present()) {
      const Copy& copy = copy_at(i);
      const bool obscured = copy.taken_over == Copy::TakenOver::kObscured;
      // What may be another index's, or is no version that the log ever wrote, is not lost.
      if ((copy.in_doubt && !obscured) || copy.standing == Copy::Standing::kRefuted ||
          is_dead(copy))
        continue;
      if (copy.stored.stamp > knowledge_.horizon || obscured) newer.push_back(i);
    }
    if (newer.empty()) {
      return remove_if(Reason::kAbsentOnPeers, [&](const Copy& copy) {
        return copy.stored.stamp && (being_healed(copy) || is_dead(copy));
      });
    }
    std::optional<Stamp> newest;
    for (const std::size_t i : newer) newest = std::max(newest, owner(i).stored.stamp);
    std::erase_if(newer, [&](std::size_t i) {
      return owner(i).standing != Copy::Standing::kVouched || !harvestable(owner(i));
    });
    if (std::ranges::none_of(newer, [&](std::size_t i) { return owner(i).stored.stamp == newest; }))
      return conclude(Action::kQuarantine, Reason::kMaybeDeleted);
    harvest(std::move(newer), *newest);
  }

  void harvest(std::vector<std::size_t> sources, Stamp newest) {
    elect(std::move(sources), newest);
    if (decision_.action == Action::kRestore) decision_.reason = Reason::kHarvested;
  }

  // Its last whole write must be known not to have been deleted too: a PUT says nothing of that.
  bool harvestable(const Copy& copy) const {
    return !copy.tainted && !revived(copy) && copy.stored.base > knowledge_.horizon &&
           !copy.contradicts_itself(copies_.id);
  }

  const Copy& owner(std::size_t i) const { return copies_.owners[i]; }
  const Copy& copy_at(std::size_t i) const {
    return i < copies_.owners.size() ? owner(i) : copies_.strays[i - copies_.owners.size()];
  }

  std::vector<std::size_t> present() const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < copies_.owners.size() + copies_.strays.size(); ++i)
      if (copy_at(i).present()) found.push_back(i);
    return found;
  }

  static bool same(const Copy& a, const Copy& b) {
    return a.stored.stamp == b.stored.stamp && a.stored.base == b.stored.base && says(a) == says(b);
  }

  // The expiry is no part of the content, and one that is another is a difference.
  static std::pair<Hash128, Expiry> says(const Copy& copy) {
    return {copy.content, copy.stored.expires_at.value_or(std::numeric_limits<Expiry>::max())};
  }

  // Of equal ones, so that the order of the copies does not matter.
  void elect_first(const std::vector<std::size_t>& sources) {
    decision_.winner = *std::ranges::min_element(
        sources, [&](std::size_t a, std::size_t b) { return copy_at(a).node < copy_at(b).node; });
  }

  bool alike(const std::vector<std::size_t>& copies) const {
    return std::ranges::all_of(
        copies, [&](std::size_t i) { return same(copy_at(i), copy_at(copies.front())); });
  }

  void keep_greatest(std::vector<std::size_t>& sources) const {
    const auto its = [&](std::size_t i) { return says(copy_at(i)); };
    const auto greatest = its(*std::ranges::max_element(sources, std::less(), its));
    std::erase_if(sources, [&](std::size_t i) { return its(i) != greatest; });
  }

  void elect(std::vector<std::size_t> sources, Stamp newest) {
    std::optional<Stamp> best;
    for (std::size_t i : sources) best = std::max(best, owner(i).stored.stamp);
    // Going back to the older copy could lose an acknowledged write.
    if (*best < newest) return conclude(Action::kQuarantine, Reason::kNewerUntrusted);
    std::erase_if(sources, [&](std::size_t i) { return owner(i).stored.stamp != best; });
    Reason reason = Reason::kHighestStamp;
    if (!settle_tie(sources, reason)) return conclude(Action::kQuarantine, Reason::kTie);
    elect_first(sources);
    const Copy& winner = owner(*decision_.winner);
    const Decision described = decision_;
    restore(winner, reason);
    // Where all hold it alike there is nothing to repair: it waits for the sweep.
    if (decision_.action == Action::kNone || !has_expired(winner)) return;
    decision_ = described;
    remove_all(Reason::kExpired);
  }

  bool has_expired(const Copy& copy) const {
    const std::int64_t now_ms =
        std::chrono::duration_cast<Milliseconds>(knowledge_.now.time_since_epoch()).count();
    return copy.stored.expires_at && *copy.stored.expires_at <= now_ms;
  }

  // Leaves only equal sources; false where nothing tells who is right.
  bool settle_tie(std::vector<std::size_t>& sources, Reason& reason) const {
    if (alike(sources)) return true;

    std::optional<Stamp> base;
    for (std::size_t i : sources) base = std::max(base, owner(i).stored.base);
    std::erase_if(sources, [&](std::size_t i) { return owner(i).stored.base != base; });
    reason = Reason::kGreaterBase;
    if (alike(sources)) return true;

    if (std::ranges::any_of(sources, [&](std::size_t i) { return owner(i).checksum_holds(); })) {
      std::erase_if(sources, [&](std::size_t i) { return !owner(i).checksum_holds(); });
      reason = Reason::kChecksum;
      if (alike(sources)) return true;
    }

    std::map<std::pair<Hash128, Expiry>, std::size_t> votes;
    for (std::size_t i : sources) ++votes[says(owner(i))];
    for (const auto& [said, count] : votes) {
      if (count * 2 <= sources.size()) continue;
      std::erase_if(sources, [&](std::size_t i) { return says(owner(i)) != said; });
      reason = Reason::kMajority;
      return true;
    }
    const bool only_expiry = votes.begin()->first.first == votes.rbegin()->first.first;
    if (policy_.tie == TieRule::kQuarantine && !only_expiry) return false;
    keep_greatest(sources);
    reason = only_expiry ? Reason::kLaterExpiry : Reason::kTieHash;
    return true;
  }

  void restore(const Copy& winner, Reason reason) {
    bool corrupt = false;
    bool others = false;
    bool missing = false;
    bool behind = false;
    bool overruled = false;  // a newer copy, in an index in doubt
    for (std::size_t i = 0; i < copies_.owners.size(); ++i) {
      const Copy& copy = copies_.owners[i];
      Verdict& verdict = decision_.owners[i];
      if (copy.presence == Presence::kUnknown) continue;
      if (!copy.present()) {
        verdict = {Finding::kMissing, Treatment::kReplace};
        missing = true;
      } else if (verdict.finding == Finding::kCorrupt || verdict.finding == Finding::kForeign) {
        verdict.treatment = Treatment::kReplace;
        (verdict.finding == Finding::kCorrupt ? corrupt : others) = true;
      } else if (!same(copy, winner)) {
        const bool older = *copy.stored.stamp < *winner.stored.stamp;
        verdict = {older ? Finding::kOlder : Finding::kUnlike, Treatment::kReplace};
        behind = behind || older;
        overruled = overruled || *copy.stored.stamp > *winner.stored.stamp;
        others = true;
      } else {
        verdict = {Finding::kRight, Treatment::kLeave};
      }
    }
    if (missing || corrupt || others) {
      if (overruled) {
        reason = Reason::kInDoubt;
      } else if (reason == Reason::kHighestStamp && !others) {
        reason = corrupt ? Reason::kChecksum : Reason::kMissing;
      } else if (reason == Reason::kHighestStamp && !behind && corrupt) {
        reason = Reason::kChecksum;
      }
      conclude(Action::kRestore, reason);
      return;
    }
    remove_strays(*winner.stored.stamp);
  }

  // Only once every owner holds what the stray holds. One without a stamp is to the owners' copies
  // what it would be in the place of one of them; but nobody asked for it to go where it is only
  // reported.
  void remove_strays(Stamp held) {
    bool any = false;
    const bool allowed = all_known();
    for (std::size_t i = 0; i < copies_.strays.size(); ++i) {
      const std::optional<Stamp>& stamp = copies_.strays[i].stored.stamp;
      if (stamp ? *stamp > held : policy_.foreign == ForeignDocuments::kReport) continue;
      any = true;
      decision_.strays[i] = {stamp ? Finding::kStray : Finding::kForeign,
                             allowed ? Treatment::kDelete : Treatment::kLeave};
    }
    if (any) {
      conclude(allowed ? Action::kDelete : Action::kReport,
               allowed ? Reason::kStray : Reason::kUnknownReplica);
    } else if (!copies_.strays.empty()) {
      conclude(Action::kReport, Reason::kForeign);
    }
  }

  const DocumentCopies& copies_;
  const Knowledge& knowledge_;
  Policy policy_;
  Decision decision_;
};

}  // namespace

const Copy* winner_of(const DocumentCopies& copies, const Decision& decision) {
  if (!decision.winner) return nullptr;
  const std::size_t owners = copies.owners.size();
  return *decision.winner < owners ? &copies.owners[*decision.winner]
                                   : &copies.strays[*decision.winner - owners];
}

Decision decide(const DocumentCopies& copies, const Knowledge& knowledge, Policy policy) {
  return Judge(copies, knowledge, policy).judge();
}

}  // namespace miroir::anti_entropy
