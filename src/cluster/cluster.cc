#include "cluster/cluster.h"

#include <algorithm>

#include "base/assert.h"
#include "base/logging.h"
#include "cluster/history.h"
#include "cluster/state_reasons.h"

namespace miroir {
namespace {

// How often a waiter for a position looks again.
constexpr Milliseconds kWaitStep{5};

ReplicaState parse_replica_state(std::string_view text) {
  if (text == "in_sync") return ReplicaState::kInSync;
  return text == "stale" ? ReplicaState::kStale : ReplicaState::kJoining;
}

// Of a node, where nobody's word is left to end it: who else owns its shards has the index in
// doubt, too.
std::vector<Taint> last_doubts(const Log& log, const Topology& topology, const std::string& id) {
  std::set<std::string> others;
  for (const ShardId shard : topology.shards_of(id))
    for (const std::string& owner : topology.owners(shard))
      if (owner != id) others.insert(owner);
  std::vector<Taint> doubts = log.index_taints();
  std::erase_if(doubts, [&](const Taint& doubt) {
    return doubt.node != id || !std::ranges::all_of(others, [&](const std::string& other) {
             return log.tainted(doubt.incarnation, "", other);
           });
  });
  return doubts;
}

}  // namespace

std::string_view name(ReplicaState state) {
  switch (state) {
    case ReplicaState::kInSync:
      return "in_sync";
    case ReplicaState::kStale:
      return "stale";
    case ReplicaState::kJoining:
      return "joining";
  }
  return "joining";
}

struct Cluster::State {
  struct Node {
    Gauge healthy;
    std::unique_ptr<NodeClient> client;
    NodeStatus status;
    NodeProgress progress;
    bool joined = false;
    std::uint64_t verified = 0;  // connections up to here led to the node that we know
    // While it is no other than it was after so many setbacks.
    std::uint64_t equal_at = 0;
    std::set<ShardId> equal_in = {};

    void show(ReplicaState state, std::string why) {
      progress.state = name(state);
      progress.reason = why;
      status.state = state;
      status.state_why = std::move(why);
    }
  };

  State(Topology t, Log& l, Clock& c, Executor executor)
      : topology(std::move(t)), log(l), clock(c), changed(std::move(executor)) {}
  Node& node(const std::string& id) {
    auto found = nodes.find(id);
    MIROIR_ASSERT(found != nodes.end());
    return found->second;
  }

  // Memory may be ahead of the row: it could not be saved, or is being saved.
  bool row_says(const std::string& id, ReplicaState replica, const std::string& why) const {
    const std::map<std::string, NodeProgress> rows = log.progress();
    const auto row = rows.find(id);
    return row == rows.end() || (row->second.state == name(replica) && row->second.reason == why);
  }

  bool is_source(const std::string& id, ShardId shard) {
    const Node& its = node(id);
    return its.status.state == ReplicaState::kInSync || its.progress.taken_behind.contains(shard);
  }

  bool has_source(ShardId shard, const std::set<std::string>& besides = {}) {
    return std::ranges::any_of(topology.owners(shard), [&](const std::string& owner) {
      return is_source(owner, shard) || besides.contains(owner);
    });
  }

  bool was_found_equal(const std::string& id, ShardId shard) {
    const Node& its = node(id);
    return its.equal_at == its.status.setbacks && its.equal_in.contains(shard);
  }

  bool is_equal_to_its_peers(const std::string& id) {
    return std::ranges::all_of(topology.shards_of(id), [&](ShardId shard) {
      return !has_source(shard) || is_source(id, shard) || was_found_equal(id, shard);
    });
  }

  // One in sync that it can be compared with, in one of its shards, only once that answers.
  std::optional<std::string> missed_peer(const std::string& id) {
    for (const ShardId shard : topology.shards_of(id)) {
      if (is_source(id, shard) || was_found_equal(id, shard)) continue;
      std::optional<std::string> missed;
      bool any_answers = false;
      for (const std::string& owner : topology.owners(shard)) {
        if (!is_source(owner, shard)) continue;
        any_answers = any_answers || node(owner).status.healthy;
        missed = owner;
      }
      if (missed && !any_answers) return missed;
    }
    return std::nullopt;
  }

