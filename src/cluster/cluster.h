#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "cluster/topology.h"
#include "log/log.h"
#include "node_api/node_client.h"

namespace miroir {

enum class ReplicaState {
  kInSync,   // its history is ours and its content was equal when last proven: read, source of
             // repairs
  kStale,    // its history is not ours, or it is being brought back: written to, never read, and no
             // source but where a recovery took it
  kJoining,  // never in sync yet
};
std::string_view name(ReplicaState state);

struct NodeStatus {
  bool healthy = false;       // answers
  std::string unhealthy_why;  // the last error
  ReplicaState state = ReplicaState::kJoining;
  std::string state_why;       // a sentence, empty while in sync
  Position done = 0;           // everything up to here that concerns the node has ended there
  bool stopped = false;        // its forwarder stopped its lane and waits for a person
  // Since when its lane gets no further: the node does not answer, or takes nothing. Only what it
  // works at, however long, or what others are to decide, holds up no lane. It begins anew where
  // none got any further meanwhile.
  std::optional<Instant> held_up_since;
  std::uint64_t setbacks = 0;  // how often it was found not to be in sync
};

struct HealthOptions {
  Milliseconds interval{5'000};
  Milliseconds timeout{2'000};
  int unhealthy_threshold = 3;
  int recovery_threshold = 2;
};

// The nodes as this process knows them now. Single-threaded; every change raises changed(). Who
// writes what: health is the monitor's (and a failed request may report), state is the history
// check's and the reconciler's, done is the forwarder's. State and done are durable in the log's
// progress rows.
class Cluster {
 public:
  Cluster(Topology topology, std::map<std::string, std::unique_ptr<NodeClient>> clients, Log& log,
          Clock& clock, Metrics& metrics, Executor executor);
  ~Cluster();

  const Topology& topology() const;
  NodeClient& client(const std::string& node);
  NodeStatus status(const std::string& node) const;
  Signal& changed();

  void report_healthy(const std::string& node);
  void report_unhealthy(const std::string& node, const Error& error);
  // In memory; the forwarder saves the row.
  void set_done(const std::string& node, Position done);
  // The node's durable row. Its state and reason, and when it was last proven, are set_state's, its
  // doubts end_doubts', the rest is the forwarder's: save_progress takes everything but those from
  // `lane`. Saves are durable in the order of the calls.
  NodeProgress progress(const std::string& node) const;
  bool joined(const std::string& node) const;  // ever had a row
  Async<Result<void>> save_progress(std::string node, NodeProgress lane);
  // The node's first row; `row.reason` says why where it is not in sync.
  Async<Result<void>> join(std::string node, NodeProgress row, ReplicaState state);
  void set_stopped(const std::string& node, bool stopped);
  void set_held_up(const std::string& node, bool held_up);
  // These indexes were in doubt on their nodes, and are no more. Durable when it returns.
  Async<Result<void>> end_doubts(std::vector<Taint> doubts);
  // Durable when it returns; of several nodes all or none.
  Async<Result<void>> set_state(std::string node, ReplicaState state, std::string why);
  struct NewState {
    ReplicaState state = ReplicaState::kJoining;
    std::string why;
    std::set<ShardId> taken_behind = {};  // NodeProgress's; who is in sync already keeps his
  };
  Async<Result<void>> set_states(std::map<std::string, NewState> states);

  // In sync, unless it was found not to be since `setbacks` was read (kConflict).
  Async<Result<void>> prove_in_sync(std::string node, std::uint64_t setbacks);
  // Whether what the node holds of the shard is to be gone by: it is in sync, or was taken for it.
  bool is_source(const std::string& node, ShardId shard) const;
  // …of any of its shards.
  bool is_source(const std::string& node) const;
  // Those of the node's shards that have none, nor one of those; each other one is healed from it.
  std::set<ShardId> shards_without_source(const std::string& node,
                                          const std::set<std::string>& besides = {}) const;
  // A pass was clean: where a recovery took the node is all there. Unless it was found not to be in
  // sync since `setbacks` was read.
  Async<Result<void>> end_taken_behind(std::string node, std::uint64_t setbacks);
  // In these of its shards a pass found all documents of the node equal to those of a peer in sync.
  // In memory only.
  void found_equal(const std::string& node, std::uint64_t setbacks, std::set<ShardId> shards);
  // …a later one did not.
  void found_unequal(const std::string& node, const std::set<ShardId>& shards);
  // A person's word that a stale node is right where nobody in sync is left to compare it with: it
  // must have been found equal in its other shards. Of use only to one that has applied the whole
  // log; kConflict says what is against it.
  Async<Result<void>> promote(std::string node, Position head);

  // Whether what the node just answered may be believed: over a connection opened since the last
  // time, its history is looked at first (invariant 10). kUnavailable: it is not the log's, and the
  // node is stale from here on.
  Async<Result<void>> verify(std::string node, Instant deadline);

  // Waits until the node has done everything up to `position`; false at the deadline.
  Async<bool> wait_done(std::string node, Position position, Instant deadline);

  // Nodes that may be read: healthy and in sync. A group is whole when all of its nodes are.
  bool readable(const std::string& node) const;
  bool whole(int group) const;
  std::vector<int> whole_groups() const;
  // Groups whose readable nodes have done everything up to `position`.
  std::vector<int> groups_at(Position position) const;
  // Names of groups that are not whole, or lag more than `lag_max` entries: for X-Miroir-Degraded.
  // Empty: none.
  std::string degraded(Position lag_max) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Asks every node again and again whether it answers.
class HealthMonitor {
 public:
  HealthMonitor(Cluster& cluster, Clock& clock, Executor executor, HealthOptions options);
  Async<void> run();
  Async<void> stop();

 private:
  Cluster& cluster_;
  Clock& clock_;
  HealthOptions options_;
  TaskGroup tasks_;
};

}  // namespace miroir
