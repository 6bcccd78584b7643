#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

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
  std::uint64_t run = 0;  // Log::run() when it was last reached: of later ones it was sent nothing
  // Entries that it was never sent, because they were not kept. Rising; what it applied between two
  // gaps it does not lack.
  struct Gap {
    Position after = 0;
    Position to = 0;
  };
  std::vector<Gap> gaps = {};
  void skip(Position after, Position to);
  // Those that end by there: where the node was found to be in sync since, and the log has
  // forgotten their entries, nobody asks about them.
  void forget_gaps(Position last) {
    std::erase_if(gaps, [last](const Gap& gap) { return gap.to <= last; });
  }
  bool skipped(Position position) const {
    return std::ranges::any_of(
        gaps, [&](const Gap& gap) { return gap.after < position && position <= gap.to; });
  }
  Position settled = 0;  // the clients' tasks up to here had ended when it was saved
  Position proven = 0;  // how far it was when it was last found to be in sync
  // Shards in which a recovery took it though it was known to be behind, for they had nobody else.
  // While it is not in sync it is a source in these alone. What it lacks there says nothing of what
  // there was before the recovery, until a pass is clean.
  std::set<std::uint32_t> taken_behind = {};
  // The first gap since then; nullptr: none.
  const Gap* missed() const {
    const auto gap = std::ranges::find_if(gaps, [&](const Gap& each) { return each.to > proven; });
    return gap == gaps.end() ? nullptr : &*gap;
  }
  bool missed_entries() const { return missed() != nullptr; }
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

inline void NodeProgress::skip(Position after, Position to) {
  std::erase_if(gaps, [&](const Gap& gap) {
    const bool meets = gap.after <= to && after <= gap.to;
    if (meets) after = std::min(after, gap.after);
    if (meets) to = std::max(to, gap.to);
    return meets;
  });
  const auto next = std::ranges::find_if(gaps, [&](const Gap& gap) { return gap.after > after; });
  gaps.insert(next, {after, to});
}

}  // namespace miroir
