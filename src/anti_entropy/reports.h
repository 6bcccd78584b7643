#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "anti_entropy/reconciler.h"
#include "anti_entropy/tools.h"

namespace miroir::anti_entropy {

// What a pass found of one shard.
struct ShardNote {
  std::uint64_t repaired = 0;
  std::uint64_t unresolved = 0;  // of these:
  std::uint64_t waiting = 0;     // …for a person, at the breaker
  std::uint64_t reported = 0;    // …only, because repairs are off
  std::uint64_t looping = 0;     // quarantined: repaired again and again
  std::uint64_t undecided = 0;   // quarantined: nobody wins
  std::uint64_t doubtful = 0;    // …of these: nothing tells whether it was deleted
  std::string unknown;           // why it could not be compared
  std::string problem;           // what else is wrong ("no replica in sync")
  std::string doubt;             // why nobody knows whether the replicas that are equal are right
};

// A shard is never in a state without a reason. The codes are labels of metrics, the texts are for
// people; `documents` that the reason is about.
struct ShardState {
  std::string_view state;
  std::string_view code;
  std::string text;
  std::uint64_t documents = 0;
};
ShardState state_of(const ShardNote& note);
// All pairs of state and code that there are.
const std::vector<std::pair<std::string_view, std::string_view>>& shard_states();

struct IndexReport {
  std::string uid;
  Position incarnation = 0;
  std::uint32_t shards = 0;
  std::uint32_t shards_compared = 0;
  std::map<ShardId, ShardNote> notes;  // of shards of which there is something to say
  std::vector<std::string> problems;   // beside its documents: settings, primary key
  std::set<std::string> hindered;      // the nodes that they are about…
  bool hinders_all = false;            // …or one is of no single node
  std::uint64_t divergent = 0;         // documents found to differ once settled
  std::uint64_t repaired = 0;
  std::uint64_t unresolved = 0;
  std::uint64_t moving = 0;
  // Nodes, and shards of theirs, whose copy of an unresolved document no trusted peer holds: not
  // proven equal. Where nobody can tell, or it lies where it does not belong, that is no reason to
  // keep them from being in sync, but an index that is in doubt there stays so.
  std::map<std::string, std::set<ShardId>> unequal;
  std::set<std::string> dubious;
  bool complete = false;  // nothing cut it short

  // Of an index that no pass has come to.
  static IndexReport not_compared(const IndexState& index, std::uint32_t shards);
  void add_problem(std::string sentence);  // once
  // …of this node, which holds up no other.
  void add_problem_of(const std::string& node, std::string sentence);
  // Whether problems keep the node from being proven equal, and others from being so by it.
  bool hinders(const std::string& node) const { return hinders_all || hindered.contains(node); }
  // Every replica was compared and in sync, and nothing is left to do.
  bool clean() const;
  // How many shards are in which state: by state and code.
  std::map<std::pair<std::string_view, std::string_view>, std::uint64_t> states() const;
  // docs/admin.md has an example.
  Json to_json() const;
};

enum class PassState { kRunning, kCompleted, kFailed, kCutOff };
std::string_view name(PassState state);
std::string_view name(PassKind kind);

struct PassReport {
  std::uint64_t number = 0;
  PassKind kind = PassKind::kLight;
  PassState state = PassState::kRunning;
  bool repairs = true;
  Position head = 0;  // of the log when it began
  WallTime started;
  std::optional<WallTime> ended;
  std::vector<IndexReport> indexes;
  std::map<std::string, std::string> nodes;  // "in_sync", "unknown: timed out"
  std::vector<std::string> problems;         // of what belongs to no index
  std::uint64_t mismatches = 0;              // documents and replicated state
  std::uint64_t repaired = 0;
  std::uint64_t unresolved = 0;
  bool clean = false;
  std::string error;
  // Of a deep pass: the pass that began the reading that this one went on with, 0: itself; whether
  // it ended it, and where that began, as far as collecting tombstones must know.
  std::uint64_t resumes = 0;
  bool whole = false;
  bool sweep_clean = false;
  Position sweep_head = 0;
  WallTime sweep_started;

  Json to_json() const;
};

// Rows of kPass: number → report, as JSON.
Async<Result<void>> save_pass(Store& store, PassReport report);
// Where the log's head was when the newest clean pass began; 0: none was, as far as they are kept.
Async<Result<Position>> newest_clean_head(Store& store);
Async<Result<std::vector<Json>>> load_passes(Store& store, std::size_t limit);  // newest first

// Forgets passes that ended longer than `retention` ago, and their repairs.
Async<Result<void>> forget_passes(Store& store, WallTime now, Microseconds retention);

}  // namespace miroir::anti_entropy
