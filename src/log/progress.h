#pragma once

#include <cstdint>
#include <string>

#include "log/entry.h"

namespace miroir {

// How far a node is. Positions, not uids.
struct NodeProgress {
  std::int64_t offset = 0;        // task uid on the node = position + offset
  Position done = 0;              // everything up to here that concerns the node has ended there
  Position acknowledged = 0;      // newest position whose task we saw on the node…
  std::string acknowledged_at;    // …and that task's enqueuedAt
  // When the offset moved everything up to here had ended; under which numbers is not known.
  Position renumbered = 0;
  std::string state = "joining";  // in_sync, stale, joining
  std::string reason;             // why it is not in sync
  // When it joined, entries up to here had ended on the others: it was no owner of them.
  Position joined = 0;
  // Entries that it was never sent, because they were not kept: after the first, up to the last.
  Position skipped_after = 0;
  Position skipped_to = 0;
  bool skipped(Position position) const {
    return skipped_after < position && position <= skipped_to;
  }
  Position settled = 0;  // the clients' tasks up to here had ended when it was saved
  Position proven = 0;  // how far it was when it was last found to be in sync
  bool missed_entries() const { return skipped_to > proven; }  // since then
  // An index was in doubt there at times, from the one on, and was no more by the other: a disk
  // from in between may hold another under its name.
  Position doubted_from = 0;
  Position doubted_to = 0;
  bool doubted(Position position) const {
    return doubted_from <= position && position < doubted_to;
  }
  // Whether what it made of the entry says nothing: it was not there, or skipped it.
  bool lacks(Position position) const { return position <= joined || skipped(position); }
};

}  // namespace miroir
