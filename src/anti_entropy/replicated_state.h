#pragma once

#include <vector>

#include "anti_entropy/roster.h"
#include "anti_entropy/state_difference.h"

namespace miroir::anti_entropy {

// Indexes, primary keys, settings and keys are replicated too. Their truth is the log's catalogue;
// a node's answer is normalised, so settings are compared with what the first nodes that applied
// that version read back. What differs is healed by entries for the one node; an index that the log
// does not know is reported, and dropped only where the log's own drop of it failed.

// What became of a difference.
struct HandledState {
  StateDifference difference;
  bool healed = false;  // only if it was read again and is right
  std::string outcome;  // for people
};

struct StateReport {
  std::vector<HandledState> found;    // that were not as the log says
  std::vector<StateDifference> left;  // …and those that are not, after all
  bool cut_off = false;               // what was sent was not read again
};

// Reads, compares, heals where `repairs`, and reads again. A node that fails is lost from the
// roster.
Async<Result<StateReport>> check_replicated_state(const Tools& tools, Roster& roster,
                                                  std::uint64_t pass, bool repairs);

}  // namespace miroir::anti_entropy
