// What the decisions are called: by metrics, the audit and people.
#include "anti_entropy/decide.h"
#include "base/assert.h"

namespace miroir::anti_entropy {

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
      {Reason::kHarvested, "harvested",
       "only replicas that are being healed hold its newest version, and it was written and never "
       "deleted"},
      {Reason::kMaybeDeleted, "maybe_deleted",
       "only replicas that are being healed hold it, and nothing tells whether it was deleted"},
      {Reason::kInDoubt, "in_doubt",
       "an operation on the whole index failed where the newest copy is: it may be another "
       "index's"},
      {Reason::kStray, "stray", "a node that does not own it holds a copy that its owners have"},
      {Reason::kForeign, "foreign", "written behind Miroir's back: it has no stamp"},
      {Reason::kForeignAdopted, "foreign_adopted",
       "written behind Miroir's back: it becomes a version of the document, as configured"},
      {Reason::kForeignRemoved, "foreign_removed",
       "written behind Miroir's back: it is not wanted, as configured"},
      {Reason::kTie, "tie", "equal stamps, different contents, and nothing tells who is right"},
      {Reason::kNoGoodCopy, "no_good_copy",
       "every copy contradicts its own checksum, slot or digest"},
      {Reason::kNewerUntrusted, "newer_untrusted",
       "the newest copy is one that cannot be trusted, and the others are older"},
      {Reason::kImpossibleStamp, "impossible_stamp",
       "a copy's stamp is beyond the newest of the log"},
      {Reason::kNoSource, "no_source", "no replica in sync holds a copy that could be copied"},
      {Reason::kUnknownReplica, "unknown_replica",
       "it ought to be deleted or adopted, but a replica could not be read"},
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
    case Action::kAdopt:
      return "adopt";
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

std::string_view name(Treatment treatment) {
  switch (treatment) {
    case Treatment::kLeave:
      return "leave";
    case Treatment::kReplace:
      return "replace";
    case Treatment::kAdopt:
      return "adopt";
    case Treatment::kDelete:
      return "delete";
  }
  return "";
}

}  // namespace miroir::anti_entropy
