#include "write/settings_writer.h"

#include "meili/index_uid.h"
#include "meili/settings.h"
#include "node_api/node_settings.h"

namespace miroir {

namespace {

// As Meilisearch shows a change: made normal. What our rules do not know is shown as it came.
Json details_of(const Json& change) {
  const auto checked = meili::check_settings(change);
  return checked ? meili::settings_details(*checked) : change;
}

}  // namespace

Async<http::Response> SettingsWriter::change(std::string index_uid, std::string route,
                                             http::Request request, MissingIndex missing) {
  const bool reset = request.method == "DELETE";
  auto judged = co_await judge_at_node(context_, request.method, request.target, request.body,
                                       request.headers);
  if (!judged) co_return error_answer(judged.error());

  // {"filterableAttributes": […]}, whatever the route; null resets.
  Json change = Json::object();
  const std::string setting = setting_of_route(route);
  if (!reset) {
    auto body = parse_json(request.body, DecimalReading::kNode);
    if (!body) co_return error_answer(meili::api_error("malformed_payload", body.error().message));
    if (setting.empty()) {
      change = std::move(*body);
    } else {
      change.set(setting, std::move(*body));
    }
    if (auto error = refuse_settings(change, context_.options.names))
      co_return error_answer(*error);
  } else if (!setting.empty()) {
    change.set(setting, Json());
  }

  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
        const IndexState* index = catalogue.index(index_uid);
        std::vector<Entry> entries;
        Entry entry = client_entry(EntryKind::kUpdateSettings, "settingsUpdate", index_uid, index);
        Json before = index == nullptr ? Json::object() : index->settings;
        if (index == nullptr) {
          if (reset || missing == MissingIndex::kFails) {
            // Accepted, and fails when its turn comes; a reset always does.
            entry.born_failed = meili::index_not_found(index_uid);
            entry.task_details = details_of(change);
            return std::vector{std::move(entry)};
          }
          entries = index_birth(next, index_uid, std::nullopt);
          entry.incarnation = next;
        }
        Json after = reset && setting.empty() ? Json::object() : merge_settings(before, change);
        entry.arguments =
            Json::object({{"clientSettings", after},
                          {"change", reset && setting.empty() ? Json() : change},
                          {"before", before},
                          {"previous", index == nullptr ? 0 : index->settings_version},
                          {"settings", settings_for_node(after, before, entry.primary_key)}});
        entry.task_details = reset && setting.empty() ? details_of_reset() : details_of(change);
        entries.push_back(std::move(entry));
        return entries;
      });
  co_return append_answer(context_, appended);
}

}  // namespace miroir
