#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "store/store.h"

namespace miroir::sim {

// Watches from outside what Miroir keeps of its passes and their repairs: a pass with all that it
// wrote until it ended so long ago, and not once another one has ended since. One that a crash cut
// off ends when the next Miroir begins.
class AuditWitness {
 public:
  AuditWitness(const Clock& clock, Microseconds retention) : clock_(clock), retention_(retention) {}

  // Of Miroir's store, as it happens.
  void committed(const Batch& batch);
  void store_copied() { copy_ = kept_; }
  // To what it was when it was copied, or to nothing.
  void store_went_back(bool copied) { kept_ = copied ? copy_ : Kept(); }
  // Before the wall clock is set: what was decided by it may be written later.
  void note_time() { noted_.emplace_back(clock_.now(), clock_.wall_now()); }

  // What can be read of it, newest first, once this Miroir has ended a pass.
  void check_passes(const Json& read) { check("pass", kept_.passes, read); }
  void check_repairs(const Json& read) { check("repair", kept_.repairs, read); }
  // So often it changed: what is read meanwhile may be either.
  std::uint64_t changes() const { return changes_; }
  // Of all that was written, newest first, what is forgotten by now as well.
  std::vector<Json> repairs() const;

  std::vector<std::string> take_wrong() { return std::exchange(wrong_, {}); }

 private:
  using Rows = std::map<std::string, std::string>;
  // What the wall clock was when something was decided that is written now is between these.
  struct Time {
    WallTime from;
    WallTime to;
  };
  struct Kept {
    Rows passes;
    Rows repairs;
    Rows all_repairs;
    std::map<std::uint64_t, Time> ends;  // of passes, also of those that are forgotten
    Time last_end;
    Time looked_at;  // the end of the last one behind which another began
  };
  Time time() const;
  void put(const Batch::Change& change);
  void erased(const Batch::Change& change);
  void forgotten(const Batch::Change& change);
  bool may_go(std::uint64_t pass) const;
  bool must_be_gone(std::uint64_t pass) const;
  void check(const std::string& what, const Rows& rows, const Json& read);

  const Clock& clock_;
  Microseconds retention_;
  Kept kept_;
  Kept copy_;
  std::vector<std::pair<Instant, WallTime>> noted_;
  std::uint64_t changes_ = 0;
  std::vector<std::string> wrong_;
};

}  // namespace miroir::sim
