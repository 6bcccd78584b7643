#include "anti_entropy/decide.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "base/assert.h"

namespace miroir::anti_entropy {
namespace {

using Expiry = std::int64_t;

class Judge {
 public:
  Judge(const DocumentCopies& copies, const Knowledge& knowledge, TieRule tie)
      : copies_(copies), knowledge_(knowledge), tie_(tie) {
    decision_.owners.resize(copies.owners.size());
    decision_.strays.resize(copies.strays.size());
  }

  Decision judge() {
    describe();
    if (std::optional<Stamp> newest = newest_to_count(); !newest) {
      if (any_present()) conclude(Action::kReport, Reason::kForeign);
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

  bool any_present() const {
    return !copies_.strays.empty() || std::ranges::any_of(copies_.owners, &Copy::present);
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

  // Of all copies, whoever holds them; what lies in an index in doubt may be another document of
  // the same name, and counts only where there is nothing else.
  std::optional<Stamp> newest_to_count() const {
    const auto newest = newest_stamp([](const Copy& copy) { return !copy.in_doubt; });
    return newest ? newest : newest_stamp([](const Copy&) { return true; });
  }

  std::optional<Reason> buried_by(Stamp newest) const {
    if (newest <= knowledge_.born) return Reason::kBeforeBirth;
    if (newest <= knowledge_.cleared) return Reason::kCleared;
    if (knowledge_.deleted && newest <= *knowledge_.deleted) return Reason::kDeleted;
    return std::nullopt;
  }

  // Deletes every copy that has a stamp to name it by; one without is only reported.
  void remove_all(Reason reason) {
    remove_if(reason, [](const Copy&) { return true; });
  }

  template <class Predicate>
  void remove_if(Reason reason, Predicate predicate) {
    const bool allowed = all_known();
    auto remove = [&](const Copy& copy, Verdict& verdict) {
      if (!copy.present() || !copy.stored.stamp || !predicate(copy)) return;
      verdict = {Finding::kSurplus, allowed ? Treatment::kDelete : Treatment::kLeave};
    };
    for (std::size_t i = 0; i < copies_.owners.size(); ++i)
      remove(copies_.owners[i], decision_.owners[i]);
    for (std::size_t i = 0; i < copies_.strays.size(); ++i)
      remove(copies_.strays[i], decision_.strays[i]);
    conclude(allowed ? Action::kDelete : Action::kReport,
             allowed ? reason : Reason::kUnknownReplica);
  }

  bool speaks(const Copy& copy) const {
    return copy.in_sync && !copy.tainted && !copy.in_doubt && !revived(copy);
  }

  // Whether what it was merged into had been deleted before: the delete was missed here.
  bool revived(const Copy& copy) const {
    return copy.stored.base && copy.stored.stamp && buried_by(*copy.stored.base) &&
           !buried_by(*copy.stored.stamp);
  }

  std::vector<std::size_t> trusted() const {
    std::vector<std::size_t> sources;
    for (std::size_t i = 0; i < copies_.owners.size(); ++i) {
      const Copy& copy = copies_.owners[i];
      if (copy.present() && speaks(copy) && copy.stored.stamp &&
          !copy.contradicts_itself(copies_.id)) {
        sources.push_back(i);
      }
    }
    return sources;
  }

  static bool being_healed(const Copy& copy) { return !copy.in_sync || copy.in_doubt; }

  // Tainted all alike: what failed on one of them failed on all, and did not happen.
  bool agreed() const {
    const Copy& first = copies_.owners.front();
    return all_known() && copies_.strays.empty() &&
           std::ranges::any_of(copies_.owners, &Copy::in_sync) &&
           std::ranges::all_of(copies_.owners, [&](const Copy& copy) {
             return copy.present() && same(copy, first) && !copy.in_doubt && !revived(copy) &&
                    !copy.contradicts_itself(copies_.id);
           });
  }

  // No copy may be copied from. Where every replica in sync agrees that there is no such document,
  // it is deleted from those that are being healed; otherwise nothing can be known.
  void without_source() {
    if (agreed()) {
      for (Verdict& verdict : decision_.owners) verdict = {};
      return;
    }
    bool corrupt = false;
    bool peers_agree = false;   // at least one replica in sync says that there is none…
    bool peers_differ = false;  // …and none says otherwise
    for (const Copy& copy : copies_.owners) {
      if (being_healed(copy)) continue;
      if (copy.present() && copy.stored.stamp && copy.contradicts_itself(copies_.id))
        corrupt = true;
      if (copy.presence == Presence::kAbsent && !copy.tainted) {
        peers_agree = true;
      } else {
        peers_differ = true;
      }
    }
    const bool on_owners_being_healed = std::ranges::any_of(
        copies_.owners, [](const Copy& copy) { return copy.present() && being_healed(copy); });
    if (corrupt) {
      conclude(Action::kQuarantine, Reason::kNoGoodCopy);
    } else if (peers_agree && !peers_differ && on_owners_being_healed && copies_.strays.empty()) {
      remove_if(Reason::kAbsentOnPeers, being_healed);
    } else {
      conclude(Action::kReport, Reason::kNoSource);
    }
  }

  const Copy& owner(std::size_t i) const { return copies_.owners[i]; }

  static bool same(const Copy& a, const Copy& b) {
    return a.stored.stamp == b.stored.stamp && a.stored.base == b.stored.base && says(a) == says(b);
  }

  // The expiry is no part of the content, and one that is another is a difference.
  static std::pair<Hash128, Expiry> says(const Copy& copy) {
    return {copy.content, copy.stored.expires_at.value_or(std::numeric_limits<Expiry>::max())};
  }

  void elect(std::vector<std::size_t> sources, Stamp newest) {
    std::optional<Stamp> best;
    for (std::size_t i : sources) best = std::max(best, owner(i).stored.stamp);
    if (*best < newest) {
      // Going back to the older copy could lose an acknowledged write.
      conclude(Action::kQuarantine, Reason::kNewerUntrusted);
      return;
    }
    std::erase_if(sources, [&](std::size_t i) { return owner(i).stored.stamp != best; });
    Reason reason = Reason::kHighestStamp;
    if (!settle_tie(sources, reason)) {
      conclude(Action::kQuarantine, Reason::kTie);
      return;
    }
    decision_.winner = *std::ranges::min_element(
        sources, [&](std::size_t a, std::size_t b) { return owner(a).node < owner(b).node; });
    const Copy& winner = owner(*decision_.winner);
    const std::int64_t now_ms =
        std::chrono::duration_cast<Milliseconds>(knowledge_.now.time_since_epoch()).count();
    if (winner.stored.expires_at && *winner.stored.expires_at <= now_ms) {
      remove_all(Reason::kExpired);
      return;
    }
    restore(winner, reason);
  }

  // Leaves only equal sources; false where nothing tells who is right.
  bool settle_tie(std::vector<std::size_t>& sources, Reason& reason) const {
    auto alike = [&] {
      return std::ranges::all_of(
          sources, [&](std::size_t i) { return same(owner(i), owner(sources.front())); });
    };
    if (alike()) return true;

    std::optional<Stamp> base;
    for (std::size_t i : sources) base = std::max(base, owner(i).stored.base);
    std::erase_if(sources, [&](std::size_t i) { return owner(i).stored.base != base; });
    reason = Reason::kGreaterBase;
    if (alike()) return true;

    if (std::ranges::any_of(sources, [&](std::size_t i) { return owner(i).checksum_holds(); })) {
      std::erase_if(sources, [&](std::size_t i) { return !owner(i).checksum_holds(); });
      reason = Reason::kChecksum;
      if (alike()) return true;
    }

    std::map<std::pair<Hash128, Expiry>, std::size_t> votes;
    for (std::size_t i : sources) ++votes[says(owner(i))];
    for (const auto& [said, count] : votes) {
      if (count * 2 <= sources.size()) continue;
      std::erase_if(sources, [&](std::size_t i) { return says(owner(i)) != said; });
      reason = Reason::kMajority;
      return true;
    }
    const auto greatest = votes.rbegin()->first;
    const bool only_expiry = votes.begin()->first.first == greatest.first;
    if (tie_ == TieRule::kQuarantine && !only_expiry) return false;
    std::erase_if(sources, [&](std::size_t i) { return says(owner(i)) != greatest; });
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

  // Only once every owner holds what the stray holds.
  void remove_strays(Stamp held) {
    bool any = false;
    const bool allowed = all_known();
    for (std::size_t i = 0; i < copies_.strays.size(); ++i) {
      if (!copies_.strays[i].stored.stamp || *copies_.strays[i].stored.stamp > held) continue;
      any = true;
      decision_.strays[i] = {Finding::kStray, allowed ? Treatment::kDelete : Treatment::kLeave};
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
  TieRule tie_;
  Decision decision_;
};

}  // namespace

Decision decide(const DocumentCopies& copies, const Knowledge& knowledge, TieRule tie) {
  return Judge(copies, knowledge, tie).judge();
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {Reason::kEqual, "equal", "all copies are equal"},
      {Reason::kMissing, "missing",
       "absent on some replicas, and nothing says that it was deleted"},
      {Reason::kHighestStamp, "highest_stamp", "the highest stamp wins"},
      {Reason::kGreaterBase, "greater_base",
       "equal stamps: the copy with the newer whole write under it wins"},
      {Reason::kChecksum, "checksum",
       "equal stamps: the copy that agrees with its own checksum wins"},
      {Reason::kMajority, "majority", "equal stamps: most replicas hold this content"},
      {Reason::kLaterExpiry, "later_expiry",
       "equal stamps, equal but for the expiry: the later one wins, none being the latest"},
      {Reason::kTieHash, "tie_hash",
       "equal stamps, nothing else to tell: the greater hash wins, as configured"},
      {Reason::kDeleted, "deleted", "it was deleted after its newest copy was written"},
      {Reason::kCleared, "cleared", "all documents were deleted after its newest copy was written"},
      {Reason::kBeforeBirth, "before_birth", "its newest copy is older than the index"},
      {Reason::kExpired, "expired", "the winning copy has expired"},
      {Reason::kAbsentOnPeers, "absent_on_peers",
       "only replicas that are being healed hold it; those in sync agree that there is none"},
      {Reason::kInDoubt, "in_doubt",
       "an operation on the whole index failed where the newest copy is: it may be another "
       "index's"},
      {Reason::kStray, "stray", "a node that does not own it holds a copy that its owners have"},
      {Reason::kForeign, "foreign", "written behind Miroir's back: it has no stamp"},
      {Reason::kTie, "tie", "equal stamps, different contents, and nothing tells who is right"},
      {Reason::kNoGoodCopy, "no_good_copy",
       "every copy contradicts its own checksum, slot or digest"},
      {Reason::kNewerUntrusted, "newer_untrusted",
       "the newest copy is one that cannot be trusted, and the others are older"},
      {Reason::kImpossibleStamp, "impossible_stamp",
       "a copy's stamp is beyond the newest of the log"},
      {Reason::kNoSource, "no_source", "no replica in sync holds a copy that could be copied"},
      {Reason::kUnknownReplica, "unknown_replica",
       "it ought to be deleted, but a replica could not be read"},
  };
  return all;
}

namespace {
const Rule& rule(Reason reason) {
  const Rule& found = rules()[static_cast<std::size_t>(reason)];
  MIROIR_ASSERT(found.reason == reason);
  return found;
}
}  // namespace

std::string_view code(Reason reason) { return rule(reason).code; }
std::string_view sentence(Reason reason) { return rule(reason).sentence; }

std::string_view name(Action action) {
  switch (action) {
    case Action::kNone:
      return "none";
    case Action::kRestore:
      return "restore";
    case Action::kDelete:
      return "delete";
    case Action::kQuarantine:
      return "quarantine";
    case Action::kReport:
      return "report";
  }
  return "";
}

std::string_view name(Finding finding) {
  switch (finding) {
    case Finding::kRight:
      return "right";
    case Finding::kMissing:
      return "missing";
    case Finding::kOlder:
      return "older";
    case Finding::kUnlike:
      return "unlike";
    case Finding::kCorrupt:
      return "corrupt";
    case Finding::kSurplus:
      return "surplus";
    case Finding::kForeign:
      return "foreign";
    case Finding::kStray:
      return "stray";
    case Finding::kUntrusted:
      return "untrusted";
    case Finding::kImpossible:
      return "impossible";
    case Finding::kUnknown:
      return "unknown";
  }
  return "";
}

}  // namespace miroir::anti_entropy
