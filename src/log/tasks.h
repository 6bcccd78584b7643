#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "log/log.h"

namespace miroir {

// Which of the clients' tasks: an empty list, or no bound, lets all pass; a bound is exclusive.
struct TaskFilter {
  std::vector<Position> uids = {};
  std::vector<Position> batch_uids = {};  // a task is its own batch
  std::vector<std::string> statuses = {};
  std::vector<std::string> types = {};
  std::vector<std::string> index_uids = {};
  std::vector<Position> canceled_by = {};
  std::optional<WallTime> after_enqueued = {};
  std::optional<WallTime> before_enqueued = {};
  std::optional<WallTime> after_started = {};
  std::optional<WallTime> before_started = {};
  std::optional<WallTime> after_finished = {};
  std::optional<WallTime> before_finished = {};
  // Which indexes' tasks may be seen at all ("*": those of no single index); empty: all.
  std::function<bool(const std::string& index_uid)> visible = {};
};

struct TaskPage {
  std::vector<Json> tasks;       // as Meilisearch renders them
  std::uint64_t total = 0;       // that pass the filter, wherever the page begins
  std::optional<Position> from;  // the first task's uid
  std::optional<Position> next;  // where the next page begins
};

// Whether somebody works on a task that has not ended (src/forward knows).
using IsProcessing = std::function<bool(Position)>;

// Newest first (`reverse`: oldest first), beginning with `from`.
Async<Result<TaskPage>> list_tasks(Log& log, TaskFilter filter, std::optional<Position> from,
                                   std::size_t limit, bool reverse, IsProcessing processing);

// All that pass the filter, rising: for cancelling and deleting.
Async<Result<std::vector<Position>>> matching_tasks(Log& log, TaskFilter filter,
                                                    IsProcessing processing);

// The task of that uid; nullopt: there is none, or it was deleted.
Async<Result<std::optional<Json>>> find_task(Log& log, Position uid, IsProcessing processing);

// `end`: nullopt while it has not ended.
Json render_task(const Entry& entry, const std::optional<TaskEnd>& end, bool processing);

}  // namespace miroir
