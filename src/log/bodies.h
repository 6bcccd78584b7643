#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "log/entry.h"
#include "log/log.h"
#include "store/store.h"

namespace miroir {

// A body that no entry names yet.
struct PendingBody {
  std::uint64_t stored = 0;  // compressed bytes
  std::optional<Instant> waits_since;  // its newest piece; nothing: its entry is on its way
  // What its records would delete: an entry that deletes needs tombstones in its own transaction.
  struct Delete {
    std::string id;
    EntrySlot slot = 0;
    EntryStamp exact_stamp = 0;  // where the entry names one
  };
  std::vector<Delete> deletes;
};

// Bodies in kBody (id, piece → records). A row in kMeta says that no entry names a body yet; the
// entry's transaction takes it away. What still has that row at the start is swept, and what waits
// for an entry for longer than a request can.
class Bodies {
 public:
  // Takes away what a process that died left behind.
  static Async<Result<std::unique_ptr<Bodies>>> open(Store& store, Clock& clock);

  Async<Result<Body>> write(std::function<Result<std::optional<BodyRecord>>()> next);
  Async<Result<void>> read(const Entry& entry, std::function<Result<void>(BodyRecord)> each);
  // Whether a record of the entry's body has this id.
  Async<Result<bool>> holds(std::shared_ptr<const Entry> entry, std::string id);

  // The body of an entry about to be committed; nullptr: there is none, or it was swept.
  const PendingBody* pending(std::uint64_t body) const;
  // Adds to the entry's transaction what makes the body its own.
  void adopt(std::uint64_t body, Batch& batch);
  // What became of that transaction.
  void adopted(std::uint64_t body, bool durable);
  // No entry will name it.
  void discard(std::uint64_t body);
  Async<Result<void>> sweep();

  static void erase(std::uint64_t body, Batch& batch);

 private:
  using Hashes = std::shared_ptr<const std::vector<std::uint64_t>>;  // of ids, sorted

  Bodies(Store& store, Clock& clock, std::uint64_t newest)
      : store_(store), clock_(clock), newest_(newest) {}
  Async<Result<Hashes>> hashes_of(const Entry& entry);
  void remember(std::uint64_t body, Hashes hashes);

  Store& store_;
  Clock& clock_;
  std::uint64_t newest_;
  std::unordered_map<std::uint64_t, PendingBody> pending_;
  std::unordered_map<std::uint64_t, Hashes> hashes_;
  std::deque<std::uint64_t> remembered_;  // oldest first
  std::size_t remembered_ids_ = 0;
};

}  // namespace miroir
