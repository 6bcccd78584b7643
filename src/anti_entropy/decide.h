#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "anti_entropy/copies.h"
#include "anti_entropy/options.h"
#include "base/clock.h"

namespace miroir::anti_entropy {

// What the log knows of a document whose copies are judged.
struct Knowledge {
  std::optional<Stamp> deleted;  // stamp of its tombstone
  bool expired = false;          // which buries one version of it, not what was made of that since
  Stamp swept = 0;               // of the expiry's entry: what was merged before it was passed over
  // …and so it was, as the log says, whatever was merged since. What is not newer than this was
  // dead before what expired was made.
  std::optional<Stamp> passed_over;
  Stamp cleared = 0;             // of the index's newest delete-all
  Stamp born = 0;                // of the index's birth
  Stamp newest = 0;              // the log's newest, read after the copies
  Stamp horizon = 0;  // what is not newer may have been deleted, and nothing tells of it any more
  WallTime now = WallTime::min();  // what expired by then is to go
};

// What the configuration says where the copies do not.
struct Policy {
  TieRule tie = TieRule::kQuarantine;
  ForeignDocuments foreign = ForeignDocuments::kReport;
};

enum class Action {
  kNone,        // the copies are as they must be
  kRestore,     // the winner's copy goes where it is missing or another
  kAdopt,       // the winner, which has no stamp, becomes a new version of the document
  kDelete,      // copies are deleted
  kQuarantine,  // nobody wins: nothing is touched, a person must look
  kReport,      // what ought to be done may not be done now
};
std::string_view name(Action action);

// Which rule decided. docs/deciding.md has one row for each.
enum class Reason {
  kEqual,
  kMissing,
  kHighestStamp,
  kGreaterBase,
  kChecksum,
  kMajority,
  kLaterExpiry,
  kTieHash,
  kDeleted,
  kCleared,
  kBeforeBirth,
  kExpired,
  kAbsentOnPeers,
  kHarvested,
  kMaybeDeleted,
  kInDoubt,
  kStray,
  kForeign,
  kForeignAdopted,
  kForeignRemoved,
  kTie,
  kNoGoodCopy,
  kNewerUntrusted,
  kImpossibleStamp,
  kNoSource,
  kUnknownReplica,
};
struct Rule {
  Reason reason;
  std::string_view code;      // for metrics, audit rows and tests
  std::string_view sentence;  // for people
};
const std::vector<Rule>& rules();
std::string_view code(Reason reason);
std::string_view sentence(Reason reason);

// What a copy is, compared with the decision, and what is to be done about it.
enum class Finding {
  kRight,
  kMissing,
  kOlder,
  kUnlike,
  kCorrupt,
  kSurplus,
  kForeign,
  kStray,
  kUntrusted,
  kImpossible,
  kUnknown,
};
std::string_view name(Finding finding);
enum class Treatment {
  kLeave,
  kReplace,  // by the winner's copy as it is
  kAdopt,    // by the winner's content, with stored fields of its own
  kDelete,
};
std::string_view name(Treatment treatment);
struct Verdict {
  Finding finding = Finding::kRight;
  Treatment treatment = Treatment::kLeave;
  bool operator==(const Verdict&) const = default;
};

struct Decision {
  Action action = Action::kNone;
  Reason reason = Reason::kEqual;
  std::optional<std::size_t> winner;  // index into owners; beyond them, where adopted, into strays
  std::vector<Verdict> owners;        // one for each copy, in their order
  std::vector<Verdict> strays;
};

// The copy that won; nullptr: nobody did.
const Copy* winner_of(const DocumentCopies& copies, const Decision& decision);

// What is to be done about a settled document (DESIGN.md, "Deciding"). Pure: depends on nothing but
// its arguments, and not on the order of the copies. Never deletes while a replica is unknown.
Decision decide(const DocumentCopies& copies, const Knowledge& knowledge, Policy policy);

}  // namespace miroir::anti_entropy
