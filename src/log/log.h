#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "log/catalogue.h"
#include "log/entry.h"
#include "log/progress.h"
#include "store/store.h"

namespace miroir {

struct LogOptions {
  Microseconds retention_age = std::chrono::days(7);
  std::uint64_t retention_bytes = 20ULL << 30;
  std::uint64_t tasks_kept = 1'000'000;
  std::uint64_t operations_kept = 10'000;  // on indexes and keys, older than those
  Microseconds stream_age{0};  // bodies younger than this are kept for the change stream
};

// A body on its way into the log: pieces of compressed records, durable before the entry that names
// them is. Dropped without an append it is forgotten (and swept at the next start).
struct Body {
  std::uint64_t id = 0;
  std::uint64_t pieces = 0;
  std::uint64_t bytes = 0;
  std::uint64_t records = 0;
};

// How a client's task ended (or how far it is).
struct TaskEnd {
  std::string status;  // succeeded, failed, canceled
  EntryStamp started = 0;
  EntryStamp finished = 0;
  Json details;
  Json error;
  Position canceled_by = 0;
  // Of each entry, the shards on all of whose owners it failed: only these parts did not happen.
  using FailedParts = std::map<Position, std::vector<std::uint32_t>>;
  FailedParts failed_parts = {};
};

// A document that may differ on one node: entries failed there while they were applied elsewhere.
struct Taint {
  Position incarnation = 0;
  std::string id;  // empty: the whole index on that node (a failed settings or index operation)
  std::string node;
  // The entries that failed, in order. kUnnamed among them: something else did too, which no entry
  // that turns out to have failed everywhere takes away.
  std::vector<Position> failed;
  static constexpr Position kUnnamed = 0;
  Position newest() const { return failed.back(); }
  bool operator==(const Taint&) const = default;
};

struct Tombstone {
  Position incarnation = 0;
  std::string id;
  EntrySlot slot = 0;
  Position position = 0;
  EntryStamp stamp = 0;    // copies up to this one are dead
  bool of_expiry = false;  // its stamp is the expired copy's, older than the entry
};

// At log.retention.bytes. What nodes wait for before they go on, and make room, is taken.
enum class WhenFull { kRefuse, kTake };

// The one durable, totally ordered log, and what is derived from it (tasks, catalogue, tombstones,
// progress). Lives on one thread; the store works elsewhere. append() may be called by many
// coroutines at once: entries get their positions in the order in which they are judged, and become
// visible in that order, once durable.
class Log {
 public:
  // Reads the state back, forgets bodies without an entry.
  static Async<Result<std::unique_ptr<Log>>> open(Store& store, Clock& clock, Metrics& metrics,
                                                  Executor executor, LogOptions options);
  virtual ~Log() = default;

  // Takes records until `next` returns nullopt; pieces of about 1 MiB are stored as they fill.
  virtual Async<Result<Body>> write_body(std::function<Result<std::optional<BodyRecord>>()> next,
                                         WhenFull when_full = WhenFull::kRefuse) = 0;
  // Where no entry names the body, none will: it goes soon, and not only after an hour.
  virtual void discard(const Body& body) = 0;

  // Judges and appends, all or nothing. `judge` runs at the head of the log, with the catalogue as
  // it is there, once at the most, and must not suspend; it returns the entries in order (position,
  // stamp and, where 0, `task` are filled in by the log), or an error that refuses the request.
  // When this returns they are durable. kUnavailable: the store is full or gone; nothing happened.
  using Judge = std::function<Result<std::vector<Entry>>(const Catalogue&, Position next)>;
  virtual Async<Result<std::vector<Entry>>> append(Judge judge,
                                                   WhenFull when_full = WhenFull::kRefuse,
                                                   Voided voided = {}) = 0;
  // The same for entries that take something back, with what they exchange beside the catalogue.
  virtual Async<Result<void>> take_back(Judge judge) = 0;
  virtual Position exchanged() const = 0;  // up to which entry that was done

  virtual Position head() const = 0;  // the newest durable position; 0: none, the first is 1
  virtual EntryStamp head_stamp() const = 0;
  virtual std::uint64_t run() const = 0;  // Entry::run of what is appended now; rises
  virtual Signal& appended() = 0;  // for every rise of the head
  virtual const Catalogue& catalogue() const = 0;  // at the head

  virtual Async<Result<std::shared_ptr<const Entry>>> entry(
      Position position) = 0;  // kNotFound: trimmed
  virtual Async<Result<std::vector<std::shared_ptr<const Entry>>>> entries(Position first,
                                                                           std::size_t limit) = 0;
  // Calls `each` with every record of an entry's body, in order.
  virtual Async<Result<void>> for_each_record(std::shared_ptr<const Entry> entry,
                                              std::function<Result<void>(BodyRecord)> each) = 0;

