#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "cluster/cluster.h"
#include "log/log.h"

namespace miroir {

// The log was lost, or an older copy of it was put back, while the nodes went on (invariant 11).
// Lanes notice it by the tasks that the nodes hold, and raise the log's positions above them; the
// nodes are stale from then on, and nothing of them is changed. Once all of them answer and have
// applied what was written since, each is given a number that is above all, so that it refuses what
// was still on its way from the Miroir that died; then they are taken as they are: the catalogue
// becomes what they hold, stamps go on above theirs, and all are sources again, so that the
// reconciler restores on each what others have; a node that is known to be behind is one only where
// there is no other, else it is healed from them. What the log knows to have failed on a node stays
// known: no index is taken from one where it is in doubt as long as another node holds it, and none
// that was dropped from those that failed to. Nothing is deleted but keys that no node holds; what
// was deleted last, and not on every node, may come back.
class Recovery {
 public:
  Recovery(Log& log, Cluster& cluster, Clock& clock, FieldNames names)
      : log_(log), cluster_(cluster), clock_(clock), names_(std::move(names)) {}
  Async<void> run();

 private:
  struct NodeHolds {
    std::vector<NodeIndex> indexes;
    std::map<std::string, Json> settings;  // by index
    std::map<std::string, Json> keys;      // by uid
    Stamp newest = 0;                      // stamp of a document, where it is beyond the log's
    std::set<std::string> in_doubt;        // names of indexes: another may have it here
    bool holds(const std::string& uid) const { return settings.contains(uid); }
  };
  // Names of indexes on nodes where something failed that is not told by a document; of those that
  // were dropped, too. With the entries for which it may be another index there.
  using Doubts = std::map<std::pair<std::string, std::string>, std::set<Position>>;  // node, name
  Async<Result<Doubts>> doubts() const;
  // Of the indexes that are now under these names.
  Async<Result<void>> keep(Doubts doubts);
  // A node that is not in doubt before others.
  static std::vector<const NodeHolds*> holders(const std::string& uid,
                                               const std::vector<NodeHolds>& nodes);
  static std::optional<std::string> primary_key_of(const std::string& uid,
                                                   const std::vector<const NodeHolds*>& nodes);
  // Known to be behind: taken only where there is nobody else.
  static bool is_behind(const NodeStatus& status);
  static bool is_source(const NodeStatus& status, bool waits);
  // The nodes that wait for it; none while one of all cannot be asked, or has yet to pass the
  // fence.
  std::set<std::string> ready_nodes() const;
  Async<Result<void>> set_empty_aside(std::set<std::string> waiting);
  Async<Result<void>> set_aside_if_lacking(std::string node, std::set<std::string> held,
                                           std::vector<NodeIndex> indexes);
  Async<Result<void>> recover(std::set<std::string> waiting);
  Async<Result<void>> take(std::set<std::string> waiting);
  std::optional<Cluster::NewState> taken_behind(const std::string& node,
                                                const std::set<std::string>& sources) const;
  Async<Result<void>> fence();
  Async<Result<NodeHolds>> read(std::string node);
  Async<Result<void>> await_nothing(std::string node);
  Async<Result<Stamp>> newest_stamp(std::string node, NodeIndex index);
  Result<std::vector<Entry>> adopt(const Catalogue& catalogue,
                                   const std::vector<NodeHolds>& sources,
                                   const std::vector<NodeHolds>& others) const;
  Instant deadline() const;

  Log& log_;
  Cluster& cluster_;
  Clock& clock_;
  FieldNames names_;
  Position fence_ = 0;  // the last of the entries that all nodes must pass first; 0: none yet
};

}  // namespace miroir
