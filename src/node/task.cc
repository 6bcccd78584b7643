#include "node/task.h"

namespace miroir::node {
namespace {

Json time_or_null(const std::optional<WallTime>& time) {
  return time ? Json(to_rfc3339(*time)) : Json();
}

}  // namespace

Json to_json(const Task& task) {
  const bool ran = task.started_at && task.finished_at;
  Json json = Json::object({
      {"uid", std::int64_t{task.uid}},
      {"batchUid", or_null(task.batch_uid)},
      {"indexUid", or_null(task.index_uid)},
      {"status", name(task.status)},
      {"type", name(task.kind)},
      {"canceledBy", or_null(task.canceled_by)},
      {"details", task.details},
      {"error", task.error},
      {"duration",
       ran ? Json(meili::iso8601_duration(*task.finished_at - *task.started_at)) : Json()},
      {"enqueuedAt", to_rfc3339(task.enqueued_at)},
      {"startedAt", time_or_null(task.started_at)},
      {"finishedAt", time_or_null(task.finished_at)},
  });
  if (task.custom_metadata) json.set("customMetadata", *task.custom_metadata);
  return json;
}

Json summary_of(const Task& task) {
  Json json = Json::object({
      {"taskUid", std::int64_t{task.uid}},
      {"indexUid", or_null(task.index_uid)},
      {"status", name(task.status)},
      {"type", name(task.kind)},
      {"enqueuedAt", to_rfc3339(task.enqueued_at)},
  });
  if (task.custom_metadata) json.set("customMetadata", *task.custom_metadata);
  return json;
}

}  // namespace miroir::node
