#include "forward/queue_upkeep.h"

#include <algorithm>
#include <limits>

namespace miroir {
namespace {

constexpr Microseconds kInterval = Seconds(30);
// At a time, so that a queue that has grown for long does not fill the log with its deletion.
constexpr std::int64_t kEntriesMax = 50;

Entry forget(const std::string& node, std::int64_t first, std::int64_t before) {
  Entry entry;
  entry.origin = Origin::kSystem;
  entry.kind = EntryKind::kForgetNodeTasks;
  entry.target = node;
  entry.arguments = Json::object({{"first", first}, {"before", before}});
  return entry;
}

}  // namespace

Async<void> QueueUpkeep::run() {
  for (;;) {
    co_await context_.clock.sleep_for(kInterval);
    for (const auto& forwarder : forwarders_) {
      const NodeStatus status = context_.cluster.status(forwarder->node());
      if (!status.healthy || status.stopped || status.state != ReplicaState::kInSync) continue;
      if (auto looked = co_await look_at(*forwarder); !looked) {
        log_warning("cannot look after a node's task queue",
                    {{"node", forwarder->node()}, {"error", looked.error().message}});
      }
    }
  }
}

// What is open, here or for a client, is newer than what goes: its tasks are still asked for. So is
// the last acknowledged task, by which the node's history is known.
Async<Result<void>> QueueUpkeep::look_at(const Forwarder& forwarder) {
  const auto needed = static_cast<std::int64_t>(
      std::min(context_.settled, context_.cluster.progress(forwarder.node()).done));
  const std::int64_t before = needed - static_cast<std::int64_t>(context_.options.node_tasks_kept);
  const std::int64_t offset = forwarder.offset();
  const auto at_once = static_cast<std::int64_t>(context_.options.tasks_forgotten_at_once);
  if (before + offset <= at_once) co_return Result<void>();
  MIROIR_CO_TRY(const auto oldest,
                co_await context_.cluster.client(forwarder.node())
                    .tasks(0, std::numeric_limits<TaskUid>::max(), 1,
                           context_.clock.now() + context_.options.request_timeout));
  if (oldest.empty()) co_return Result<void>();

  std::vector<Entry> entries;
  Position& forgotten = forgotten_[forwarder.node()];
  std::int64_t first =
      std::max(std::int64_t{oldest.front().uid} - offset, static_cast<std::int64_t>(forgotten));
  // Whole requests only: a deletion for every few tasks would fill the queue that it empties.
  for (; first + at_once <= before && std::ssize(entries) < kEntriesMax; first += at_once)
    entries.push_back(forget(forwarder.node(), first, first + at_once));
  if (entries.empty()) co_return Result<void>();
  MIROIR_CO_CHECK(co_await context_.log.append(
      [&](const Catalogue&, Position) -> Result<std::vector<Entry>> { return entries; }));
  forgotten = static_cast<Position>(std::max<std::int64_t>(0, first));
  co_return Result<void>();
}

}  // namespace miroir
