#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/content_hash.h"
#include "base/hash.h"
#include "base/result.h"
#include "node_api/stored_fields.h"

namespace miroir::anti_entropy {

// Whether a node holds a document. An error, a timeout or a node that lags is unknown, never
// absent.
enum class Presence { kPresent, kAbsent, kUnknown };

// One node's copy of a document (or its absence), as read at a settled moment.
struct Copy {
  std::string node;
  Presence presence = Presence::kUnknown;
  bool in_sync = false;   // the node is, or a recovery took it for this shard
  bool tainted = false;   // an entry of this document failed on this node
  bool harmless = false;  // …and is known to have failed everywhere: it did not happen
  bool in_doubt = false;  // an operation on the whole index did: this may be another index's
  // Its node is not in sync, but a recovery took this copy as it was, and no pass has compared it
  // since: as good a source as any, unless it may be from before the recovery, or what came after
  // that is not known in full (a delete by filter). One in doubt is obscured where a recovery took
  // others though they were behind.
  enum class TakenOver { kNo, kObscured, kYes };
  TakenOver taken_over = TakenOver::kNo;
  // Since the node was last in sync it was not sent all entries (they were not kept).
  bool missed_entries = false;
  // Of what only replicas that are being healed hold: what the log knows of its writes (harvest.h).
  enum class Standing { kUnasked, kVouched, kUnknown, kRefuted };
  Standing standing = Standing::kUnasked;
  // …and whether it is a write of the log's, the newest that failed on any owner: what those lack
  // that are tainted. A PUT only where the log says what it landed on.
  bool is_what_failed = false;
  // Its node is not in sync, but it is the version that its peers hold, and the log says which
  // whole write it was merged into, which they lack: a source.
  bool is_as_logged = false;
  StoredFields stored;  // the rest only where present
  Hash128 content;      // of the document without the stored fields and vectors
  std::string text;     // as the node answered

  bool present() const { return presence == Presence::kPresent; }
  // The checksum speaks of the content only while nothing was merged into the document since its
  // last whole write.
  bool checksum_counts() const;
  bool checksum_holds() const;
  // Whether slot, digest or checksum are not those of what the copy holds.
  bool contradicts_itself(std::string_view id) const;
};

// A document with all its copies: one for each replica, and those found on nodes that do not own
// its slot.
struct DocumentCopies {
  std::string id;
  std::vector<Copy> owners;
  std::vector<Copy> strays;  // present ones only
};

// Canonical hash of what a node answered, or (kNode) was sent, without the stored fields, the
// expiry and `_vectors` (which are shown only when asked for, and may be the node's own).
Result<Hash128> content_of(std::string_view text, const FieldNames& names,
                           DecimalReading reading = DecimalReading::kNearest);

}  // namespace miroir::anti_entropy
