#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "anti_entropy/options.h"
#include "anti_entropy/settle.h"
#include "cluster/topology.h"
#include "log/entry.h"
#include "store/store.h"

namespace miroir::anti_entropy {

// Whether carrying the decision out deletes copies, or overwrites one of several with equal stamps.
// What is done in an index in doubt on one node is not counted: there something is known to be
// wrong.
bool needs_agreement(const Judged& judged);

// Invariant 7: deletes and tie-breaks beyond a share of a shard stop, in this pass and in those
// that follow, until a person agrees. Rows of kMeta, so that a restart forgets nothing. One for the
// process; asked by one pass at a time.
class Breaker {
 public:
  struct Trip {
    std::string index;
    Position incarnation = 0;
    Position exchanged_at = 0;  // with another's past nothing of it was stopped, nor agreed to
    ShardId shard = 0;
    std::uint64_t pass = 0;       // the pass that was stopped…
    bool deep = false;            // …and its kind
    std::uint64_t documents = 0;  // that wait, as the newest pass saw it; approved: may still go
    std::uint64_t limit = 0;      // of one pass, without agreement
    bool approved = false;        // they may be carried out, once
  };

  Breaker(Store& store, BreakerOptions options) : store_(store), options_(options) {}
  Async<Result<void>> load();

  void begin(std::uint64_t pass, bool deep);
  struct Place {
    std::string index;
    Position incarnation = 0;
    Position exchanged_at = 0;
    ShardId shard = 0;
  };
  // Whether so many more documents of a shard of `size` documents may be deleted or overwritten
  // now; otherwise they wait.
  Async<Result<bool>> admit(Place place, std::uint64_t documents, std::uint64_t size);
  // Whether nothing is let through until a person agrees. Then what waits there in this pass is not
  // all counted.
  bool awaits(const Place& place);
  // Whether admit() depends on the shard's size at all.
  bool depends_on_size(const Place& place, std::uint64_t documents) const;
  // The pass has compared these shards of the index, whole, and some of them by content: what does
  // not wait there any more is over; what a deep pass stopped, only where contents were compared.
  Async<Result<void>> compared(Position incarnation, std::set<ShardId> shards,
                               std::set<ShardId> by_content);

  // Lets what the pass left waiting be carried out by the next; how many documents. 0: nothing
  // waits because of that pass.
  Async<Result<std::uint64_t>> approve(std::uint64_t pass);
  std::vector<Trip> trips() const;
  // Of indexes that are no more.
  Async<Result<void>> forget_all_but(std::set<Position> incarnations);

 private:
  using Key = std::pair<Position, ShardId>;
  struct Tally {
    std::uint64_t admitted = 0;  // that nobody had to agree to
    std::uint64_t waiting = 0;
    bool more = false;  // wait than were counted
  };
  const Trip* find(const Place& place) const;  // nullptr: nothing waits there
  Async<Result<void>> save(Trip trip);
  Async<Result<void>> erase(Key key);

  Store& store_;
  BreakerOptions options_;
  std::uint64_t pass_ = 0;
  bool deep_ = false;
  std::map<Key, Trip> trips_;
  std::map<Key, Tally> tallies_;  // of this pass
};

}  // namespace miroir::anti_entropy
