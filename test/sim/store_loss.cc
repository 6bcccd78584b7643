// Miroir's store is lost, or an older copy of it is put back, while the nodes went on.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cluster/own_tasks.h"
#include "cluster/state_reasons.h"
#include "forward/plan.h"
#include "sim/world.h"

namespace miroir::sim {
namespace {

bool is_of(const EntryMark& mark, const Ledger::Entries& entries) {
  const auto found = entries.find(mark.position);
  return found != entries.end() && found->second->stamp == mark.stamp;
}

// Tasks of indexes and settings alone look like somebody else's (docs/design.md, invariant 11).
bool tells_of(const Ledger::Entries& lost, const SimulatedNode& node) {
  return std::ranges::any_of(node.disk().tasks, [&](const auto& task) {
    const auto mark = parse_task_metadata(task.second.task.custom_metadata);
    return mark && is_of(*mark, lost);
  });
}

// Whether a node would tell of them, if they made anything.
bool is_told_of(const Ledger::Entries& lost, const Nodes& nodes) {
  const auto is_silent = [](const auto& entry) {
    return !has_records(entry.second->kind) && reaches_nodes(*entry.second) &&
           !is_key(entry.second->kind);
  };
  const auto tells = [&](const auto& node) { return tells_of(lost, *node.second); };
  return std::ranges::none_of(lost, is_silent) || std::ranges::any_of(nodes, tells);
}

std::map<std::string, Json> settings_taken(const Batch& batch) {
  std::map<std::string, Json> words;
  for (const Batch::Change& change : batch.changes()) {
    if (change.table != Table::kEntry || change.kind != Batch::Change::Kind::kPut) continue;
    const Entry entry = *decode_entry(change.value);
    if (entry.kind != EntryKind::kAdoptIndex) continue;
    const Json* taken = entry.arguments.find("clientSettings")->find("stopWords");
    words[entry.index_uid] = taken == nullptr ? Json() : *taken;
  }
  return words;
}

// Who is known to lack more than single entries of an index.
std::set<std::pair<std::string, std::string>> in_doubt(const Log& log) {
  std::set<std::pair<std::string, std::string>> found;
  for (const Taint& taint : log.index_taints()) {
    const IndexState* index = log.catalogue().by_incarnation(taint.incarnation);
    if (index != nullptr && taint.failed.front() == Taint::kUnnamed)
      found.insert({taint.node, index->uid});
  }
  return found;
}

}  // namespace

bool World::store_goes_back(MemoryStore::Tables tables) {
  if (!is_told_of(ledger_.beyond(tables), nodes_)) return false;
  damaged_ += kAllDocuments;
  end_node_faults();
  const Ledger::Entries lost = ledger_.go_back(tables);
  lost_stamp_ = lost.empty() ? 0 : lost.rbegin()->second->stamp;
  const auto is_lost = [&lost](const Operation& operation) {
    if (!is_key_act(operation.request.act)) return lost.contains(operation.task);
    return std::ranges::any_of(lost, [&](const auto& entry) {
      const Json* uid = entry.second->arguments.find("uid");
      return is_key(entry.second->kind) && uid != nullptr &&
             *uid == Json(operation.request.ids.front());
    });
  };
  std::size_t count = 0;
  for (Operation& operation : operations_) {
    const bool answered = operation.status >= 200 && operation.status < 300;
    const bool maybe = operation.status == 0 && is_key_act(operation.request.act);
    if (operation.lost || !(answered || maybe) || !is_lost(operation)) continue;
    operation.lost = true;
    ++count;
  }
  say(fmt::format("the log goes back to {}, {} acknowledged requests with it", ledger_.head(),
                  count));
  witness_.store_went_back(ledger_.head());
  const bool copied = tables != MemoryStore::Tables();
  sweep_witness_.store_went_back(copied);
  audit_witness_.store_went_back(copied);
  operator_witness_.store_went_back();
  disk_witness_.store_went_back(copied ? std::optional(ledger_.head()) : std::nullopt);
  subscriber_.log_went_back(ledger_.head(), ledger_.left_open());
  cursed_.erase(cursed_.upper_bound(ledger_.head()), cursed_.end());
  std::erase_if(adoptions_, [this](const Adoption& one) { return one.position > ledger_.head(); });
  store_.restore(std::move(tables));
  in_recovery_ = true;
  went_back_to_ = ledger_.head();
  find_ahead(lost);
  return true;
}

// Where it does not find them for so long, it gives numbers again that nodes have tasks of. Where
// the clock was set back meanwhile nothing may tell them from those once Miroir dies again
// (docs/design.md, invariant 11).
void World::die_before_nodes_tell(const Fault& fault) {
  if (fault.handlers > 0 && !plan_.trims()) {
    const Microseconds away = fault.duration + Seconds(fault.handlers);
    for (auto& [id, network] : networks_) network.cut = true;
    say("no node answers");
    later(away - Seconds(1), [this] {
      const auto now = static_cast<EntryStamp>(clock_.wall_now().time_since_epoch().count());
      const auto given = ledger_.entries().upper_bound(went_back_to_);
      const bool gave = given != ledger_.entries().end();
      if (now < lost_stamp_ || (gave && given->second->stamp < lost_stamp_)) return;
      handlers_to_crash_ = 0;
      away_after_crash_ = Seconds(2);
    });
    later(away, [this] {
      for (auto& [id, network] : networks_) network.cut = false;
    });
  }
  crash(fault.duration);
}

// Who is ahead, and has no task of an entry any more, is taken to have done it.
void World::find_untold(const SimulatedNode& node) {
  std::set<Position> told;
  for (const auto& [uid, task] : node.disk().tasks) {
    const auto mark = parse_task_metadata(task.metadata);
    if (mark && is_of(*mark, ledger_.entries())) told.insert(mark->position);
  }
  for (const Position position : ledger_.left_open()) {
    const Entry& entry = *ledger_.entries().at(position);
    if (concerns(entry, node.options().id, topology_) && !told.contains(position))
      untold_.insert(entry.task);
  }
}

void World::find_ahead(const Ledger::Entries& lost) {
  ahead_.clear();
  untold_.erase(untold_.upper_bound(went_back_to_), untold_.end());
  for (const Position position : ledger_.left_open()) {
    const Position task = ledger_.entries().at(position)->task;
    if (asked_to_cancel_.contains(task)) kept_back_.insert(task);
  }
  for (const auto& [id, node] : nodes_) {
    if (!tells_of(lost, *node)) continue;
    SimulatedNode::Disk disk = node->snapshot();
    ahead_[id] = disk.next_uid;
    find_untold(*node);
    if (!plan_.copy_is_old) continue;
    TaskUid last = 0;
    for (const auto& [uid, task] : disk.tasks) {
      const auto mark = parse_task_metadata(task.metadata);
      if (mark && mark->position <= went_back_to_) last = uid;
    }
    // Of what failed nobody would know. A Meilisearch tells of it: by a task, the newest.
    const auto deleted = std::erase_if(disk.tasks, [last](const auto& task) {
      return task.first <= last && task.second.task.status == "succeeded";
    });
    node->restore(std::move(disk));
    if (deleted > 0) node->make_task(std::string(node_task_type(EntryKind::kForgetNodeTasks)));
  }
}

// Who was ahead of the store had been sent all that it knows.
void World::check_sent_again() {
  for (const auto& [id, next] : ahead_) {
    for (const auto& [uid, task] : nodes_.at(id)->disk().tasks) {
      const auto mark = parse_task_metadata(task.metadata);
      if (uid >= next && mark && mark->position <= went_back_to_)
        wrong_.push_back(fmt::format("node {} is sent entry {} again", id, mark->position));
    }
  }
}

// Until the nodes are equal: what is merged into copies that differ nobody tells apart.
bool World::in_recovery() {
  if (in_recovery_ && !witness_.recovering()) {
    say("Miroir has come to terms with its store");
    in_recovery_ = false;
  }
  return in_recovery_;
}

// Until its numbers have leapt above those of the nodes, all of these must answer.
bool World::needs_all_nodes() {
  constexpr Position kLeap = 100'000;
  return in_recovery() && ledger_.head() < went_back_to_ + kLeap;
}

// The entries that take the nodes as they are; those that only let the log's numbers leap leave a
// gap before them, or follow each other.
void World::watch_adoption(const Batch& batch) {
  const auto leaps = [this](Position position) {
    const auto before = ledger_.entries().find(position - 1);
    return before == ledger_.entries().end() || before->second->kind == EntryKind::kTaskOperation;
  };
  for (const Batch::Change& change : batch.changes()) {
    if (change.table != Table::kEntry || change.kind != Batch::Change::Kind::kPut) continue;
    const Entry entry = *decode_entry(change.value);
    const bool adopts = entry.kind == EntryKind::kAdoptIndex || is_key(entry.kind) ||
                        (entry.kind == EntryKind::kTaskOperation && !leaps(entry.position));
    if (entry.origin != Origin::kSystem || !adopts) continue;
    Adoption adoption{.position = entry.position,
                      .disks = {},
                      .sources = {},
                      .stop_words = settings_taken(batch),
                      .known = 0,
                      .in_doubt = in_doubt(process_->log())};
    if (went_back_to_ > 0) adoption.known = ledger_.entries().at(went_back_to_)->stamp;
    for (const auto& [id, node] : nodes()) {
      adoption.disks[id] = node->disk();
      const NodeStatus status = process_->cluster().status(id);
      const bool behind = status.state_why.starts_with(kLogWentBackBehind) ||
                          status.state_why.starts_with(kLacksIndex);
      if (status.state == ReplicaState::kInSync ||
          (may_await_recovery(status.state_why) && !behind))
        adoption.sources.insert(id);
    }
    std::ranges::move(disk_witness_.check_sources(adoption.sources), std::back_inserter(wrong_));
    adoptions_.push_back(std::move(adoption));
    check_sent_again();
    say(fmt::format("Miroir takes the nodes as they are, at {}", entry.position));
    return;
  }
}

}  // namespace miroir::sim
