#include "log/tasks.h"

#include <algorithm>
#include <map>

#include "meili/task.h"

namespace miroir {
namespace {

constexpr std::size_t kEntriesPerPage = 512;

WallTime wall_time(EntryStamp stamp) {
  return WallTime(Microseconds(static_cast<std::int64_t>(stamp)));
}

Json time_or_null(EntryStamp stamp) {
  return stamp == 0 ? Json() : Json(to_rfc3339(wall_time(stamp)));
}

// A task as the log knows it.
struct Task {
  std::shared_ptr<const Entry> entry;
  TaskEnd end;  // status: also enqueued and processing; times 0 where there are none yet
};

TaskEnd state_of(const Entry& entry, const std::optional<TaskEnd>& end, bool processing) {
  if (end) return *end;
  if (entry.born_failed) {
    return TaskEnd{.status = "failed",
                   .started = entry.stamp,
                   .finished = entry.stamp,
                   .details = entry.task_details,
                   .error = meili::to_json(*entry.born_failed),
                   .canceled_by = 0};
  }
  TaskEnd open;
  open.status = processing ? "processing" : "enqueued";
  open.started = processing ? entry.stamp : 0;
  open.details = entry.task_details;
  return open;
}

template <class T, class U>
bool among(const std::vector<T>& allowed, const U& value) {
  return allowed.empty() || std::ranges::find(allowed, value) != allowed.end();
}

bool within(const std::optional<WallTime>& after, const std::optional<WallTime>& before,
            EntryStamp stamp) {
  if (!after && !before) return true;
  if (stamp == 0) return false;
  return (!after || wall_time(stamp) > *after) && (!before || wall_time(stamp) < *before);
}

bool names_index(const Entry& entry, const std::vector<std::string>& index_uids) {
  return index_uids.empty() || (!entry.index_uid.empty() && among(index_uids, entry.index_uid));
}

bool passes(const Task& task, const TaskFilter& filter) {
  const Entry& entry = *task.entry;
  const bool in_batch = filter.batch_uids.empty() ||
                        (task.end.status != "enqueued" && among(filter.batch_uids, entry.position));
  const bool visible =
      !filter.visible || filter.visible(entry.index_uid.empty() ? "*" : entry.index_uid);
  return visible && in_batch && among(filter.uids, entry.position) &&
         among(filter.statuses, task.end.status) && among(filter.types, entry.task_type) &&
         names_index(entry, filter.index_uids) && among(filter.canceled_by, task.end.canceled_by) &&
         within(filter.after_enqueued, filter.before_enqueued, entry.stamp) &&
         within(filter.after_started, filter.before_started, task.end.started) &&
         within(filter.after_finished, filter.before_finished, task.end.finished);
}

Json render(const Task& task) {
  const Entry& entry = *task.entry;
  const TaskEnd& end = task.end;
  const Json uid(entry.position);
  Json json = Json::object({{"uid", uid},
                            {"batchUid", end.status == "enqueued" ? Json() : uid},
                            {"indexUid", entry.index_uid.empty() ? Json() : Json(entry.index_uid)},
                            {"status", end.status},
                            {"type", entry.task_type},
                            {"canceledBy", end.canceled_by == 0 ? Json() : Json(end.canceled_by)},
                            {"details", end.details.is_null() ? entry.task_details : end.details},
                            {"error", end.error},
                            {"duration", Json()},
                            {"enqueuedAt", time_or_null(entry.stamp)},
                            {"startedAt", time_or_null(end.started)},
                            {"finishedAt", time_or_null(end.finished)}});
  if (end.started != 0 && end.finished >= end.started) {
    json.set("duration", meili::iso8601_duration(
                             Microseconds(static_cast<std::int64_t>(end.finished - end.started))));
  }
  if (!entry.custom_metadata.empty()) json.set("customMetadata", entry.custom_metadata);
  return json;
}

// Entries that are parts of a later one's task, and those of no client, are no tasks.
bool is_task(const Entry& entry) {
  return !entry.task_type.empty() && entry.task == entry.position;
}

using Ends = std::map<Position, std::optional<TaskEnd>>;

std::optional<Task> task_of(std::shared_ptr<const Entry> entry, const Ends& ends,
                            const IsProcessing& processing) {
  if (!is_task(*entry)) return std::nullopt;
  const Position uid = entry->position;
  const auto end = ends.find(uid);
  if (end != ends.end() && !end->second) return std::nullopt;  // deleted
  const std::optional<TaskEnd> ended = end == ends.end() ? std::nullopt : end->second;
  const bool works = !ended && processing && processing(uid);
  TaskEnd state = state_of(*entry, ended, works);
  return Task{std::move(entry), std::move(state)};
}

Async<Result<std::optional<Task>>> task_at(Log& log, Position uid, IsProcessing processing) {
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(log, uid));
  if (entry == nullptr) co_return std::optional<Task>();
  MIROIR_CO_TRY(const Ends ends, co_await log.task_ends(uid, uid));
  co_return task_of(entry, ends, processing);
}

using Visit = std::function<void(const Task&)>;

// The tasks that pass, rising.
Async<Result<void>> for_each_task(Log& log, TaskFilter filter, IsProcessing processing,
                                  Visit visit) {
  if (!filter.uids.empty()) {
    std::ranges::sort(filter.uids);
    const auto repeated = std::ranges::unique(filter.uids);
    filter.uids.erase(repeated.begin(), repeated.end());
    for (const Position uid : filter.uids) {
      MIROIR_CO_TRY(const std::optional<Task> task, co_await task_at(log, uid, processing));
      if (task && passes(*task, filter)) visit(*task);
    }
    co_return Result<void>();
  }
  for (Position next = 1; next <= log.head();) {
    MIROIR_CO_TRY(const auto entries, co_await log.entries(next, kEntriesPerPage));
    if (entries.empty()) break;
    const Position last = entries.back()->position;
    MIROIR_CO_TRY(const Ends ends, co_await log.task_ends(next, last));
    next = last + 1;
    for (const std::shared_ptr<const Entry>& entry : entries) {
      const std::optional<Task> task = task_of(entry, ends, processing);
      if (task && passes(*task, filter)) visit(*task);
    }
  }
  co_return Result<void>();
}

}  // namespace

