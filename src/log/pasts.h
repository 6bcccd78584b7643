#pragma once

#include <limits>
#include <vector>

#include "log/entry.h"

namespace miroir {

// An operation that failed everywhere, and what its index was then given back. Or the entry by
// which a recovery took an index over in the place of another.
struct TakenBack {
  Position at = 0;      // of the entry that takes it back, or over
  Position failed = 0;  // of the operation; where it was taken over, `at`
  Position index = 0;   // incarnations
  Position other = 0;   // with which it exchanged all that was before the operation; 0: with none
  bool operator==(const TakenBack&) const = default;
};

// All that was taken back, in the log's order: an entry names an index that may since have given
// its past to another.
class Pasts {
 public:
  void add(TakenBack one);
  const std::vector<TakenBack>& all() const { return all_; }
  // Of the index that had this incarnation at the operation.
  bool has_taken_back(Position operation, Position incarnation) const;
  // Which index has the past that this one had at `then`; by what was taken back up to `last`.
  Position owner(Position incarnation, Position then,
                 Position last = std::numeric_limits<Position>::max()) const;
  // What may be forgotten when nobody asks any more for operations before that. The newest
  // exchanges are kept all the same: rows of documents that were found out about an index go by
  // them, and stay under its old name as long as a node is away (anti_entropy/unresolved.h).
  static constexpr std::size_t kExchangesKept = 256;
  std::vector<TakenBack> forgettable(Position before) const;
  void forget(const std::vector<TakenBack>& those);

 private:
  std::vector<TakenBack> all_;
  Position newest_exchanged_ = 0;  // operation
};

class Log;
// The index that by now has the taints and tombstones of an entry on this one: those of what was
// just taken back are exchanged a little later.
Position kept_under(const Log& log, Position incarnation, Position position);

}  // namespace miroir