  // In memory; whether there is something to save.
  bool change(const std::string& id, NewState to) {
    Node& its = node(id);
    const std::string& why_before = its.status.state_why;
    // Whatever else befalls it: only recovery ends the one, which must know where the node is
    // behind, and being read in full the other, but for a reason that keeps it.
    const bool of_log = to.why.starts_with(kLogWentBack);
    const bool stays =
        why_before.starts_with(kLogWentBack)
            ? !to.why.starts_with(kLogWentBackBehind) && to.why != kNotTaken &&
                  to.why != kTakenForSome
            : why_before.starts_with(kForeignTask) && !of_log && !to.why.ends_with(why_before);
    const bool in_sync = to.state == ReplicaState::kInSync;
    std::set<ShardId>& taken_behind = its.progress.taken_behind;
    // Another recovery must know.
    if (of_log && !taken_behind.empty() && !to.why.starts_with(kLogWentBackBehind))
      to.why.replace(0, kLogWentBack.size(), kLogWentBackBehind);
    if (in_sync && to.taken_behind.empty()) to.taken_behind = taken_behind;
    if (!in_sync && its.status.state != ReplicaState::kInSync && stays) to.why = why_before;
    if (!in_sync) {
      ++its.status.setbacks;
      // What was proven of a disk that it no longer has says nothing of what this one missed.
      its.progress.proven = std::min(its.progress.proven, its.status.done);
    }
    if (its.status.state == to.state && why_before == to.why && taken_behind == to.taken_behind &&
        row_says(id, to.state, to.why))
      return false;
    taken_behind = std::move(to.taken_behind);
    if (in_sync) its.progress.proven = its.status.done;
    its.show(to.state, std::move(to.why));
    return true;
  }

  // What it became a source by could not be saved; unless something has befallen the node since.
  void withdraw(const std::string& id, const NodeProgress& row, const NodeProgress& before) {
    Node& its = node(id);
    const bool in_sync = row.state == name(ReplicaState::kInSync);
    if (!in_sync && row.taken_behind.empty()) return;
    if (its.progress.state != row.state || its.progress.reason != row.reason) return;
    its.show(parse_replica_state(before.state), before.reason);
    its.progress.taken_behind = before.taken_behind;
    its.progress.proven = before.proven;
  }

