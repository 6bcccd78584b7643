#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "cluster/topology.h"
#include "node_api/read_journal_fake.h"
#include "sim/checks.h"
#include "store/store.h"

namespace miroir::sim {

using Journals = std::map<std::string, ReadJournal>;

// Watches a running Miroir from outside: what it writes down of its passes and repairs, against
// what the nodes told it and what they hold. A pass that could not read every replica deletes
// nothing and is not clean (invariant 2); a clean one leaves nothing unlike; `repaired` stands only
// where the replica was seen to hold the winner.
class Witness {
 public:
  // `deletes_max`: what a pass may delete of a shard, and break ties, before somebody agreed.
  Witness(const Topology& topology, const Nodes& nodes, const Journals& journals,
          const Clock& clock, std::uint64_t deletes_max);

  // Of Miroir's store, as it happens.
  void committed(const Batch& batch);
  // The store is another from here on, whose log ends there.
  void store_went_back(std::uint64_t head);
  // A node's task was applied.
  void applied(const std::string& node, const NodeTask& task,
               const std::map<std::string, SimulatedNode::Index>& before);
  const std::vector<Repaired>& repaired() const { return repaired_; }
  const std::vector<Swept>& swept() const { return swept_; }
  const Filtered& filtered() const { return filtered_; }
  // The store went back, and no pass was clean since.
  bool recovering() const { return recovering_; }
  bool pass_runs() const { return !begun_.empty(); }
  // From here on passes may delete more.
  void agreed() { agreed_ = true; }
  // A fault changes what nodes hold, now or up to a moment to come: until then they may be unlike.
  void damaged(Instant until);
  // Before the clock is set: what was decided by it may be written later.
  void note_time();

  std::vector<std::string> take_wrong() { return std::exchange(wrong_, {}); }
  // How often it could judge: a check that never happens proves nothing.
  struct Judged {
    std::uint64_t clean_passes = 0;
    std::uint64_t equal_passes = 0;
    std::uint64_t deletions = 0;
    std::uint64_t repairs = 0;
    std::uint64_t collections = 0;  // of tombstones
  };
  const Judged& judged() const { return judged_; }

 private:
  struct Begun {
    Instant at;
    std::uint64_t head = 0;
    std::set<std::string> held;  // the indexes of which some node held documents
  };
  std::set<std::string> held() const;
  void note_collection(const Batch& batch);
  void entry_written(std::uint64_t position, const std::string& row);
  void pass_written(const Json& pass);
  void pass_was_clean(const Json& pass, const Begun& begun);
  void check_alike(const std::string& which, bool contents);
  void audited(const std::string& key, const Json& row);
  void check_deletion(const Json& row, Instant since);
  void check_agreement(const std::string& key, const Json& row);
  void check_repaired(const Json& row, Instant since);
  const ReadJournal::Answer* told(const std::string& node, const Json& row, Instant since) const;

  const Topology& topology_;
  const Nodes& nodes_;
  const Journals& journals_;
  const Clock& clock_;
  std::uint64_t deletes_max_;
  bool agreed_ = false;
  // By pass, index and shard, since names last meant other indexes: a pass compares those anew.
  std::map<std::tuple<std::uint64_t, std::string, ShardId>, std::uint64_t> deletes_;
  std::set<std::string> counted_;  // keys of rows, which are written again when more is known
  // Positions of repairs of documents, and whether nodes were unlike then, since a store was lost.
  std::map<std::uint64_t, bool> repairs_;
  bool recovering_ = false;
  std::vector<Repaired> repaired_;
  std::map<std::uint64_t, std::int64_t> sweeps_;  // position → Swept::by
  std::vector<Swept> swept_;
  Filtered filtered_;
  WallTime latest_{};
  std::uint64_t head_ = 0;  // of the log
  Instant damaged_until_{};
  std::map<std::uint64_t, Begun> begun_;  // passes that have not ended
  std::vector<std::string> wrong_;
  Judged judged_;
};

}  // namespace miroir::sim
