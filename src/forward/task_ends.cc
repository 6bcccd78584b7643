#include "forward/task_ends.h"

#include <algorithm>
#include <iterator>
#include <ranges>
#include <utility>

#include "cluster/own_tasks.h"
#include "forward/plan.h"

namespace miroir {
namespace {

constexpr const char* kTasksTotal = "miroir_tasks_total";
constexpr const char* kTasksHelp = "Clients' tasks by how they ended.";
constexpr std::size_t kReadAtOnce = 256;
// Entries kept in mind while their tasks are open; more wait in the log.
constexpr std::size_t kOpenMax = 50'000;
// Events in between are looked at together.
constexpr Microseconds kLookInterval = Milliseconds(2);
constexpr Microseconds kDetailsTimeout = Seconds(2);
// An owner that was restarted is back by then, and may apply what the others could not.
constexpr Microseconds kAwaitedFor = Seconds(60);

// The member of a task's details that counts documents, if the kind of task has one.
std::string_view counter_of(EntryKind kind) {
  switch (kind) {
    case EntryKind::kWriteDocuments:
    case EntryKind::kMergeDocuments:
      return "indexedDocuments";
    case EntryKind::kDeleteDocuments:
    case EntryKind::kDeleteByFilter:
    case EntryKind::kClearDocuments:
    case EntryKind::kDropIndex:
      return "deletedDocuments";
    default:
      return "";
  }
}

std::uint64_t count_in(const Json& details, std::string_view name) {
  const Json* value = details.find(name);
  return value != nullptr && value->is_integer() && value->as_double() >= 0 ? value->as_uint64()
                                                                            : 0;
}

// Documents fail shard by shard, and are not deleted where a delete-all did.
bool stands_as_a_whole(EntryKind kind) {
  return !has_records(kind) && kind != EntryKind::kClearDocuments;
}

}  // namespace

TaskEnds::TaskEnds(ForwardContext context, Outcomes& outcomes, Voiding& voiding,
                   const std::vector<std::unique_ptr<Forwarder>>& forwarders, Metrics& metrics)
    : context_(context),
      outcomes_(outcomes),
      voiding_(voiding),
      forwarders_(forwarders),
      succeeded_(metrics.counter(kTasksTotal, kTasksHelp, {{"status", "succeeded"}})),
      failed_(metrics.counter(kTasksTotal, kTasksHelp, {{"status", "failed"}})) {
  // Whichever nodes there were: what was settled once is.
  for (const auto& [node, row] : context_.log.progress()) read_ = std::max(read_, row.settled);
  for (const NodeConfig& node : context_.cluster.topology().nodes()) {
    if (context_.cluster.status(node.id).state == ReplicaState::kInSync)
      context_.newest_ended =
          std::max(context_.newest_ended, context_.cluster.progress(node.id).done);
  }
  context_.settled = read_;
}

Async<void> TaskEnds::run() {
  co_await find_start();
  for (;;) {
    auto read = co_await read_new();
    if (!read) log_warning("cannot read the log", {{"error", read.error().message}});
    forget_dropped();
    const Looked looked = co_await look();
    const Position settled =
        entries_.empty() ? read_ : std::min(read_, entries_.begin()->first - 1);
    if (std::exchange(context_.settled, settled) != settled) context_.settling.notify_all();
    context_.backlog_read |= read_ >= context_.began_with || entries_.size() >= kOpenMax;
    if (read_ < context_.log.head() && entries_.size() < kOpenMax) {
      if (!read) co_await context_.clock.sleep_for(kInsistDelay);
      continue;
    }
    // Only where it looked without a pause did it miss nothing.
    if (looked == Looked::kNothingOver) co_await context_.stirred.wait();
    co_await context_.clock.sleep_for(looked == Looked::kNoProgress ? Microseconds(kInsistDelay)
                                                                    : kLookInterval);
  }
}

// No task that has not ended is older than what was settled, but for earlier parts of such a task.
Async<void> TaskEnds::find_start() {
  Position start = read_;
  while (start > 0) {
    std::shared_ptr<const Entry> entry;
    co_await insist(context_.clock, "reading the log", [this, start, &entry] {
      return [](Log& log, Position at, std::shared_ptr<const Entry>& out) -> Async<Result<void>> {
        MIROIR_CO_TRY(out, co_await kept_entry(log, at));
        co_return Result<void>();
      }(context_.log, start, entry);
    });
    if (entry == nullptr || entry->task <= start) break;
    --start;
  }
  read_ = start;
}

Async<Result<void>> TaskEnds::read_new() {
  while (read_ < context_.log.head() && entries_.size() < kOpenMax) {
    MIROIR_CO_TRY(auto entries, co_await context_.log.entries(read_ + 1, kReadAtOnce));
    if (entries.empty()) {
      read_ = context_.log.head();
      break;
    }
    for (std::shared_ptr<const Entry>& entry : entries) {
      const Position position = entry->position;
      if (!entry->task_type.empty()) {
        bool ended = false;
        if (position <= context_.began_with) {
          // Also where a client deleted it since.
          MIROIR_CO_TRY(const auto end, co_await context_.log.failed_parts(entry->task));
          ended = end.has_value();
        }
        if (ended) {
          co_await raise_newest_ended(entry, position);
        } else {
          tasks_[entry->task].parts.insert(position);
          entries_.emplace(position, open_entry(std::move(entry)));
        }
      }
      read_ = position;
    }
  }
  co_return Result<void>();
}

TaskEnds::Owners TaskEnds::owners_of(ShardId shard) const {
  const Topology& topology = context_.cluster.topology();
  Owners owners;
  for (std::size_t group = 0; group < topology.groups().size(); ++group)
    owners.push_back(topology.owner_index(group, shard));
  return owners;
}

TaskEnds::OpenEntry TaskEnds::open_entry(std::shared_ptr<const Entry> entry) const {
  const Topology& topology = context_.cluster.topology();
  OpenEntry open{.entry = std::move(entry)};
  if (!reaches_nodes(*open.entry)) return open;
  for (ShardId shard : touched_shards(*open.entry, topology)) open.owners.insert(owners_of(shard));
  // Entries that are not about documents reach every node, those without a shard too.
  return open;
}

// Ends what is over, in order, as a Meilisearch does: who waits for the last task finds what all
// those before it did, on whichever shard. What only waits to be decided holds up nothing: no owner
// that answers shows anything of it. The parts of a task are judged together, when all are over:
// who alone did one may lose it before the others are.
Async<TaskEnds::Looked> TaskEnds::look() {
  std::vector<Position> over;
  for (const auto& [position, open] : entries_) {
    const auto passed = [&, at = position](const auto& forwarder) {
      return is_past(*forwarder, at);
    };
    if (unresolved(*open.entry) ? std::ranges::none_of(forwarders_, passed) : !is_over(open)) break;
    over.push_back(position);
  }
  while (!over.empty() && entries_.at(over.back()).entry->task > over.back()) over.pop_back();
  Looked looked = over.empty() ? Looked::kNothingOver : Looked::kNoProgress;
  for (Position position : over) {
    OpenEntry& open = entries_.at(position);
    if (unresolved(*open.entry)) {
      // Lanes have passed it, so it reads differently by now.
      auto entry = co_await context_.log.entry(position);
      if (!entry) continue;
      // Unless it shall happen nowhere, the log went back, and does not know again what matched.
      if (unresolved(**entry) && !co_await is_void(*entry)) continue;
      open = open_entry(std::move(*entry));
      if (!unresolved(*open.entry)) looked = Looked::kProgress;
      if (!is_over(open)) break;
    }
    open.decided = false;
    if (!co_await learn_ends(open)) continue;  // the store; looked at again
    if (auto decided = co_await decide(open); !decided || !*decided) continue;
    open.decided = true;
    if (position != open.entry->task) continue;
    const std::shared_ptr<const Entry> entry = open.entry;
    OpenTask& task = tasks_.at(position);
    if (!co_await all_decided(task)) continue;
    for (const Position part : task.parts) {
      count(entries_.at(part), task);
      entries_.erase(part);
    }
    looked = Looked::kProgress;
    auto last = co_await context_.log.entry(entry->task);
    const Entry& shown = last ? **last : *entry;
    co_await raise_newest_ended(entry, entry->task);
    co_await insist(context_.clock, "task's end",
                    [this, &shown, ended = task] { return end_task(shown, ended); });
    tasks_.erase(entry->task);
  }
  co_return looked;
}

// The last part first: what takes a key back goes by the name that came with it.
Async<bool> TaskEnds::all_decided(const OpenTask& task) {
  const auto decided = [this](Position part) { return entries_.at(part).decided; };
  if (!std::ranges::all_of(task.parts, decided)) co_return false;
  for (const Position part : task.parts | std::views::reverse) {
    const OpenEntry& open = entries_.at(part);
    const auto failed = [](const auto& end) { return end.second.failed; };
    if (std::ranges::any_of(open.ends, failed) && !co_await outcomes_.decided(open.entry))
      co_return false;
  }
  co_return true;
}

bool TaskEnds::is_over(const OpenEntry& open) const {
  const Position position = open.entry->position;
  for (const auto& forwarder : forwarders_) {
    const NodeStatus status = context_.cluster.status(forwarder->node());
    const bool here = status.healthy && status.state == ReplicaState::kInSync && !status.stopped;
    if (here && forwarder->tasks().done() < position) return false;
  }
  if (open.entry->target) {
    for (const auto& forwarder : forwarders_) {
      if (forwarder->node() == *open.entry->target) return is_past(*forwarder, position);
    }
    return true;
  }
  for (const Owners& owners : open.owners) {
    if (std::ranges::none_of(
            owners, [&](std::size_t node) { return is_past(*forwarders_[node], position); })) {
      return false;
    }
  }
  return true;
}

// Whether nothing is to come of the entry there: the node ended it, or skipped it.
bool TaskEnds::is_past(const Forwarder& forwarder, Position position) const {
  return forwarder.tasks().has_ended(position) ||
         context_.cluster.progress(forwarder.node()).lacks(position);
}

// Whether the node was kept from the entry, or skipped it.
bool TaskEnds::is_kept_from(const std::string& node, Position position,
                            const std::map<std::string, Json>& failures) const {
  const auto failure = failures.find(node);
  return (failure != failures.end() && voided_by(failure->second)) ||
         context_.cluster.progress(node).lacks(position);
}

// Cancelled before anybody was sent it.
Async<bool> TaskEnds::is_void(std::shared_ptr<const Entry> entry) const {
  const auto failures = co_await context_.log.failures(entry->position);
  co_return failures&& std::ranges::all_of(forwarders_, [&](const auto& forwarder) {
    return !concerns(*entry, forwarder->node(), context_.cluster.topology()) ||
           is_kept_from(forwarder->node(), entry->position, *failures);
  });
}

// What no node was to do may end before what stands before it: no node shows anything of that yet.
Async<void> TaskEnds::raise_newest_ended(std::shared_ptr<const Entry> entry, Position position) {
  if (position <= context_.newest_ended) co_return;
  Position done = 0;
  for (const NodeConfig& node : context_.cluster.topology().nodes()) {
    const NodeStatus status = context_.cluster.status(node.id);
    if (status.state == ReplicaState::kInSync) done = std::max(done, status.done);
  }
  if (position > done && co_await is_void(std::move(entry))) position = done;
  context_.newest_ended = std::max(context_.newest_ended, position);
}

bool TaskEnds::applied_somewhere(const Ends& ends) {
  return std::ranges::any_of(ends, [](const auto& end) { return !end.second.failed; });
}

// Owners that have not ended what failed on all others of a shard; of an operation on indexes that
// failed wherever it ended, all that have not ended it.
std::set<std::size_t> TaskEnds::undecided(const OpenEntry& open) const {
  std::set<std::size_t> nodes;
  if (!has_records(open.entry->kind) && !open.ends.empty() && !applied_somewhere(open.ends)) {
    for (std::size_t node = 0; node < forwarders_.size(); ++node)
      if (!open.ends.contains(node)) nodes.insert(node);
    return nodes;
  }
  for (const Owners& owners : open.owners) {
    const auto applied = [&](std::size_t node) {
      const auto end = open.ends.find(node);
      return end != open.ends.end() && !end->second.failed;
    };
    if (std::ranges::any_of(owners, applied)) continue;
    std::ranges::copy_if(owners, std::inserter(nodes, nodes.end()),
                         [&](std::size_t node) { return !open.ends.contains(node); });
  }
  return nodes;
}

// What failed wherever it ended shall not happen on an owner that is away for long: it is kept from
// those that were not sent it. Whether none is left that may still apply it.
Async<Result<bool>> TaskEnds::decide(OpenEntry& open) {
  std::set<std::size_t> nodes = undecided(open);
  if (nodes.empty()) co_return true;
  MIROIR_CO_TRY(const auto failures, co_await context_.log.failures(open.entry->position));
  std::erase_if(nodes, [&](std::size_t node) {
    return is_kept_from(forwarders_[node]->node(), open.entry->position, failures);
  });
  if (nodes.empty()) co_return true;
  if (!open.undecided_since) open.undecided_since = context_.clock.now();
  if (context_.clock.now() - *open.undecided_since < kAwaitedFor) co_return false;
  // It stands with the catalogue: wherever it failed the reconciler makes up for it.
  if (stands_as_a_whole(open.entry->kind) && applied_somewhere(open.ends)) co_return true;
  const auto failed =
      std::ranges::find_if(open.ends, [](const auto& end) { return end.second.failed; });
  if (failed == open.ends.end()) co_return false;
  std::vector<Voiding::Part> parts;
  parts.push_back({open.entry, {nodes.begin(), nodes.end()}});
  if (!voiding_.hold(parts)) co_return false;
  co_await voiding_.make_void(std::move(parts), failed_elsewhere(failed->second.error));
  co_return true;
}

Async<Result<void>> TaskEnds::end_canceled(std::vector<Voiding::Part> parts, Position by) {
  OpenTask task;
  task.error = canceled_by(by);
  for (const Voiding::Part& part : parts) {
    task.failed_parts[part.entry->position] =
        touched_shards(*part.entry, context_.cluster.topology());
  }
  co_return co_await end_task(*parts.back().entry, std::move(task));
}

void TaskEnds::forget_dropped() {
  for (Position task : std::exchange(dropped_, {})) {
    const auto found = tasks_.find(task);
    if (found == tasks_.end()) continue;
    for (Position position : found->second.parts) entries_.erase(position);
    tasks_.erase(found);
  }
}

// How the nodes that ended the entry ended it; asks for what is not in mind any more.
Async<Result<void>> TaskEnds::learn_ends(OpenEntry& open) {
  const Entry& entry = *open.entry;
  const Topology& topology = context_.cluster.topology();
  std::optional<std::map<std::string, Json>> failures;
  for (std::size_t node = 0; node < forwarders_.size(); ++node) {
    const Forwarder& forwarder = *forwarders_[node];
    if (!forwarder.tasks().has_ended(entry.position) ||
        !concerns(entry, forwarder.node(), topology)) {
      open.ends.erase(node);  // its disk was put back
      continue;
    }
    if (const EndedTask* ended = forwarder.tasks().ended(entry.position)) {
      open.ends[node] = *ended;
      continue;
    }
    if (open.ends.contains(node)) continue;
    if (context_.cluster.progress(forwarder.node()).lacks(entry.position)) continue;
    if (!failures) {
      MIROIR_CO_TRY(failures, co_await context_.log.failures(entry.position));
    }
    EndedTask end;
    // Details only; a node that is away is not waited for.
    if (!is_key(entry.kind) && context_.cluster.status(forwarder.node()).healthy &&
        entry.position > context_.cluster.progress(forwarder.node()).renumbered) {
      const std::int64_t uid = static_cast<std::int64_t>(entry.position) + forwarder.offset();
      auto task = co_await context_.cluster.client(forwarder.node())
                      .task(static_cast<TaskUid>(uid), context_.clock.now() + kDetailsTimeout);
      if (task && *task && (*task)->ended() && (*task)->type == node_task_type(entry.kind)) {
        end = to_ended_task(**task);
      }
    }
    auto failure = failures->find(forwarder.node());
    end.failed = failure != failures->end();
    if (end.failed) end.error = failure->second;
    open.ends[node] = std::move(end);
  }
  co_return Result<void>();
}

void TaskEnds::count(const OpenEntry& open, OpenTask& task) const {
  if (open.entry->born_failed) {
    if (task.error.is_null()) task.error = meili::to_json(*open.entry->born_failed);
    return;
  }
  const Ends& ends = open.ends;
  const Topology& topology = context_.cluster.topology();
  const std::string_view counter = counter_of(open.entry->kind);
  for (const auto& [node, end] : ends) {
    if (end.started != 0)
      task.started = task.started == 0 ? end.started : std::min(task.started, end.started);
    task.finished = std::max(task.finished, end.finished);
  }

  // A shard whose owners all failed: that part did not happen.
  std::set<Owners> failed_owners;
  Json error;
  for (const Owners& owners : open.owners) {
    bool applied = false;
    Json last;
    for (std::size_t node : owners) {
      auto end = ends.find(node);
      if (end == ends.end()) continue;
      applied |= !end->second.failed;
      if (end->second.failed && last.is_null()) last = end->second.error;
    }
    if (applied || last.is_null()) continue;
    failed_owners.insert(owners);
    if (error.is_null()) error = std::move(last);
  }
  for (const ShardId shard : touched_shards(*open.entry, topology)) {
    if (failed_owners.contains(owners_of(shard)))
      task.failed_parts[open.entry->position].push_back(shard);
  }
  if (!failed_owners.empty() && task.error.is_null()) {
    if (failed_owners.size() < open.owners.size()) {
      Json* message = error.find("message");
      if (message != nullptr && message->is_string()) {
        *message =
            Json(message->as_string() + " (on a part of the shards; the others were applied)");
      }
    }
    task.error = std::move(error);
  }

  // Documents are counted in one group: one where nothing failed, if there is any.
  if (counter.empty()) return;
  std::uint64_t best = 0;
  std::size_t fewest_failed = ends.size() + 1;
  for (int group : topology.groups()) {
    std::uint64_t documents = 0;
    std::size_t failed = 0;
    for (std::size_t node = 0; node < forwarders_.size(); ++node) {
      if (topology.nodes()[node].group != group ||
          !concerns(*open.entry, forwarders_[node]->node(), topology))
        continue;
      auto end = ends.find(node);
      if (end == ends.end() || end->second.failed) {
        ++failed;
      } else {
        documents += count_in(end->second.details, counter);
      }
    }
    if (failed < fewest_failed || (failed == fewest_failed && documents > best)) {
      fewest_failed = failed;
      best = documents;
    }
  }
  task.documents = task.documents.value_or(0) + best;
}

Async<Result<void>> TaskEnds::end_task(const Entry& last, OpenTask task) {
  TaskEnd end;
  end.details = last.task_details;
  if (const auto by = voided_by(task.error)) {
    end.canceled_by = *by;
    task.error.erase(kNeverSent);
    if (*by != 0) task.error = Json();
  }
  const bool failed = !task.error.is_null();
  end.status = end.canceled_by != 0 ? "canceled" : failed ? "failed" : "succeeded";
  end.error = std::move(task.error);
  end.failed_parts = std::move(task.failed_parts);
  const std::string_view counter = counter_of(last.kind);
  if (!counter.empty() && end.details.is_object()) {
    end.details.set(counter, Json(task.documents.value_or(0)));
  }
  const auto now = static_cast<EntryStamp>(context_.clock.wall_now().time_since_epoch().count());
  // Nodes' clocks are their own; a task never ends before it began, nor begins before it was made.
  end.started = std::max(last.stamp, task.started == 0 ? now : task.started);
  end.finished = std::max(end.started, task.finished == 0 ? now : task.finished);
  MIROIR_CO_CHECK(co_await context_.log.end_task(last.task, end));
  if (end.status != "canceled") (failed ? failed_ : succeeded_).increment();
  context_.stirred.notify_all();
  co_return Result<void>();
}

}  // namespace miroir
