#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "meili/api_error.h"
#include "meili/task.h"

namespace miroir::node {

using TaskUid = std::uint32_t;

// What is to be done. `content` is the kind's own: settingsUpdate {"settings":…, "deletion":bool};
// documents {"method": "replace"|"update", "primaryKey", …} with the documents in `body`, one JSON
// text a line.
struct NewTask {
  meili::TaskKind kind;
  std::optional<std::string> index_uid;
  Json content;
  std::string body;
  Json details;  // as shown while it is enqueued; members that are unknown until its end are null
  std::optional<std::string> custom_metadata;
};

// The headers that replication uses: the uid that the task must get, and whether to only try.
struct TaskHeaders {
  std::optional<TaskUid> uid;
  bool dry_run = false;
};

struct Task {
  TaskUid uid = 0;
  std::optional<std::uint32_t> batch_uid;
  std::optional<std::string> index_uid;
  meili::TaskStatus status = meili::TaskStatus::kEnqueued;
  meili::TaskKind kind = meili::TaskKind::kDocumentAdditionOrUpdate;
  std::optional<TaskUid> canceled_by;
  Json details;
  Json error;
  std::optional<std::string> custom_metadata;
  WallTime enqueued_at;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  Json content;
};

// As GET /tasks/{uid} shows it.
Json to_json(const Task& task);
// The answer of a route that made a task.
Json summary_of(const Task& task);

// The end of a task that ran.
struct TaskOutcome {
  TaskUid uid = 0;
  Json details;
  std::optional<meili::ApiError> error;
  std::optional<TaskUid> canceled_by;  // set: it never ran
};

}  // namespace miroir::node
