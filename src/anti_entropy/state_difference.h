#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "log/catalogue.h"
#include "node_api/holdings.h"

namespace miroir::anti_entropy {

// What one node holds, as it answers.
struct NodeState {
  std::map<std::string, NodeIndex> indexes;
  std::map<std::string, Json> settings;  // of the catalogue's indexes that it has
  std::map<std::string, Json> keys;      // by uid
  // Of those that have another primary key than the log gave them. Not known: as if foreign.
  std::map<std::string, Holds> holds = {};
};

enum class StateDefect {  // code() names them in the audit
  kIndexMissing,
  kIndexUnknown,
  kIndexLeft,   // dropped or renamed by an entry that failed on this node
  kIndexOther,  // another has this name, and a primary key: a swap failed, or a stranger gave it
  kIndexKept,   // either, or any under another key; it may be all that there is of an index
  kPrimaryKeyMissing,
  kPrimaryKeyOther,   // and no document
  kDocumentsUnknown,  // foreign ones, in an index that is to have none, or any under another key
  kSettings,
  kKey,
  kKeyLeft  // a client deleted it
};
std::string_view code(StateDefect defect);
struct StateDifference {
  std::string node;
  StateDefect defect = StateDefect::kSettings;
  std::string name;      // index or key uid
  std::string sentence;  // "node b1: index `movies` is missing"
  // Of settings those that are not alike. Null: nothing; of wanted settings also: not known.
  Json held = {};
  Json wanted = {};
  bool is_about(const StateDifference& other) const {
    return node == other.node && name == other.name && of_key() == other.of_key() &&
           (defect == StateDefect::kSettings) == (other.defect == StateDefect::kSettings);
  }
  bool of_key() const { return defect == StateDefect::kKey || defect == StateDefect::kKeyLeft; }
  bool healable() const {
    return defect != StateDefect::kIndexUnknown && defect != StateDefect::kIndexKept &&
           defect != StateDefect::kDocumentsUnknown;
  }
};

// What entries that failed on one node leave to expect there: node and name of an index.
using NamesOnNodes = std::set<std::pair<std::string, std::string>>;
struct Expectations {
  WallTime now = {};                       // of keys that have expired nothing is expected
  std::map<std::string, Json> settings;    // as they ought to be read back, by index
  std::set<std::string> refused = {};      // indexes whose newest settings no node has
  // Indexes whose settings all nodes have just applied, but for those that fail them.
  std::set<std::string> given_again = {};
  NamesOnNodes failed = {};  // whose newest settings failed there
  // Nothing is given to the nodes: whose settings did not fail is believed at once.
  bool reports_only = false;
  NamesOnNodes left;                       // indexes that are no more, or have another name
  NamesOnNodes in_doubt;                   // that may be another index, while their peers are not
  NamesOnNodes kept = {};  // that may be another index, or the last of one: no peer can be trusted
};

// What of the nodes' states is not as the catalogue says. An index without expected settings is
// compared among the nodes: where they are not alike, or all refused them, all are suspect,
// whatever most of them say, for they may have missed the same entry. Once they were given it
// again, those that fail it have nothing to say. Pure.
std::vector<StateDifference> compare_states(const Catalogue& catalogue,
                                            const std::map<std::string, NodeState>& nodes,
                                            const Expectations& expected);

}  // namespace miroir::anti_entropy
