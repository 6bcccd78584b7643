#include "node/task_rows.h"

#include <utility>

namespace miroir::node {
namespace {

WallTime time_of(std::int64_t microseconds) { return WallTime(Microseconds(microseconds)); }

template <class T>
std::string numbers(const std::string& column, const std::optional<std::vector<T>>& wanted) {
  if (!wanted) return "";
  std::string list;
  for (const T value : *wanted) {
    list += list.empty() ? "" : ",";
    list += std::to_string(static_cast<std::int64_t>(value));
  }
  return " AND " + column + " IN (" + list + ")";
}

std::string time_bound(const std::string& column, const char* sign,
                       const std::optional<WallTime>& bound) {
  return bound ? " AND " + column + sign + std::to_string(microseconds_of(*bound)) : "";
}

Result<Json> json_column(const sqlite::Statement& row, int column) {
  if (row.is_null(column)) return Json();
  return parse_json(row.text(column));
}

Result<Task> read_task(const sqlite::Statement& row) {
  Task task;
  task.uid = static_cast<TaskUid>(row.int64(0));
  task.status = static_cast<meili::TaskStatus>(row.int64(1));
  task.kind = static_cast<meili::TaskKind>(row.int64(2));
  if (!row.is_null(3)) task.index_uid = row.string(3);
  if (!row.is_null(4)) task.batch_uid = static_cast<std::uint32_t>(row.int64(4));
  if (!row.is_null(5)) task.canceled_by = static_cast<TaskUid>(row.int64(5));
  task.enqueued_at = time_of(row.int64(6));
  if (!row.is_null(7)) task.started_at = time_of(row.int64(7));
  if (!row.is_null(8)) task.finished_at = time_of(row.int64(8));
  MIROIR_TRY(task.details, json_column(row, 9));
  MIROIR_TRY(task.error, json_column(row, 10));
  if (!row.is_null(11)) task.custom_metadata = row.string(11);
  MIROIR_TRY(task.content, json_column(row, 12));
  return task;
}

}  // namespace

std::int64_t microseconds_of(WallTime time) { return time.time_since_epoch().count(); }

void bind_task(sqlite::Statement& insert, const Task& task) {
  insert.bind(1, std::int64_t{task.uid})
      .bind(2, static_cast<int>(task.status))
      .bind(3, static_cast<int>(task.kind))
      .bind(7, microseconds_of(task.enqueued_at))
      .bind(10, to_text(task.details))
      .bind(13, to_text(task.content));
  if (task.index_uid) insert.bind(4, *task.index_uid);
  if (task.custom_metadata) insert.bind(12, *task.custom_metadata);
}

Result<std::vector<Task>> read_tasks(sqlite::Statement& select) {
  std::vector<Task> tasks;
  while (true) {
    MIROIR_TRY(const bool row, select.step());
    if (!row) return tasks;
    auto task = read_task(select);
    if (!task) {
      select.reset();
      return std::unexpected(std::move(task.error()));
    }
    tasks.push_back(std::move(*task));
  }
}

std::string condition_of(const TaskFilter& filter) {
  std::string where = "1";
  where += numbers("uid", filter.uids);
  where += numbers("batch_uid", filter.batch_uids);
  where += numbers("status", filter.statuses);
  where += numbers("kind", filter.kinds);
  where += numbers("canceled_by", filter.canceled_by);
  if (filter.index_uids) {
    std::string list;
    for (std::size_t i = 0; i < filter.index_uids->size(); ++i) list += i == 0 ? "?" : ",?";
    where += " AND index_uid IN (" + list + ")";
  }
  where += time_bound("enqueued_at", ">", filter.after_enqueued_at);
  where += time_bound("enqueued_at", "<", filter.before_enqueued_at);
  where += time_bound("started_at", ">", filter.after_started_at);
  where += time_bound("started_at", "<", filter.before_started_at);
  where += time_bound("finished_at", ">", filter.after_finished_at);
  where += time_bound("finished_at", "<", filter.before_finished_at);
  return where;
}

void bind_condition(sqlite::Statement& statement, const TaskFilter& filter) {
  if (!filter.index_uids) return;
  int parameter = 0;
  for (const std::string& uid : *filter.index_uids) statement.bind(++parameter, uid);
}

Json to_json(const BatchResult& result) {
  Json outcomes = Json::array();
  for (const TaskOutcome& outcome : result.outcomes) {
    Json json = Json::object({{"uid", std::int64_t{outcome.uid}}, {"details", outcome.details}});
    if (outcome.error) json.set("error", meili::to_json(*outcome.error));
    if (outcome.canceled_by) json.set("canceledBy", std::int64_t{*outcome.canceled_by});
    outcomes.push_back(std::move(json));
  }
  Json renames = Json::array();
  for (const auto& [from, to] : result.renames) renames.push_back(Json::array({from, to}));
  Json deleted = Json::array();
  for (const TaskUid uid : result.deleted) deleted.push_back(std::int64_t{uid});
  return Json::object({{"uid", std::int64_t{result.uid}},
                       {"startedAt", microseconds_of(result.started_at)},
                       {"finishedAt", microseconds_of(result.finished_at)},
                       {"outcomes", std::move(outcomes)},
                       {"renames", std::move(renames)},
                       {"renamedBefore", std::int64_t{result.renamed_before}},
                       {"deleted", std::move(deleted)}});
}

Result<BatchResult> parse_batch_result(const Json& json) {
  const auto number = [](const Json& object, std::string_view key) {
    return object.find(key)->as_int64();
  };
  BatchResult result{.uid = static_cast<std::uint32_t>(number(json, "uid")),
                     .started_at = time_of(number(json, "startedAt")),
                     .finished_at = time_of(number(json, "finishedAt")),
                     .outcomes = {},
                     .renames = {},
                     .renamed_before = static_cast<TaskUid>(number(json, "renamedBefore")),
                     .deleted = {}};
  for (const Json& outcome : json.find("outcomes")->as_array()) {
    TaskOutcome parsed{.uid = static_cast<TaskUid>(number(outcome, "uid")),
                       .details = *outcome.find("details"),
                       .error = {},
                       .canceled_by = {}};
    if (const Json* error = outcome.find("error")) {
      MIROIR_TRY(parsed.error, meili::parse_api_error(*error));
    }
    if (outcome.find("canceledBy") != nullptr)
      parsed.canceled_by = static_cast<TaskUid>(number(outcome, "canceledBy"));
    result.outcomes.push_back(std::move(parsed));
  }
  for (const Json& rename : json.find("renames")->as_array()) {
    result.renames.emplace_back(rename.as_array()[0].as_string(), rename.as_array()[1].as_string());
  }
  for (const Json& uid : json.find("deleted")->as_array())
    result.deleted.push_back(static_cast<TaskUid>(uid.as_int64()));
  return result;
}

}  // namespace miroir::node
