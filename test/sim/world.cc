#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "cluster/own_tasks.h"
#include "cluster/state_reasons.h"
#include "forward/filter_slice.h"

namespace miroir::sim {
namespace {

Topology make_topology(const Plan& plan, int groups) {
  std::vector<NodeConfig> nodes;
  for (int group = 0; group < groups; ++group) {
    for (int place = 0; place < plan.nodes_per_group; ++place) {
      const std::string id = node_name(group, place);
      nodes.push_back({id, "http://" + id, group});
    }
  }
  return *Topology::make(std::move(nodes), plan.shards);
}

// Whole writes and deletes by id: what they make does not depend on what is there, of which nobody
// can say yet what it is. A delete fails where the index is gone, until the nodes are taken as they
// are.
bool holds_in_recovery(Act act, bool taken) {
  return act == Act::kReplace || (taken && (act == Act::kDelete || act == Act::kDeleteBatch));
}

}  // namespace

World::World(const Plan& plan)
    : plan_(plan),
      topology_(make_topology(plan, plan.groups - (plan.late_group ? 1 : 0))),
      random_(plan.seed + 1'000'003),
      witness_(topology_, nodes_, journals_, clock_, plan.deletes_max),
      sweep_witness_(clock_, {.sweep_interval = plan.sweep_interval.value_or(Seconds(0))}),
      audit_witness_(clock_, plan.audit_retention),
      operator_witness_(
          topology_, journals_, clock_,
          {plan.auto_repair, plan.shards_per_pass, plan.window_minutes, plan.window_period}),
      disk_witness_(topology_, nodes_) {
  for (const NodeConfig& config : topology_.nodes()) add_node(config.id);
  if (plan.trims()) damaged_ += kAllDocuments * nodes_.size();
  store_.be_exclusive();
  store_.take_time(clock_, plan.commit_max, random_.next());
  store_.observe([this](const Batch& batch) {
    ledger_.committed(batch);
    lift_curses();
    witness_.committed(batch);
    sweep_witness_.committed(batch);
    audit_witness_.committed(batch);
    operator_witness_.committed(batch);
    if (in_recovery_) watch_adoption(batch);
  });
}

// Only what clients ask for can be cursed, and the settings that come with it: the reconciler's own
// deletes follow an expiry whatever becomes of it. Of settings a log that keeps little may forget
// that they failed; and of an index on which another operation fails on one replica nothing tells
// which is right.
void World::lift_curses() {
  const bool one_fails =
      std::ranges::any_of(plan_.phases, [](const Phase& phase) { return damages(phase); });
  const auto stays = [&](const Entry& entry) {
    switch (entry.kind) {
      case EntryKind::kTaskOperation:
        return false;
      case EntryKind::kUpdateSettings:
        return entry.origin != Origin::kAntiEntropy && !plan_.trims() && !one_fails;
      case EntryKind::kCreateIndex:
      case EntryKind::kDropIndex:
      case EntryKind::kUpdateIndex:
      case EntryKind::kSwapIndexes:
        return entry.origin == Origin::kClient && !one_fails;
      default:
        return entry.origin == Origin::kClient;
    }
  };
  std::erase_if(cursed_, [&](Position position) {
    const auto entry = ledger_.entries().find(position);
    return entry != ledger_.entries().end() && !stays(*entry->second);
  });
  // The slices of a delete by filter are cursed together.
  std::set<Position> slices;
  for (const Position position : cursed_) {
    const auto entry = ledger_.entries().find(position);
    if (entry == ledger_.entries().end()) continue;
    for (Position slice = slice_of(*entry->second).first; slice <= entry->second->task; ++slice)
      slices.insert(slice);
  }
  cursed_.merge(slices);
}

void World::add_node(const std::string& id) {
  SimulatedNode::Options options;
  options.id = id;
  options.names = names_of(plan_);
  options.task_delay_max = plan_.task_delay_max;
  options.clock_offset = Microseconds(static_cast<std::int64_t>(
      (2 * random_.unit() - 1) * static_cast<double>(plan_.node_clocks_max.count())));
  nodes_[id] = std::make_unique<SimulatedNode>(clock_, random_.next(), options);
  nodes_[id]->watch(
      [this, id](const NodeTask& task, const auto& before) { witness_.applied(id, task, before); });
  nodes_[id]->fail_alone([this](std::string_view metadata) {
    const auto mark = parse_task_metadata(metadata);
    return mark && cursed_.contains(mark->position);
  });
  networks_[id];
  journals_[id].reading = &reading_;
}

void World::add_group(Microseconds away) {
  damaged_ += kAllDocuments;
  topology_ = make_topology(plan_, plan_.groups);
  for (const NodeConfig& config : topology_.nodes()) {
    if (!nodes_.contains(config.id)) add_node(config.id);
  }
  crash(away);
}

World::~World() { process_.reset(); }

void World::say(const std::string& what) {
  const double seconds =
      static_cast<double>(clock_.wall_now().time_since_epoch().count() % 86'400'000'000) / 1e6;
  story_.push_back(fmt::format("{:12.6f}  {}", seconds, what));
}

void World::later(Microseconds delay, std::function<void()> what) {
  due_.emplace(clock_.now() + delay, std::move(what));
}

void World::step(Instant end) {
  if (!due_.empty() && due_.begin()->first <= clock_.now()) {
    due_.extract(due_.begin()).mapped()();
    return;
  }
  if (!process_)
    process_ = std::make_unique<Process>(
        Surroundings{plan_, topology_, clock_, store_, nodes_, networks_, journals_, subscriber_},
        random_.next());
  if (process_->step()) {
    if (handlers_to_crash_ && --*handlers_to_crash_ < 0) crash(away_after_crash_);
    if (process_ && storm_) blow();
    return;
  }
  if (process_->failed()) {
    say("Miroir could not open its log, and ends");
    crash(Seconds(1));
    return;
  }
  Instant next = end;
  if (!due_.empty()) next = std::min(next, due_.begin()->first);
  if (const auto wake = clock_.next_wake()) next = std::min(next, *wake);
  clock_.advance_to(next);
}

void World::crash(Microseconds away) {
  handlers_to_crash_.reset();
  say(fmt::format("Miroir dies, for {} ms", away.count() / 1'000));
  process_.reset();
  sweep_witness_.miroir_died();
  operator_witness_.miroir_died();
  // Time passes without it: nothing but the due may happen.
  const Instant back = clock_.now() + away;
  while (!due_.empty() && due_.begin()->first <= back) {
    clock_.advance_to(due_.begin()->first);
    due_.extract(due_.begin()).mapped()();
  }
  clock_.advance_to(back);
}

bool World::run_until(const std::function<bool()>& holds, Microseconds at_most) {
  const Instant end = clock_.now() + at_most;
  while (!holds()) {
    if (clock_.now() >= end) return false;
    step(end);
  }
  return true;
}

void World::run_phase(const Phase& phase) {
  for (const Step& planned : phase.steps) {
    later(planned.at, [this, &planned] {
      std::visit([this](const auto& what) { begin(what); }, planned.what);
    });
  }
  run_until([] { return false; }, phase.length);
  end_faults();
}

void World::begin(Request request, bool by_person) {
  names_changed_ = names_changed_ || exchanges_names(request.act);
  const int number = static_cast<int>(operations_.size());
  if (request.lifetime && !in_recovery()) {
    const auto now = clock_.wall_now().time_since_epoch() / Milliseconds(1);
    request.expires_at = now + *request.lifetime / Milliseconds(1);
    if (*request.lifetime <= kLifetimeMax)
      last_expiry_ = std::max(last_expiry_, *request.expires_at);
  }
  operations_.push_back({.number = number, .request = request});
  if (!process_ || !process_->ready()) {
    say(fmt::format("op{} {}: nobody there", number, describe(request)));
    operations_.back().status = 503;
    return;
  }
  operations_.back().in_recovery = in_recovery();
  const bool taken = !adoptions_.empty() && adoptions_.back().position > went_back_to_;
  const bool known = taken || process_->log().catalogue().index(request.index) != nullptr;
  if (in_recovery_ && !by_person && !(known && holds_in_recovery(request.act, taken))) {
    operations_.back().status = 503;
    return;
  }
  say(fmt::format("op{} {}", number, describe(request)));
  process_->serve(request, number, [this, number](http::Response response) {
    Operation& operation = operations_[static_cast<std::size_t>(number)];
    operation.status = response.status;
    auto body = parse_json(response.body);
    const Json* task = body ? body->find("taskUid") : nullptr;
    if (response.status == 202 && task != nullptr) operation.task = task->as_uint64();
    say(fmt::format(
        "op{} answered {}{}", number, response.status,
        response.status == 202 ? " task " + std::to_string(operation.task) : ": " + response.body));
  });
}

void World::set_clock(Microseconds offset) {
  witness_.note_time();
  audit_witness_.note_time();
  wall_offset_ = offset;
  clock_.set_wall_offset(offset);
}

void World::let_expire() {
  const WallTime when{Milliseconds(last_expiry_ + 1)};
  const Microseconds early = when - clock_.wall_now();
  if (early.count() <= 0) return;
  set_clock(wall_offset_ + early);
  say("all that expires soon has expired");
}

Microseconds World::time_to_sweep() {
  std::map<std::string, std::set<std::string>> expiring;
  for (const auto& [id, node] : nodes_) {
    for (const auto& [uid, index] : node->disk().indexes) {
      for (const auto& [document, content] : index.documents) {
        if (content.find(kExpiresAt) != nullptr) expiring[uid].insert(document);
      }
    }
  }
  Microseconds longest = *plan_.sweep_interval;
  for (const auto& [uid, documents] : expiring)
    longest = std::max(longest, sweep_witness_.time_to_sweep(uid, documents.size()));
  return longest;
}

void World::end_node_faults() {
  for (auto& [id, node] : nodes_) {
    node->catch_up();
    if (node->options().down) node->drop_late_requests();
    node->options().down = false;
    node->options().full = false;
    node->fail_tasks({});
    networks_[id] = {};
  }
}

void World::end_faults() {
  due_.clear();
  handlers_to_crash_.reset();
  storm_.reset();
  store_.fill_disk(false);
  end_node_faults();
  // What was cursed stays so, on disks that come back too; no repair is.
  cursed_.erase(cursed_.upper_bound(ledger_.head()), cursed_.end());
  if (!plan_.collects()) snapshots_.clear();
  store_copy_.reset();
  remembered_.clear();
  say("faults end");
}

bool World::settled() const {
  return caught_up() && std::ranges::all_of(topology_.nodes(), [this](const NodeConfig& node) {
           return process_->cluster().status(node.id).state == ReplicaState::kInSync;
         });
}

bool World::caught_up() const {
  if (!process_ || !process_->ready()) return false;
  return std::ranges::all_of(topology_.nodes(), [this](const NodeConfig& node) {
    const NodeStatus status = process_->cluster().status(node.id);
    return status.healthy && status.done >= process_->log().head() &&
           !may_await_recovery(status.state_why);
  });
}

std::string World::why_unsettled() const {
  if (!process_ || !process_->ready()) return "Miroir is not up";
  std::string why = fmt::format("the log's head is {}", process_->log().head());
  for (const NodeConfig& node : topology_.nodes()) {
    const NodeStatus status = process_->cluster().status(node.id);
    why += fmt::format("; {} is {} {} and has done {}, {}", node.id, name(status.state),
                       status.state_why, status.done,
                       status.healthy ? "healthy" : "away: " + status.unhealthy_why);
  }
  return why;
}

std::vector<std::string> World::take_wrong() {
  std::vector<std::string> wrong = witness_.take_wrong();
  std::ranges::move(operator_witness_.take_wrong(), std::back_inserter(wrong));
  if (reading_.most > static_cast<int>(plan_.max_read_concurrency))
    wrong.push_back(fmt::format("{} reads of nodes at a time", reading_.most));
  std::ranges::move(wrong_, std::back_inserter(wrong));
  return wrong;
}

const Nodes& World::nodes() {
  for (auto& [id, node] : nodes_) {
    node->catch_up();
    node->settle();
  }
  return nodes_;
}

}  // namespace miroir::sim
