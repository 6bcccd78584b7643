#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "log/catalogue.h"
#include "log/entry.h"
#include "store/store.h"

namespace miroir {

// The point where everything that changes the log stands in one line: entries get their positions
// and stamps here, in memory, and proposals that wait for a commit share the next one. Where a
// commit fails, all that stood behind it in the line fails with it, and the line goes on from what
// is durable: a position that was seen is never given again, a gap never comes to be.
class Appender {
 public:
  struct Head {
    Position position = 0;
    EntryStamp stamp = 0;
    std::uint64_t run = 0;
    Catalogue catalogue;
    std::uint64_t body_bytes = 0;  // of all bodies of entries
  };
  // What stands in line.
  struct Proposal {
    Batch batch;
    std::vector<std::shared_ptr<const Entry>> entries;  // that are new
    std::int64_t body_bytes = 0;                        // by which Head::body_bytes changes
    // Told in order, before the proposer, whether the batch became durable.
    std::function<void(bool durable)> settled;
  };

  Appender(Store& store, Clock& clock, Executor executor, Head head);

  // What is durable.
  const Head& head() const;
  std::uint64_t run() const;  // Log::run()
  Signal& appended();

  // What stands in line is as good as there for those who judge.
  const Catalogue& tentative_catalogue() const;
  Position next_position() const;
  // Gives the entries their positions and stamps. The proposal they become must stand in line
  // before anything suspends.
  void number(std::vector<Entry>& entries);
  // Returns when the proposal is durable, or kUnavailable: nothing of it happened.
  Async<Result<void>> commit(Proposal proposal);
  // Applies an entry to the tentative catalogue and returns its rows.
  Batch apply(const Entry& entry);
  // Of both catalogues. Its rows are the caller's.
  void bury(Position incarnation);
  void forget_pasts(const std::vector<TakenBack>& those);

 private:
  struct State;
  static Async<void> flush(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;  // shared with a flush that outlives us
};

}  // namespace miroir
