#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "anti_entropy/options.h"
#include "base/clock.h"
#include "sim/fault.h"

namespace miroir::sim {

// What happens in one run, drawn from a seed before it starts: plain data, so that a failing plan
// can be printed, replayed, and made smaller step by step.

enum class Act {
  kReplace,
  kMerge,
  kDelete,
  kDeleteBatch,
  kDeleteFilter,
  kClear,
  kCreate,
  kDrop,
  kSettings,
  kSwap,    // of the two indexes
  kRename,  // to the other's name
  kCreateKey,
  kRenameKey,
  kDeleteKey
};
bool is_document_act(Act act);
bool has_documents(Act act);  // one by one
bool is_key_act(Act act);
bool exchanges_names(Act act);

// One request of a client.
struct Request {
  Act act = Act::kReplace;
  std::string index;
  std::vector<std::string> ids;  // of documents, or the key's
  std::string value;  // written nowhere else; filter deletes: the tag; deletes of keys: nothing
  // Of what it writes: how long it lives, from when it is sent; and until when that is then.
  std::optional<Milliseconds> lifetime = std::nullopt;
  std::optional<std::int64_t> expires_at = std::nullopt;  // milliseconds since the UNIX epoch
};
// Lifetimes are up to this one, or without end for all that a run sees.
inline constexpr Milliseconds kLifetimeMax{20'000};

struct Step {
  Microseconds at{0};  // since the beginning of its phase
  std::variant<Request, Fault> what;
};

// Whether a step is a fault of such a kind.
auto is_fault(auto of_kind) {
  return [of_kind](const Step& step) {
    const Fault* fault = std::get_if<Fault>(&step.what);
    return fault != nullptr && of_kind(fault->kind);
  };
}

// Faults and requests; then quiet, and all must hold.
struct Phase {
  Microseconds length{0};
  std::vector<Step> steps;  // in the order of their times
  int victims = 0;          // the group that is damaged
};

bool damages(const Phase& phase);

struct Plan {
  std::uint64_t seed = 0;
  int groups = 2;
  int nodes_per_group = 1;
  std::uint32_t shards = 4;
  Microseconds light_interval{0};
  Microseconds deep_interval{0};
  Microseconds task_delay_max{0};
  Microseconds commit_max{1};       // what Miroir's store takes to make a group of commits durable
  Microseconds node_clocks_max{0};  // how far nodes' wall clocks are off
  // Of one pass in one shard that need nobody's agreement (invariant 7).
  std::uint64_t deletes_max = 100;
  std::optional<Seconds> sweep_interval;  // documents may expire
  bool has_subscriber = false;            // of the change stream
  bool emit_ttl_deletes = false;          // to him
  bool emit_internal_writes = false;
  bool late_group = false;  // the last group is not there at first
  // How long the log keeps bodies that all have, and how many entries without one.
  Microseconds retention = std::chrono::days(7);
  std::uint64_t entries_kept = 1'000'000;
  // What becomes of documents that strangers wrote.
  ForeignDocuments foreign_documents = ForeignDocuments::kReport;
  TieRule tie = TieRule::kQuarantine;
  // Nodes of all groups may be away at once, and none is damaged otherwise.
  bool outages = false;
  // Finished tasks that a node keeps; few enough to be deleted, or none is.
  std::optional<std::uint64_t> node_tasks_kept;
  // Documents that one entry of a delete by filter is for; otherwise it is always one entry.
  std::optional<std::uint64_t> deleted_per_entry;
  std::uint32_t shards_per_pass = 0;  // 0: all
  std::uint32_t max_read_concurrency = 2;
  std::uint32_t window_minutes = 0;  // of scheduled deep passes, out of so many; 0: always
  std::uint32_t window_period = 0;
  Microseconds audit_retention = std::chrono::days(30);    // of passes and repairs
  Microseconds tombstone_age_min = std::chrono::hours(1);  // of deletes that are forgotten (rule 4)
  Microseconds tombstone_retention = std::chrono::days(30);
  bool collects() const { return tombstone_age_min < std::chrono::hours(1); }
  // Copies that were taken no longer ago may be put back: what was deleted since is remembered.
  Microseconds put_back_within() const {
    return collects() ? std::min(tombstone_age_min, tombstone_retention) / 2 : Microseconds::max();
  }
  // Who was away may have to be healed by comparison.
  bool trims() const { return retention < std::chrono::days(1); }
  bool auto_repair = true;  // by scheduled passes; otherwise a person's repair
  bool hurried = false;  // in the quiet passes are started at once; else scheduled ones heal
  // Where the store goes back, its copy is so old that nodes have no task any more that it knows.
  bool copy_is_old = false;
  bool loses_again = false;  // in the quiet a document vanishes as often as it is repaired
  std::vector<Phase> phases;
};

// Whether it has a fault of such a kind.
bool has_fault(const Plan& plan, auto of_kind) {
  return std::ranges::any_of(plan.phases, [&](const Phase& phase) {
    return std::ranges::any_of(phase.steps, is_fault(of_kind));
  });
}

using FaultSet = std::set<FaultKind>;
FaultSet default_faults();  // that hold by default

Plan draw_plan(std::uint64_t seed, const FaultSet& faults);

// Of the two names of indexes.
std::string other_index(const std::string& index);
std::string node_name(int group, int place);
std::string describe(const Request& request);
std::string describe(const Fault& fault);
std::string describe(const Plan& plan);

// Documents, by what may befall them, so that the truth is always known (draw_request.h says why).
inline constexpr int kIdsOfAClass = 6;
inline constexpr int kIndexes = 2;
inline constexpr int kTags = 3;
// Entries of a delete by filter of which no node says how many documents match.
inline constexpr std::size_t kSlicesUnknown = 8;
inline constexpr const char* kTheirs = "theirs";  // an index that only strangers make
// What a fault that strikes a whole node may damage.
inline constexpr int kAllDocuments = kIndexes * 3 * kIdsOfAClass;

}  // namespace miroir::sim
