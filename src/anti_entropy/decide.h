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
  Stamp cleared = 0;             // of the index's newest delete-all
  Stamp born = 0;                // of the index's birth
  Stamp newest = 0;              // the log's newest, read after the copies
  WallTime now = WallTime::min();  // what expired by then is to go
};

enum class Action {
  kNone,        // the copies are as they must be
  kRestore,     // the winner's copy goes where it is missing or another
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
  kInDoubt,
  kStray,
  kForeign,
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
enum class Treatment { kLeave, kReplace, kDelete };
struct Verdict {
  Finding finding = Finding::kRight;
  Treatment treatment = Treatment::kLeave;
  bool operator==(const Verdict&) const = default;
};

struct Decision {
  Action action = Action::kNone;
  Reason reason = Reason::kEqual;
  std::optional<std::size_t> winner;  // index into owners
  std::vector<Verdict> owners;        // one for each copy, in their order
  std::vector<Verdict> strays;
};

// What is to be done about a settled document (DESIGN.md, "Deciding"). Pure: depends on nothing but
// its arguments, and not on the order of the copies. Never deletes while a replica is unknown.
Decision decide(const DocumentCopies& copies, const Knowledge& knowledge, TieRule tie);

}  // namespace miroir::anti_entropy
