#include <charconv>

#include "log/tasks.h"
#include "meili/parameters.h"
#include "meili/task.h"
#include "proxy/proxy_state.h"

namespace miroir {
namespace {

constexpr std::initializer_list<std::string_view> kParameters = {"limit",
                                                                 "from",
                                                                 "reverse",
                                                                 "batchUids",
                                                                 "uids",
                                                                 "canceledBy",
                                                                 "types",
                                                                 "statuses",
                                                                 "indexUids",
                                                                 "afterEnqueuedAt",
                                                                 "beforeEnqueuedAt",
                                                                 "afterStartedAt",
                                                                 "beforeStartedAt",
                                                                 "afterFinishedAt",
                                                                 "beforeFinishedAt"};
constexpr std::initializer_list<std::string_view> kFilters = {
    "batchUids",       "uids",
    "canceledBy",      "types",
    "statuses",        "indexUids",
    "afterEnqueuedAt", "beforeEnqueuedAt",
    "afterStartedAt",  "beforeStartedAt",
    "afterFinishedAt", "beforeFinishedAt"};

meili::ApiError invalid(std::string_view code, std::string_view name, const std::string& value,
                        std::string_view expected) {
  return meili::api_error(code, "Invalid value in parameter `" + std::string(name) + "`: `" +
                                    value + "` is not " + std::string(expected));
}

// Reads the parameters one after another; the first error is kept.
class FilterReader {
 public:
  explicit FilterReader(const meili::Parameters& query) : query_(query) {}

  std::vector<Position> positions(std::string_view name, std::string_view code) {
    std::vector<Position> out;
    for (const std::string& text : list(name)) {
      Position value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size()) {
        refuse(invalid(code, name, text, "a task number"));
      }
      out.push_back(value);
    }
    return out;
  }

  std::vector<std::string> names(std::string_view name, std::string_view code, auto known,
                                 std::string_view expected) {
    std::vector<std::string> out = list(name);
    for (const std::string& each : out) {
      if (!known(each)) refuse(invalid(code, name, each, expected));
    }
    return out;
  }

  std::vector<std::string> list(std::string_view name) {
    auto values = meili::list_parameter(query_, name).value_or(std::vector<std::string>{});
    if (values.size() == 1 && values.front() == "*") values.clear();
    return values;
  }

  std::optional<WallTime> time(std::string_view name, std::string_view code, bool end_of_day) {
    const std::string* text = meili::find_parameter(query_, name);
    if (text == nullptr || *text == "*") return std::nullopt;
    const auto when = meili::parse_date_time(*text, end_of_day);
    if (!when) refuse(invalid(code, name, *text, "a date, `YYYY-MM-DD` or RFC 3339"));
    return when;
  }

  std::optional<meili::ApiError> error() const { return error_; }

