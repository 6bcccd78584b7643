#include "anti_entropy/roster.h"

#include <algorithm>

#include "cluster/state_reasons.h"

namespace miroir::anti_entropy {
namespace {

Async<Member> examine(const Tools& tools, NodeConfig node, Position fence) {
  Member member{.node = node.id, .group = node.group, .standing = Standing::kUnknown, .why = ""};
  NodeStatus status = tools.cluster.status(node.id);
  if (!status.healthy) {
    member.why = status.unhealthy_why.empty() ? "does not answer" : status.unhealthy_why;
    co_return member;
  }
  auto history = co_await settled_history(tools, node.id);
  if (!history) {
    member.why = history.error().message;
    co_return member;
  }
  if (history->verdict != History::Verdict::kOurs) {
    member.why = "its history is not the log's: " + history->why;
    co_return member;
  }
  status = tools.cluster.status(node.id);
  if (status.stopped) {
    member.why = "its forwarder stopped";
    co_return member;
  }
  if (status.done + kLagMax < fence) {
    member.why = "is " + std::to_string(fence - status.done) + " entries behind";
    co_return member;
  }
  if (!co_await wait_done(tools, node.id, fence, kCatchUpTimeout)) {
    member.why = "has not applied what was written before the pass";
    co_return member;
  }
  status = tools.cluster.status(node.id);
  member.setbacks = status.setbacks;
  member.standing = status.state == ReplicaState::kInSync ? Standing::kInSync : Standing::kHealing;
  member.why = status.state_why;
  if (member.standing == Standing::kHealing)
    member.taken_in = tools.cluster.progress(node.id).taken_behind;
  co_return member;
}

}  // namespace

Async<Result<History>> settled_history(const Tools& tools, std::string node) {
  const Instant deadline = tools.clock.now() + kCatchUpTimeout;
  for (;;) {
    auto history = co_await tools.forwarders.recheck(node, tools.clock.now() + kReadTimeout);
    const bool settled = !history || history->verdict == History::Verdict::kOurs;
    if (settled || tools.clock.now() >= deadline || tools.stopping()) co_return history;
    co_await tools.clock.sleep_for(kHistoryRetry);
  }
}

Async<Roster> Roster::call(const Tools& tools, Position fence) {
  std::vector<Async<Member>> examinations;
  for (const NodeConfig& node : tools.cluster.topology().nodes()) {
    examinations.push_back(examine(tools, node, fence));
  }
  Roster roster;
  for (Member& member : co_await gather(std::move(examinations))) {
    roster.members_.emplace(member.node, std::move(member));
  }
  for (const std::string& node : awaiting_recovery(tools.cluster))
    roster.lose(node, tools.cluster.status(node).state_why);
  co_return roster;
}

bool Roster::all_in_sync() const {
  return std::ranges::all_of(
      members_, [](const auto& member) { return member.second.standing == Standing::kInSync; });
}

std::vector<std::string> Roster::readable_nodes() const {
  std::vector<std::string> nodes;
  for (const auto& [node, member] : members_) {
    if (member.standing != Standing::kUnknown) nodes.push_back(node);
  }
  return nodes;
}

void Roster::lose(const std::string& node, std::string why) {
  Member& member = members_.at(node);
  member.standing = Standing::kUnknown;
  member.why = std::move(why);
}

bool Roster::is_source(const std::string& node, ShardId shard) const {
  const Member& its = member(node);
  return its.standing == Standing::kInSync ||
         (its.standing == Standing::kHealing && its.taken_in.contains(shard));
}

void Roster::demote(const std::string& node, std::string why, std::set<ShardId> taken_in) {
  Member& member = members_.at(node);
  if (member.standing == Standing::kUnknown) return;
  member.taken_in = std::move(taken_in);
  if (member.standing == Standing::kHealing) return;
  member.standing = Standing::kHealing;
  member.why = std::move(why);
}

std::vector<Roster::Part> Roster::parts(const Topology& topology) const {
  std::map<std::pair<std::vector<int>, bool>, Part> parts;
  for (ShardId shard = 0; shard < topology.shard_count(); ++shard) {
    std::vector<int> groups;
    bool source = false;
    for (int group : topology.groups()) {
      const std::string& owner = topology.owner(group, shard);
      if (!readable(owner)) continue;
      groups.push_back(group);
      source = source || is_source(owner, shard);
    }
    Part& part = parts[{groups, source}];
    part.groups = groups;
    part.source = source;
    part.shards.push_back(shard);
    const SlotRange slots = topology.slots_of(shard);
    if (!part.slots.empty() && part.slots.back().last + 1 == slots.first) {
      part.slots.back().last = slots.last;
    } else {
      part.slots.push_back(slots);
    }
  }
  std::vector<Part> result;
  for (auto& [key, part] : parts) result.push_back(std::move(part));
  return result;
}

std::string Roster::why_unknown(const Topology& topology, ShardId shard) const {
  std::string why;
  for (const std::string& owner : topology.owners(shard)) {
    const Member& its = member(owner);
    if (its.standing != Standing::kUnknown) continue;
    if (!why.empty()) why += "; ";
    const std::string named = "node " + owner + ": ";
    if (!its.why.starts_with(named)) why += named;  // an error of its client names it already
    why += its.why;
  }
  return why;
}

}  // namespace miroir::anti_entropy