Json render_task(const Entry& entry, const std::optional<TaskEnd>& end, bool processing) {
  return render({std::make_shared<const Entry>(entry), state_of(entry, end, processing)});
}

Async<Result<std::optional<Json>>> find_task(Log& log, Position uid, IsProcessing processing) {
  MIROIR_CO_TRY(const std::optional<Task> task, co_await task_at(log, uid, std::move(processing)));
  if (!task) co_return std::optional<Json>();
  co_return render(*task);
}

Async<Result<std::vector<Position>>> matching_tasks(Log& log, TaskFilter filter,
                                                    IsProcessing processing) {
  std::vector<Position> uids;
  MIROIR_CO_CHECK(
      co_await for_each_task(log, std::move(filter), std::move(processing),
                             [&](const Task& task) { uids.push_back(task.entry->position); }));
  co_return uids;
}

Async<Result<TaskPage>> list_tasks(Log& log, TaskFilter filter, std::optional<Position> from,
                                   std::size_t limit, bool reverse, IsProcessing processing) {
  MIROIR_CO_TRY(std::vector<Position> uids,
                co_await matching_tasks(log, std::move(filter), processing));
  TaskPage page;
  page.total = uids.size();
  if (!reverse) std::ranges::reverse(uids);
  const auto before_page = [&](Position uid) {
    return from && (reverse ? uid < *from : uid > *from);
  };
  for (auto at = std::ranges::find_if_not(uids, before_page); at != uids.end(); ++at) {
    if (page.tasks.size() == limit) {
      page.next = *at;
      break;
    }
    MIROIR_CO_TRY(std::optional<Json> task, co_await find_task(log, *at, processing));
    if (!task) continue;
    if (!page.from) page.from = *at;
    page.tasks.push_back(std::move(*task));
  }
  co_return page;
}

}  // namespace miroir
