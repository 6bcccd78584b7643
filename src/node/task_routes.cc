#include "node/task_routes.h"

#include <charconv>

#include "node/task_filter.h"

namespace miroir::node {
namespace {

using meili::ApiError;

constexpr std::size_t kPageSize = 20;

ApiError internal(const Error& error) { return meili::api_error("internal", error.message); }

std::optional<TaskUid> parse_uid(std::string_view text) {
  TaskUid uid = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size())
    return std::nullopt;
  return uid;
}

// A key that is limited to some indexes sees their tasks only.
void limit_to_allowed(std::vector<Task>& tasks, const Access& access) {
  std::erase_if(tasks,
                [&](const Task& task) { return !access.allows(task.index_uid.value_or("*")); });
}

Reply list_tasks(Engine& engine, const Call& call) {
  if (auto error = meili::check_parameters(
          call.query,
          {"limit", "from", "reverse", "batchUids", "uids", "canceledBy", "types", "statuses",
           "indexUids", "afterEnqueuedAt", "beforeEnqueuedAt", "afterStartedAt", "beforeStartedAt",
           "afterFinishedAt", "beforeFinishedAt"})) {
    return std::unexpected(std::move(*error));
  }
  const auto limit =
      meili::unsigned_parameter(call.query, "limit", kPageSize, "invalid_task_limit");
  if (!limit) return std::unexpected(limit.error());
  const auto from = meili::unsigned_parameter(call.query, "from", 0, "invalid_task_from");
  if (!from) return std::unexpected(from.error());
  const auto reverse =
      meili::boolean_parameter(call.query, "reverse", false, "invalid_task_reverse");
  if (!reverse) return std::unexpected(reverse.error());
  const auto filter = parse_task_filter(call.query);
  if (!filter) return std::unexpected(filter.error());
  const bool from_given = meili::find_parameter(call.query, "from") != nullptr;
  auto page = engine.tasks().list(
      *filter, from_given ? std::optional(static_cast<TaskUid>(*from)) : std::nullopt, *limit,
      *reverse);
  if (!page) return std::unexpected(internal(page.error()));
  limit_to_allowed(page->tasks, call.access);
  Json results = Json::array();
  for (const Task& task : page->tasks) results.push_back(to_json(task));
  return json_reply(
      200,
      Json::object(
          {{"results", std::move(results)},
           {"total", page->total},
           {"limit", *limit},
           {"from", page->tasks.empty() ? Json() : Json(std::int64_t{page->tasks.front().uid})},
           {"next", page->next ? Json(std::int64_t{*page->next}) : Json()}}));
}

Reply get_task(Engine& engine, const Call& call) {
  const std::string& text = call.variables.front();
  const auto uid = parse_uid(text);
  if (!uid) {
    return std::unexpected(meili::api_error(
        "invalid_task_uids",
        "Task uid `" + text + "` is invalid. It should only contain numeric characters."));
  }
  const auto task = engine.tasks().find(*uid);
  if (!task) return std::unexpected(internal(task.error()));
  if (!*task || !call.access.allows((*task)->index_uid.value_or("*"))) {
    return std::unexpected(meili::api_error("task_not_found", "Task `" + text + "` not found."));
  }
  return json_reply(200, to_json(**task));
}

// POST /tasks/cancel and DELETE /tasks: which tasks are meant is settled now, what becomes of them
// when it runs.
Reply change_tasks(Engine& engine, const Call& call, meili::TaskKind kind) {
  const bool cancels = kind == meili::TaskKind::kTaskCancelation;
  if (auto error = meili::check_parameters(
          call.query, {"uids", "batchUids", "canceledBy", "types", "statuses", "indexUids",
                       "afterEnqueuedAt", "beforeEnqueuedAt", "afterStartedAt", "beforeStartedAt",
                       "afterFinishedAt", "beforeFinishedAt"})) {
    return std::unexpected(std::move(*error));
  }
  if (call.query.empty()) {
    return std::unexpected(meili::api_error(
        "missing_task_filters", std::string("Query parameters to filter the tasks to ") +
                                    (cancels ? "cancel" : "delete") +
                                    " are missing. Available query parameters are: `uids`, "
                                    "`indexUids`, `statuses`, `types`, `canceledBy`, "
                                    "`beforeEnqueuedAt`, `afterEnqueuedAt`, `beforeStartedAt`, "
                                    "`afterStartedAt`, `beforeFinishedAt`, "
                                    "`afterFinishedAt`."));
  }
  const auto filter = parse_task_filter(call.query);
  if (!filter) return std::unexpected(filter.error());
  const auto uids = engine.tasks().matching(*filter);
  if (!uids) return std::unexpected(internal(uids.error()));
  Json list = Json::array();
  for (const TaskUid uid : *uids) list.push_back(std::int64_t{uid});
  Json details = Json::object({{"matchedTasks", list.size()},
                               {cancels ? "canceledTasks" : "deletedTasks", Json()},
                               {"originalFilter", "?" + call.request.query}});
  NewTask task{.kind = kind,
               .index_uid = {},
               .content = Json::object({{"uids", std::move(list)}}),
               .body = {},
               .details = std::move(details),
               .custom_metadata = {}};
  return enqueue(engine, call, std::move(task), 200);
}

}  // namespace

std::expected<TaskHeaders, ApiError> headers_of(const Call& call) {
  TaskHeaders headers;
  if (const std::string* text = call.request.headers.find("TaskId")) {
    headers.uid = parse_uid(*text);
    if (!headers.uid) {
      return std::unexpected(meili::api_error(
          "bad_request", "Could not parse the TaskId as a u32: invalid digit found in string"));
    }
  }
  if (const std::string* text = call.request.headers.find("DryRun")) {
    if (*text != "true" && *text != "false") {
      return std::unexpected(meili::api_error(
          "bad_request",
          "Could not parse the DryRun as a bool: provided string was not `true` or `false`"));
    }
    headers.dry_run = *text == "true";
  }
  return headers;
}

Reply enqueue(Engine& engine, const Call& call, NewTask task, int status) {
  const auto headers = headers_of(call);
  if (!headers) return std::unexpected(headers.error());
  const auto added = engine.enqueue(std::move(task), *headers);
  if (!added) return std::unexpected(added.error());
  return json_reply(status, summary_of(*added));
}

void add_task_routes(Router& router, Engine& engine) {
  router.add("GET", "/tasks", "tasks.get",
             [&](const Call& call) { return list_tasks(engine, call); });
  router.add("POST", "/tasks/cancel", "tasks.cancel", [&](const Call& call) {
    return change_tasks(engine, call, meili::TaskKind::kTaskCancelation);
  });
  router.add("DELETE", "/tasks", "tasks.delete", [&](const Call& call) {
    return change_tasks(engine, call, meili::TaskKind::kTaskDeletion);
  });
  router.add("GET", "/tasks/{task_uid}", "tasks.get",
             [&](const Call& call) { return get_task(engine, call); });
}

}  // namespace miroir::node
