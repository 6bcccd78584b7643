#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/roster.h"

namespace miroir::anti_entropy {

// Indexes, primary keys, settings and keys are replicated too. Their truth is the log's catalogue;
// a node's answer is normalised, so settings are compared with what the first nodes that applied
// that version read back. What differs is healed by entries for the one node; an index that the log
// does not know is reported, and dropped only where the log's own drop of it failed.

// What one node holds, as it answers.
struct NodeState {
  std::map<std::string, NodeIndex> indexes;
  std::map<std::string, Json> settings;  // of the catalogue's indexes that it has
  std::map<std::string, Json> keys;      // by uid
};

enum class StateDefect {
  kIndexMissing,
  kIndexUnknown,
  kIndexLeft,  // dropped or renamed by an entry that failed on this node
  kPrimaryKeyMissing,
  kPrimaryKeyOther,
  kSettings,
  kKey
};
struct StateDifference {
  std::string node;
  StateDefect defect = StateDefect::kSettings;
  std::string name;      // index or key uid
  std::string sentence;  // "node b1: index `movies` is missing"
  bool healable() const {
    return defect != StateDefect::kIndexUnknown && defect != StateDefect::kPrimaryKeyOther;
  }
};

// Names of indexes that an entry took away, by the node on which it failed.
using LeftNames = std::set<std::pair<std::string, std::string>>;

// What of the nodes' states is not as the catalogue says; `expected` are the settings as they ought
// to be read back, by index: an index without is compared among the nodes. Pure.
std::vector<StateDifference> compare_states(const Catalogue& catalogue,
                                            const std::map<std::string, NodeState>& nodes,
                                            const std::map<std::string, Json>& expected,
                                            const LeftNames& left);

struct StateReport {
  std::vector<StateDifference> found;  // that were not as the log says
  std::vector<StateDifference> left;   // …and still are not
};

// Reads, compares, heals where `repairs`, and reads again. A node that fails is lost from the
// roster.
Async<Result<StateReport>> check_replicated_state(const Tools& tools, Roster& roster,
                                                  std::uint64_t pass, bool repairs);

}  // namespace miroir::anti_entropy