 private:
  void refuse(meili::ApiError error) {
    if (!error_) error_ = std::move(error);
  }
  const meili::Parameters& query_;
  std::optional<meili::ApiError> error_;
};

TaskFilter read_filter(FilterReader& reader) {
  TaskFilter filter;
  filter.uids = reader.positions("uids", "invalid_task_uids");
  filter.batch_uids = reader.positions("batchUids", "invalid_batch_uids");
  filter.canceled_by = reader.positions("canceledBy", "invalid_task_canceled_by");
  filter.statuses = reader.names(
      "statuses", "invalid_task_statuses",
      [](const std::string& name) { return meili::parse_task_status(name).has_value(); },
      "a task status");
  filter.types = reader.names(
      "types", "invalid_task_types",
      [](const std::string& name) { return meili::parse_task_kind(name).has_value(); },
      "a task type");
  filter.index_uids = reader.list("indexUids");
  filter.after_enqueued = reader.time("afterEnqueuedAt", "invalid_task_after_enqueued_at", true);
  filter.before_enqueued =
      reader.time("beforeEnqueuedAt", "invalid_task_before_enqueued_at", false);
  filter.after_started = reader.time("afterStartedAt", "invalid_task_after_started_at", true);
  filter.before_started = reader.time("beforeStartedAt", "invalid_task_before_started_at", false);
  filter.after_finished = reader.time("afterFinishedAt", "invalid_task_after_finished_at", true);
  filter.before_finished =
      reader.time("beforeFinishedAt", "invalid_task_before_finished_at", false);
  return filter;
}

// A key sees the tasks of its own indexes.
std::function<bool(const std::string&)> visible_to(Proxy::State* state,
                                                   const http::RequestHead& head) {
  return [state, head](const std::string& index_uid) {
    return state->authorization.may_see(head, index_uid, state->parts.log.catalogue());
  };
}

IsProcessing processing_of(Proxy::State* state) {
  return [state](Position task) { return state->parts.forwarders.processing(task); };
}

Async<http::Response> list(Proxy::State* state, http::Request request) {
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, kParameters)) co_return error_answer(*error);
  auto limit = meili::unsigned_parameter(query, "limit", 20, "invalid_task_limit");
  auto reverse = meili::boolean_parameter(query, "reverse", false, "invalid_task_reverse");
  auto from = meili::unsigned_parameter(query, "from", 0, "invalid_task_from");
  if (!limit) co_return error_answer(limit.error());
  if (!reverse) co_return error_answer(reverse.error());
  if (!from) co_return error_answer(from.error());
  FilterReader reader(query);
  TaskFilter filter = read_filter(reader);
  if (reader.error()) co_return error_answer(*reader.error());
  filter.visible = visible_to(state, request);
  const bool begins = meili::find_parameter(query, "from") != nullptr;
  auto page = co_await list_tasks(state->parts.log, std::move(filter),
                                  begins ? std::optional(*from) : std::nullopt, *limit, *reverse,
                                  processing_of(state));
  if (!page) co_return error_answer(to_api_error(page.error(), "miroir_store_unavailable"));
  co_return json_answer(200, Json::object({{"results", Json(Json::Array(page->tasks))},
                                           {"total", Json(page->total)},
                                           {"limit", Json(*limit)},
                                           {"from", page->from ? Json(*page->from) : Json()},
                                           {"next", page->next ? Json(*page->next) : Json()}}));
}

Async<http::Response> get(Proxy::State* state, std::string name, http::Request request) {
  Position uid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
  if (error != std::errc() || end != name.data() + name.size()) {
    co_return error_answer(
        meili::api_error("invalid_task_uids", "Task uid `" + name +
                                                  "` is invalid. It should only contain numeric "
                                                  "characters."));
  }
  auto task = co_await find_task(state->parts.log, uid, processing_of(state));
  if (!task) co_return error_answer(to_api_error(task.error(), "miroir_store_unavailable"));
  const Json* index_uid = *task ? (*task)->find("indexUid") : nullptr;
  const bool has_index = index_uid != nullptr && index_uid->is_string();
  if (!*task || !visible_to(state, request)(has_index ? index_uid->as_string() : "*")) {
    co_return error_answer(meili::api_error("task_not_found", "Task `" + name + "` not found."));
  }
  co_return json_answer(200, **task);
}

// The tasks that a request to cancel or delete some means.
std::expected<TaskFilter, meili::ApiError> filter_to_change(Proxy::State* state,
                                                            const http::Request& request,
                                                            const std::string& verb) {
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, kFilters)) return std::unexpected(*error);
  if (query.empty()) {
    return std::unexpected(meili::api_error(
        "missing_task_filters",
        "Query parameters to filter the tasks to " + verb +
            " are missing. Available query parameters are: `uids`, `indexUids`, `statuses`, "
            "`types`, `canceledBy`, `beforeEnqueuedAt`, `afterEnqueuedAt`, `beforeStartedAt`, "
            "`afterStartedAt`, `beforeFinishedAt`, `afterFinishedAt`."));
  }
  FilterReader reader(query);
  TaskFilter filter = read_filter(reader);
  if (reader.error()) return std::unexpected(*reader.error());
  filter.visible = visible_to(state, request);
  return filter;
}

// The request itself becomes a task, done as it is appended.
Async<Result<std::vector<Entry>>> append_operation(Proxy::State* state, std::string type,
                                                   Json details, Voided voided = {}) {
  co_return co_await state->parts.log.append(
      [&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
        Entry entry = client_entry(EntryKind::kTaskOperation, type, "", nullptr);
        entry.task_details = details;
        return std::vector{std::move(entry)};
      },
      WhenFull::kRefuse, std::move(voided));
}

