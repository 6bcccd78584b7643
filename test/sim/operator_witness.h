#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "cluster/topology.h"
#include "log/entry.h"
#include "sim/witness.h"
#include "store/store.h"

namespace miroir::sim {

// Watches from outside whether passes are as who operates Miroir says: which begin, which repair,
// how much a scheduled one reads, and that it goes on where another one was cut off.
class OperatorWitness {
 public:
  // What its configuration says.
  struct Said {
    bool auto_repair = true;
    std::uint32_t shards_per_pass = 0;  // 0: all
    // Of so many minutes, in which a scheduled deep pass may begin; 0: always.
    std::uint32_t window_minutes = 0;
    std::uint32_t window_period = 0;
  };
  OperatorWitness(const Topology& topology, const Journals& journals, const Clock& clock, Said said)
      : topology_(topology), journals_(journals), clock_(clock), said_(said) {}

  // A person's pass, which has not begun.
  void ordered(std::uint64_t pass, bool repairs) { ordered_[pass] = repairs; }
  // A person pauses passes; the number is for the answer.
  int pausing() { return ++pauses_; }
  void paused(int number);
  void resuming();
  void miroir_died();
  // What is paused, and how far passes are, is as it was then.
  void store_went_back();
  // Of Miroir's store, as it happens.
  void committed(const Batch& batch);

  std::vector<std::string> take_wrong() { return std::exchange(wrong_, {}); }
  // How often it could judge.
  struct Judged {
    std::uint64_t dry_runs = 0;
    std::uint64_t limited = 0;  // passes of some shards
    std::uint64_t resumed = 0;
    std::uint64_t cut = 0;
  };
  const Judged& judged() const { return judged_; }

 private:
  // By the index's incarnation, and the entry by which it last exchanged its past, or 0.
  using Shards = std::map<std::pair<Position, Position>, std::set<ShardId>>;
  // What scheduled deep passes have read already, as Miroir writes it down.
  struct Sweep {
    std::uint64_t pass = 0;
    Shards done;
  };
  struct Begun {
    std::uint64_t pass = 0;
    Instant at;
    bool deep = false;
    bool repairs = true;
    bool scheduled = true;
    std::optional<Sweep> before;
    bool goes_on = false;  // an earlier one had read an index
    bool moved = false;    // indexes changed meanwhile, or what they are suspected of
    bool all_read = false;  // nothing is left for another to go on with
  };
  struct Index {
    Position incarnation = 0;
    Json primary_key;
    bool operator==(const Index&) const = default;
  };
  void changed(const Batch::Change& change);
  void entry_written(const Entry& entry);
  void index_written(const std::string& uid, const Json& row);
  void lose_current();
  void began(const Json& pass);
  void ended(const Json& pass);
  void check_cut(const Begun& its, bool completed);
  void check_round(const Json& pass, const Begun& its);
  void check_read(const Json& pass, const Begun& its);
  std::map<std::string, std::set<ShardId>> read_since(Instant since) const;
  bool has_read_an_index(const Begun& its) const;
  void indexes_change();

  const Topology& topology_;
  const Journals& journals_;
  const Clock& clock_;
  Said said_;
  std::map<std::uint64_t, bool> ordered_;  // pass → whether it repairs
  std::set<std::uint64_t> dry_;
  int pauses_ = 0;
  int void_pauses_ = 0;  // up to this one: somebody said resume since
  std::optional<Instant> paused_;
  std::optional<Begun> current_;
  std::optional<Sweep> sweep_;
  bool goes_on_ = false;
  std::uint64_t in_a_row_ = 0;  // completed scheduled deep passes, none of which ended the round
  std::set<std::string> taints_;
  std::map<std::string, Index> indexes_;
  std::map<Position, Position> exchanged_;  // incarnation → entry
  bool knows_ = true;  // all of these: the store never went back
  std::vector<std::string> wrong_;
  Judged judged_;
};

}  // namespace miroir::sim