  // A delete by filter found its ids: durably kDeleteDocuments with this body…
  virtual Async<Result<void>> resolve(Position position, Body ids,
                                      std::vector<std::uint32_t> shards) = 0;
  // …or fails as a whole (an attribute that is not filterable).
  virtual Async<Result<void>> fail_entry(Position position, meili::ApiError error) = 0;

  // Outcomes: only failures, all or none. What is not failed and not beyond `done` is applied.
  using Places = std::vector<std::pair<Position, std::string>>;  // with the node
  virtual Async<Result<void>> record_failures(Places where, Json error) = 0;
  virtual Async<Result<std::map<std::string, Json>>> failures(Position position) = 0;
  virtual Async<Result<void>> save_progress(std::map<std::string, NodeProgress> rows) = 0;
  virtual std::map<std::string, NodeProgress> progress() const = 0;

  // Of indexes as they were `then`. What other entries tainted already is remembered by all.
  virtual Async<Result<void>> add_taints(std::vector<Taint> taints, Position then) = 0;
  // Those that are still as they are given: what failed again meanwhile stays.
  virtual Async<Result<void>> clear_taints(std::vector<Taint> taints) = 0;
  // What the entry alone tainted is so no more: it failed everywhere, and so did not happen.
  virtual Async<Result<void>> untaint(Position position, std::set<std::string> ids) = 0;
  virtual bool tainted(Position incarnation, const std::string& id,
                       const std::string& node) const = 0;
  virtual std::optional<Taint> taint(Position incarnation, const std::string& id,
                                     const std::string& node) const = 0;
  virtual bool any_tainted(Position incarnation) const = 0;
  virtual std::vector<Taint> taints(Position incarnation) const = 0;
  // Those of whole indexes; of dropped ones too, where the drop is what failed.
  virtual std::vector<Taint> index_taints() const = 0;

  // Written in append's transaction, and with resolve(). A document's with the greatest stamp, or
  // the greatest below that one.
  virtual Async<Result<std::optional<Tombstone>>> tombstone(
      Position incarnation, std::string id, std::optional<EntryStamp> below = {}) = 0;
  // The documents of which this delete left one, as long as it is not collected.
  virtual Async<Result<std::vector<std::string>>> deleted_by(Position incarnation,
                                                             Position position) = 0;
  virtual std::uint64_t tombstone_count(const std::string& index_uid) const = 0;
  // A delete of the index of then failed on all owners of these documents: it did not happen.
  virtual Async<Result<void>> void_tombstones(Position incarnation, Position position,
                                              std::vector<std::string> ids) = 0;
  // Drops those with positions up to `before`; the caller knows rule 4.
  virtual Async<Result<void>> collect_tombstones(Position incarnation, Position before) = 0;
  // The greatest stamp of those (0: none was): what is not newer may have been deleted.
  virtual EntryStamp horizon(Position incarnation) const = 0;

  // What touches the document after `position`: what a repair must know ("copy, then replay").
  struct Later {
    bool overtaken = false;        // by a whole write, a delete, a clear, or the index's end
    std::vector<Position> merges;  // PUTs after `position`, rising
  };
  virtual Async<Result<Later>> later_writes(Position incarnation, std::string id,
                                            Position position) = 0;

  // Tasks: views of entries with a task_type. A task that was deleted is gone from here only.
  virtual Async<Result<void>> end_task(Position task, TaskEnd end) = 0;
  virtual Async<Result<std::optional<TaskEnd>>> task_end(Position task) = 0;
  // Of all tasks first … last that ended or were deleted (nullopt).
  virtual Async<Result<std::map<Position, std::optional<TaskEnd>>>> task_ends(Position first,
                                                                              Position last) = 0;
  virtual Async<Result<void>> forget_tasks(std::vector<Position> tasks) = 0;
  // Of a task that was deleted too; nullopt: it has not ended, or is not known any more.
  virtual Async<Result<std::optional<TaskEnd::FailedParts>>> failed_parts(Position task) = 0;

  // DESIGN.md, "Trimming": bodies go by age and size up to what was applied `everywhere`, and only
  // later by size up to `here`, for a node that is away lacks those; entries once tasks `ended`.
  virtual Async<Result<void>> trim(Position everywhere, Position here, Position ended) = 0;
  virtual std::uint64_t bytes() const = 0;  // bodies kept
  virtual Position trimmed() const = 0;     // entries up to here have no body any more
  // Entries up to here are gone, but for those that something refers to, and operations on indexes
  // and keys: nothing else tells a node that missed them what has become of what it holds.
  virtual Position forgotten() const = 0;
  virtual Position operations_forgotten() const = 0;  // …and up to here, these too
};

// The entry of that position; nullptr: it is not kept any more.
Async<Result<std::shared_ptr<const Entry>>> kept_entry(Log& log, Position position);
// From which position on it is so of entries, of all of them; of what is forgotten not told.
Async<Result<Position>> first_where(Log& log, std::function<bool(const Entry&)> is_so);
// Under which a node may have the index still, for what failed there.
Async<Result<std::set<std::string>>> names_not_taken_away(Log& log, Taint taint);

}  // namespace miroir