http::Response operation_answer(Proxy::State* state, const Result<std::vector<Entry>>& appended) {
  http::Response answer = append_answer(state->context, appended);
  if (answer.status == 202) answer.status = 200;
  return answer;
}

// Those of the tasks that have one of these statuses by now.
Async<Result<std::vector<Position>>> matching_among(Proxy::State* state, TaskFilter filter,
                                                    std::vector<Position> tasks,
                                                    std::vector<std::string> statuses) {
  if (tasks.empty()) co_return tasks;
  filter.uids = std::move(tasks);
  filter.statuses = std::move(statuses);
  co_return co_await matching_tasks(state->parts.log, std::move(filter), processing_of(state));
}

// Of the matching tasks, those that no node was sent yet.
Async<http::Response> cancel_tasks(Proxy::State* state, http::Request request) {
  auto filter = filter_to_change(state, request, "cancel");
  if (!filter) co_return error_answer(filter.error());
  Log& log = state->parts.log;
  auto matched = co_await matching_tasks(log, *filter, processing_of(state));
  if (!matched) co_return error_answer(to_api_error(matched.error(), "miroir_store_unavailable"));
  auto open = co_await matching_among(state, *filter, *matched, {"enqueued"});
  if (!open) co_return error_answer(to_api_error(open.error(), "miroir_store_unavailable"));

  http::Response answer;
  const auto announce = [&](std::size_t canceled, Voided voided) -> Async<Result<Position>> {
    Result<std::vector<Entry>> appended = co_await append_operation(
        state, "taskCancelation",
        Json::object({{"matchedTasks", Json(std::uint64_t{matched->size()})},
                      {"canceledTasks", Json(std::uint64_t{canceled})},
                      {"originalFilter", "?" + request.query}}),
        std::move(voided));
    answer = operation_answer(state, appended);
    if (!appended) co_return std::unexpected(std::move(appended).error());
    co_return appended->front().position;
  };
  auto done = co_await state->parts.forwarders.cancel(std::move(*open), announce);
  if (!done && answer.status == 200) {
    co_return error_answer(to_api_error(done.error(), "miroir_store_unavailable"));
  }
  co_return answer;
}

// Of the matching tasks, those that have ended are forgotten: views, nothing else.
Async<http::Response> delete_tasks(Proxy::State* state, http::Request request) {
  auto filter = filter_to_change(state, request, "delete");
  if (!filter) co_return error_answer(filter.error());
  Log& log = state->parts.log;
  auto matched = co_await matching_tasks(log, *filter, processing_of(state));
  if (!matched) co_return error_answer(to_api_error(matched.error(), "miroir_store_unavailable"));
  auto ended = co_await matching_among(state, std::move(*filter), *matched,
                                       {"succeeded", "failed", "canceled"});
  if (!ended) co_return error_answer(to_api_error(ended.error(), "miroir_store_unavailable"));
  if (auto forgotten = co_await log.forget_tasks(*ended); !forgotten) {
    co_return error_answer(to_api_error(forgotten.error(), "miroir_store_unavailable"));
  }
  co_return operation_answer(
      state, co_await append_operation(
                 state, "taskDeletion",
                 Json::object({{"matchedTasks", Json(std::uint64_t{matched->size()})},
                               {"deletedTasks", Json(std::uint64_t{ended->size()})},
                               {"originalFilter", "?" + request.query}})));
}

}  // namespace

void add_task_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  routes.add("GET", "/tasks", "tasks.get",
             [s](Route::Values, http::Request r) { return list(s, std::move(r)); });
  routes.add("GET", "/tasks/{task}", "tasks.get",
             [s](Route::Values v, http::Request r) { return get(s, v[0], std::move(r)); });
  routes.add("POST", "/tasks/cancel", "tasks.cancel",
             [s](Route::Values, http::Request r) { return cancel_tasks(s, std::move(r)); });
  routes.add("DELETE", "/tasks", "tasks.delete",
             [s](Route::Values, http::Request r) { return delete_tasks(s, std::move(r)); });
}

}  // namespace miroir
