#include "node/task_filter.h"

#include <charconv>
#include <limits>

#include "meili/index_uid.h"

namespace miroir::node {
namespace {

using meili::ApiError;
using meili::Parameters;

std::string in_parameter(std::string_view name) {
  return "Invalid value in parameter `" + std::string(name) + "`: ";
}

// The parts of a list parameter; nullopt where it is missing or names everything.
std::optional<std::vector<std::string>> chosen(const Parameters& query, std::string_view name) {
  auto parts = meili::list_parameter(query, name);
  if (parts && parts->size() == 1 && parts->front() == "*") return std::nullopt;
  return parts;
}

template <class Value, class Parse>
std::optional<ApiError> read_list(const Parameters& query, std::string_view name,
                                  std::string_view code, std::optional<std::vector<Value>>& values,
                                  Parse parse) {
  const auto parts = chosen(query, name);
  if (!parts) return std::nullopt;
  values.emplace();
  for (const std::string& part : *parts) {
    std::expected<Value, std::string> value = parse(part);
    if (!value) return meili::api_error(code, in_parameter(name) + value.error());
    values->push_back(std::move(*value));
  }
  return std::nullopt;
}

std::expected<std::uint32_t, std::string> positive_integer(const std::string& text) {
  std::uint32_t uid = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), uid);
  if (error == std::errc() && stop == text.data() + text.size()) return uid;
  return std::unexpected("could not parse `" + text + "` as a positive integer");
}

template <class Value>
std::string names(int count) {
  std::string list;
  for (int i = 0; i < count; ++i) {
    list += (i == 0 ? "`" : ", `") + std::string(name(static_cast<Value>(i))) + "`";
  }
  return list;
}

std::expected<meili::TaskStatus, std::string> parse_status(const std::string& text) {
  if (const auto status = meili::parse_task_status(text)) return *status;
  return std::unexpected("`" + text + "` is not a valid task status. Available statuses are " +
                         names<meili::TaskStatus>(meili::kTaskStatusCount) + ".");
}

std::expected<meili::TaskKind, std::string> parse_kind(const std::string& text) {
  if (const auto kind = meili::parse_task_kind(text)) return *kind;
  return std::unexpected("`" + text + "` is not a valid task type. Available types are " +
                         names<meili::TaskKind>(meili::kTaskKindCount) + ".");
}

std::expected<std::string, std::string> parse_index_uid(const std::string& text) {
  if (meili::is_index_uid(text)) return text;
  return std::unexpected(meili::invalid_index_uid(text).message);
}

std::optional<ApiError> read_time(const Parameters& query, std::string_view name,
                                  std::string_view code, std::optional<WallTime>& time) {
  const std::string* text = meili::find_parameter(query, name);
  if (text == nullptr || *text == "*") return std::nullopt;
  time = meili::parse_date_time(*text, name.starts_with("after"));
  if (time) return std::nullopt;
  return meili::api_error(
      code, in_parameter(name) + "`" + *text +
                "` is an invalid date-time. It should follow the YYYY-MM-DD or RFC 3339 "
                "date-time format.");
}

}  // namespace

std::expected<TaskFilter, ApiError> parse_task_filter(const Parameters& query) {
  TaskFilter filter;
  std::optional<ApiError> error;
  const auto keep = [&](std::optional<ApiError> found) {
    if (!error) error = std::move(found);
  };
  keep(read_list(query, "batchUids", "invalid_batch_uids", filter.batch_uids, positive_integer));
  keep(read_list(query, "uids", "invalid_task_uids", filter.uids, positive_integer));
  keep(read_list(query, "canceledBy", "invalid_task_canceled_by", filter.canceled_by,
                 positive_integer));
  keep(read_list(query, "types", "invalid_task_types", filter.kinds, parse_kind));
  keep(read_list(query, "statuses", "invalid_task_statuses", filter.statuses, parse_status));
  keep(read_list(query, "indexUids", "invalid_index_uid", filter.index_uids, parse_index_uid));
  keep(read_time(query, "afterEnqueuedAt", "invalid_task_after_enqueued_at",
                 filter.after_enqueued_at));
  keep(read_time(query, "beforeEnqueuedAt", "invalid_task_before_enqueued_at",
                 filter.before_enqueued_at));
  keep(
      read_time(query, "afterStartedAt", "invalid_task_after_started_at", filter.after_started_at));
  keep(read_time(query, "beforeStartedAt", "invalid_task_before_started_at",
                 filter.before_started_at));
  keep(read_time(query, "afterFinishedAt", "invalid_task_after_finished_at",
                 filter.after_finished_at));
  keep(read_time(query, "beforeFinishedAt", "invalid_task_before_finished_at",
                 filter.before_finished_at));
  if (error) return std::unexpected(std::move(*error));
  return filter;
}

}  // namespace miroir::node