  Topology topology;
  Log& log;
  Clock& clock;
  Signal changed;
  std::map<std::string, Node> nodes;
};

Cluster::Cluster(Topology topology, std::map<std::string, std::unique_ptr<NodeClient>> clients,
                 Log& log, Clock& clock, Metrics& metrics, Executor executor)
    : state_(std::make_unique<State>(std::move(topology), log, clock, std::move(executor))) {
  const std::map<std::string, NodeProgress> rows = log.progress();
  for (const NodeConfig& config : state_->topology.nodes()) {
    const Gauge healthy =
        metrics.gauge("miroir_node_healthy", "Whether the node answers.", {{"node_id", config.id}});
    State::Node& node = state_->nodes
                            .emplace(config.id, State::Node{.healthy = healthy,
                                                            .client = std::move(clients[config.id]),
                                                            .status = {},
                                                            .progress = {}})
                            .first->second;
    MIROIR_ASSERT(node.client != nullptr);
    node.status.unhealthy_why = "not asked yet";
    if (auto row = rows.find(config.id); row != rows.end()) {
      node.joined = true;
      node.progress = row->second;
      node.status.state = parse_replica_state(row->second.state);
      node.status.state_why = row->second.reason;
      node.status.done = row->second.done;
    }
    node.healthy.set(0);
  }
}

Cluster::~Cluster() = default;

const Topology& Cluster::topology() const { return state_->topology; }
NodeClient& Cluster::client(const std::string& node) { return *state_->node(node).client; }
NodeStatus Cluster::status(const std::string& node) const { return state_->node(node).status; }
Signal& Cluster::changed() { return state_->changed; }

void Cluster::report_healthy(const std::string& id) {
  State::Node& node = state_->node(id);
  if (node.status.healthy) return;
  node.status.healthy = true;
  node.status.unhealthy_why.clear();
  node.healthy.set(1);
  log_info("node answers", {{"node", id}});
  state_->changed.notify_all();
}

void Cluster::report_unhealthy(const std::string& id, const Error& error) {
  State::Node& node = state_->node(id);
  node.status.unhealthy_why = error.message;
  if (!node.status.healthy) return;
  node.status.healthy = false;
  node.healthy.set(0);
  log_warning("node does not answer", {{"node", id}, {"error", error.message}});
  state_->changed.notify_all();
}

void Cluster::set_done(const std::string& id, Position done) {
  State::Node& node = state_->node(id);
  if (node.status.done == done) return;
  node.status.done = done;
  state_->changed.notify_all();
}

void Cluster::set_stopped(const std::string& id, bool stopped) {
  State::Node& node = state_->node(id);
  if (node.status.stopped == stopped) return;
  node.status.stopped = stopped;
  state_->changed.notify_all();
}

void Cluster::set_held_up(const std::string& id, bool held_up) {
  State::Node& node = state_->node(id);
  if (node.status.held_up_since.has_value() == held_up) return;
  const bool all_were = std::ranges::all_of(
      state_->nodes, [](const auto& each) { return each.second.status.held_up_since.has_value(); });
  if (all_were)
    for (auto& [name, each] : state_->nodes) each.status.held_up_since = state_->clock.now();
  node.status.held_up_since = held_up ? std::optional(state_->clock.now()) : std::nullopt;
}

NodeProgress Cluster::progress(const std::string& node) const {
  return state_->node(node).progress;
}
bool Cluster::joined(const std::string& node) const { return state_->node(node).joined; }

Async<Result<void>> Cluster::save_progress(std::string id, NodeProgress lane) {
  State::Node& node = state_->node(id);
  lane.state = name(node.status.state);
  lane.reason = node.status.state_why;
  lane.proven = node.progress.proven;
  lane.taken_behind = node.progress.taken_behind;
  lane.doubted_from = node.progress.doubted_from;
  lane.doubted_to = node.progress.doubted_to;
  node.progress = lane;
  node.joined = true;
  return state_->log.save_progress({{std::move(id), std::move(lane)}});
}

Async<Result<void>> Cluster::join(std::string id, NodeProgress row, ReplicaState replica) {
  State::Node& node = state_->node(id);
  row.state = name(replica);
  MIROIR_CO_CHECK(co_await state_->log.save_progress({{id, row}}));
  node.status.state = replica;
  node.status.state_why = row.reason;
  node.progress = std::move(row);
  node.joined = true;
  log_info("node joins", {{"node", id}, {"state", name(replica)}});
  state_->changed.notify_all();
  co_return Result<void>();
}

Async<Result<void>> Cluster::end_doubts(std::vector<Taint> doubts) {
  if (doubts.empty()) co_return Result<void>();
  for (const Taint& doubt : doubts) {
    State::Node& node = state_->node(doubt.node);
    const auto named = std::ranges::upper_bound(doubt.failed, Taint::kUnnamed);
    const Position since = named == doubt.failed.end() ? doubt.newest() : *named;
    NodeProgress& its = node.progress;
    its.doubted_from = its.doubted_to == 0 ? since : std::min(its.doubted_from, since);
    its.doubted_to = node.status.done;
    MIROIR_CO_CHECK(co_await state_->log.save_progress({{doubt.node, its}}));
  }
  co_return co_await state_->log.clear_taints(std::move(doubts));
}

Async<Result<void>> Cluster::set_state(std::string id, ReplicaState replica, std::string why) {
  return set_states({{std::move(id), {replica, std::move(why)}}});
}

// Memory first: a save that the forwarder begins meanwhile must carry the new state.
Async<Result<void>> Cluster::set_states(std::map<std::string, NewState> states) {
  std::map<std::string, NodeProgress> before;
  std::map<std::string, NodeProgress> rows;
  for (auto& [id, state] : states) {
    NodeProgress was = progress(id);
    if (!state_->change(id, std::move(state))) continue;
    before[id] = std::move(was);
    rows[id] = progress(id);
  }
  if (rows.empty()) co_return Result<void>();
  const auto saved = co_await state_->log.save_progress(rows);
  for (const auto& [id, row] : rows) {
    const NodeProgress& was = before.at(id);
    if (!saved) state_->withdraw(id, row, was);
    if (saved && was.state != row.state)
      log_info("replica state", {{"node", id}, {"state", row.state}, {"why", row.reason}});
  }
  if (saved) state_->changed.notify_all();
  co_return saved;
}

Async<Result<void>> Cluster::verify(std::string id, Instant deadline) {
  State::Node& node = state_->node(id);
  const std::uint64_t connections = node.client->connections();
  if (connections == node.verified) co_return Result<void>();
  const Position acknowledged = node.progress.acknowledged;
  MIROIR_CO_TRY(const History history,
                co_await check_history(*node.client, node.progress, {state_->log, id}, deadline));
  if (history.verdict == History::Verdict::kOurs) {
    node.verified = std::max(node.verified, connections);
    co_return Result<void>();
  }
  // Since it took newer tasks, the one that was asked for may have been deleted.
  const bool is_known_by_it = node.progress.acknowledged == acknowledged;
  if (is_known_by_it && node.status.state == ReplicaState::kInSync)
    MIROIR_CO_CHECK(co_await set_state(id, ReplicaState::kStale, history.why));
  Error error{ErrorCode::kUnavailable, "its history is not the log's: " + history.why};
  report_unhealthy(id, error);  // its forwarder looks anew
  co_return std::unexpected(std::move(error));
}

Async<Result<void>> Cluster::prove_in_sync(std::string id, std::uint64_t setbacks) {
  if (state_->node(id).status.setbacks != setbacks)
    co_return fail(ErrorCode::kConflict, "node " + id + " fell back meanwhile");
  co_return co_await set_state(std::move(id), ReplicaState::kInSync, "");
}

bool Cluster::is_source(const std::string& id, ShardId shard) const {
  return state_->is_source(id, shard);
}

bool Cluster::is_source(const std::string& id) const {
  const State::Node& node = state_->node(id);
  return node.status.state == ReplicaState::kInSync || !node.progress.taken_behind.empty();
}

std::set<ShardId> Cluster::shards_without_source(const std::string& id,
                                                 const std::set<std::string>& besides) const {
  std::set<ShardId> without;
  for (const ShardId shard : state_->topology.shards_of(id))
    if (!state_->has_source(shard, besides)) without.insert(shard);
  return without;
}

Async<Result<void>> Cluster::end_taken_behind(std::string id, std::uint64_t setbacks) {
  State::Node& node = state_->node(id);
  if (node.status.setbacks != setbacks || node.progress.taken_behind.empty())
    co_return Result<void>();
  node.progress.taken_behind.clear();
  co_return co_await state_->log.save_progress({{std::move(id), node.progress}});
}

void Cluster::found_equal(const std::string& id, std::uint64_t setbacks, std::set<ShardId> shards) {
  State::Node& node = state_->node(id);
  node.equal_at = setbacks;
  node.equal_in = std::move(shards);
}

void Cluster::found_unequal(const std::string& id, const std::set<ShardId>& shards) {
  for (const ShardId shard : shards) state_->node(id).equal_in.erase(shard);
}

Async<Result<void>> Cluster::promote(std::string id, Position head) {
  const auto check = [&]() -> Result<void> {
    const NodeStatus& status = state_->node(id).status;
    const auto refuse = [&](const std::string& why) {
      return fail(ErrorCode::kConflict, "node " + id + " cannot be promoted: " + why);
    };
    if (status.state == ReplicaState::kInSync) return refuse("it is in sync");
    if (!status.healthy) return refuse("it does not answer");
    if (status.done < head) {
      return refuse("it has not applied everything yet (" + std::to_string(status.done) + " of " +
                    std::to_string(head) + " entries)");
    }
    if (awaiting_recovery(*this).contains(id))
      return refuse("the log went back, and it is taken as it is once all nodes answer: bring " +
                    std::string("them up, or take their groups away"));
    if (const auto missed = state_->missed_peer(id))
      return refuse("node " + *missed +
                    ", which is in sync for some of its shards, does not answer: bring it up, or "
                    "take its group away");
    if (shards_without_source(id).empty())
      return refuse("each of its shards has a replica in sync, and it is healed from those");
    if (!state_->is_equal_to_its_peers(id))
      return refuse(
          "some of its shards have a replica in sync, and it has not been found equal to those: "
          "run a deep pass first");
    return {};
  };
  MIROIR_CO_CHECK(check());
  if (std::vector<Taint> doubts = last_doubts(state_->log, state_->topology, id); !doubts.empty()) {
    MIROIR_CO_CHECK(co_await end_doubts(std::move(doubts)));
    MIROIR_CO_CHECK(check());
  }
  log_warning("promoted by a person", {{"node", id}, {"was", state_->node(id).status.state_why}});
  co_return co_await set_state(id, ReplicaState::kInSync, "");
}

Async<bool> Cluster::wait_done(std::string node, Position position, Instant deadline) {
  Clock& clock = state_->clock;
  while (state_->node(node).status.done < position) {
    if (clock.now() >= deadline) co_return false;
    co_await clock.sleep_until(std::min(deadline, clock.now() + kWaitStep));
  }
  co_return true;
}

bool Cluster::readable(const std::string& node) const {
  const NodeStatus& status = state_->node(node).status;
  return status.healthy && status.state == ReplicaState::kInSync;
}

bool Cluster::whole(int group) const {
  return std::ranges::all_of(state_->topology.nodes_of(group),
                             [this](const std::string& n) { return readable(n); });
}

std::vector<int> Cluster::whole_groups() const {
  std::vector<int> groups;
  for (int group : state_->topology.groups()) {
    if (whole(group)) groups.push_back(group);
  }
  return groups;
}

std::vector<int> Cluster::groups_at(Position position) const {
  std::vector<int> groups;
  for (int group : whole_groups()) {
    if (std::ranges::all_of(state_->topology.nodes_of(group), [&](const std::string& node) {
          return state_->node(node).status.done >= position;
        })) {
      groups.push_back(group);
    }
  }
  return groups;
}

std::string Cluster::degraded(Position lag_max) const {
  const Position head = state_->log.head();
  const std::vector<int> good = groups_at(head > lag_max ? head - lag_max : 0);
  std::string names;
  for (int group : state_->topology.groups()) {
    if (std::ranges::find(good, group) != good.end()) continue;
    if (!names.empty()) names += ", ";
    names += "group " + std::to_string(group);
  }
  return names;
}

}  // namespace miroir
