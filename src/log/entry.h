#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "meili/api_error.h"

namespace miroir {

// An entry's number: the client's `taskUid`, and (plus the node's offset) the uid of its task on
// every node.
using Position = std::uint64_t;
// Slots and stamps as in node_api/stored_fields.h, which the log does not know.
using EntrySlot = std::uint16_t;
using EntryStamp = std::uint64_t;

enum class Origin { kClient, kAntiEntropy, kTtlExpire, kMove, kSystem };
std::string_view name(Origin origin);

enum class EntryKind {
  kWriteDocuments,   // POST: replace. Body: documents
  kMergeDocuments,   // PUT. Body: documents
  kDeleteDocuments,  // by id. Body: ids; also what a delete by filter becomes when it is resolved.
                     // Of origin kTtlExpire: conditional. Body: ids, with the exact stamps
  kDeleteByFilter,   // arguments.filter, and of which slots (forward/filter_slice.h); has no body
                     // until it is resolved
  kClearDocuments,   // delete-all
  kCreateIndex,
  kUpdateIndex,  // arguments.primaryKey or .newUid; a request with both makes two
  kDropIndex,    // .sparesForeign: not where documents without a stamp are in it
  // Recovery: an index as nodes hold it, of which the log lost the history; no node's business.
  // arguments.primaryKey, .settings, .clientSettings, .replaces (an incarnation)
  kAdoptIndex,
  // arguments: [{"indexes": [a, b], "rename": bool}]; by the log: "incarnations" of the
  // indexes that have these names before it
  kSwapIndexes,
  // No node's business: arguments.entry, which dropped, renamed or swapped the index, failed on
  // every node; .stamp is its. Either .rename (to the name that it had), or .exchange (the name of
  // another; .with: its incarnation, none if it is made so): the documents from before are in the
  // other, whose documents are in this one; .pasts: the settings before it, of those of them that
  // were dropped since, and .since when changes of theirs count. Or .decidedBy: the rename that
  // this waits for. Or .key alone: the entry that gave the index another primary key failed on
  // every node
  kTakeBack,
  // arguments.settings: complete, as every node shall have them; .clientSettings: of those the
  // client's. Of a client's also .change (null: all are reset), and .before: the client's before
  // it. .previous: the position of the settings before these; .without: those that are taken back.
  // Where something is taken back: .base, of which these make what clients' changes after .since do
  kUpdateSettings,
  kPutKey,           // arguments: the key
  kDeleteKey,        // arguments.uid
  kRepairDocuments,  // for one node: documents whole, stored fields included, as they must end.
                     // Body: documents
  kRepairDeletes,    // for one node: conditional. Body: ids, with the exact stamps
  kForgetNodeTasks,  // for one node: its finished tasks first ≤ position < before
  kTaskOperation,    // a client cancelled or deleted tasks: done, and no node's business
};
std::string_view name(EntryKind kind);

// One document, or one id, of an entry's body.
struct BodyRecord {
  EntrySlot slot = 0;
  std::uint64_t checksum =
      0;           // of the content, for whole writes; conditional deletes: exact stamp, 0: none
  std::string id;  // string form
  std::string document;  // JSON text as the client wrote it; empty for deletes
};

struct Entry {
  // The log's; what is given to append() is the least that they may become.
  Position position = 0;
  EntryStamp stamp = 0;  // microseconds since the UNIX epoch; rises strictly with the position
  std::uint64_t run = 0;  // the log's: it was opened so often before this was appended
  Origin origin = Origin::kClient;
  EntryKind kind = EntryKind::kWriteDocuments;
  std::string index_uid;              // empty for swaps and keys
  Position incarnation = 0;           // position of the index's birth; 0 where there is no index
  std::string primary_key;            // of the index at this position; empty if none yet
  std::optional<std::string> target;  // the one node it is for; otherwise all owners of its shards
  Json arguments;                     // by kind
  std::uint64_t body = 0;             // 0: none
  std::uint64_t body_pieces = 0;
  std::uint64_t body_bytes = 0;   // uncompressed
  std::uint64_t body_stored = 0;  // as it lies in the store; filled in by the log
  std::uint64_t records = 0;
  // For entries with a body: the shards (of `shard_count`) that its records touch. Otherwise it
  // touches all.
  std::vector<std::uint32_t> shards;
  std::uint32_t shard_count = 0;

  // The client's view.
  Position task = 0;  // the task this entry belongs to: its own position, or the last part's
  std::string
      task_type;      // Meilisearch's: documentAdditionOrUpdate, …; empty: no task of a client's
  Json task_details;  // as at enqueueing
  std::string custom_metadata;
  std::optional<meili::ApiError> born_failed;  // judged at the append; reaches no node
};

// Where entries are never to be sent: as durable as the entry that says so, whose position their
// outcome names.
struct Voided {
  std::vector<std::pair<Position, std::string>> where = {};  // with the node
  std::function<Json(Position by)> outcome = {};
};

// A drop that is not sent where documents of others would go with it.
bool spares_foreign(const Entry& entry);

// The names of indexes that the entry concerns: its own, a new one, all of a swap.
std::set<std::string> index_names(const Entry& entry);
// …those under which indexes are no more once it is applied: a node that it fails on has them yet,
// but for what is to be spared.
std::set<std::string> names_taken_away(const Entry& entry);

// Makes, changes, renames, swaps or drops indexes, or changes keys: a node that missed it has
// others.
bool is_operation(const Entry& entry);

// A write of documents that nobody held a version of when they were read, at `arguments.readAt`:
// what the log changed since then is left out of it (forward/overtaken.h).
bool is_adoption(const Entry& entry);

// A delete of exactly the copies that its records name, whatever else the documents have become.
bool names_exact_stamps(const Entry& entry);
std::optional<EntryStamp> exact_stamp(const BodyRecord& record);  // of such; nullopt: it has none

std::string encode(const Entry& entry);
Result<Entry> decode_entry(std::string_view text);

}  // namespace miroir
