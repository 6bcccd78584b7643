#include "meili/key_request.h"

#include <algorithm>
#include <array>
#include <optional>

#include "meili/api_key.h"
#include "meili/settings_check.h"
#include "meili/task.h"

namespace miroir::meili {
namespace {

constexpr std::array<std::string_view, 49> kActions = {
    "*",
    "search",
    "documents.*",
    "documents.add",
    "documents.get",
    "documents.delete",
    "indexes.*",
    "indexes.create",
    "indexes.get",
    "indexes.update",
    "indexes.delete",
    "indexes.swap",
    "tasks.*",
    "tasks.cancel",
    "tasks.delete",
    "tasks.get",
    "settings.*",
    "settings.get",
    "settings.update",
    "stats.*",
    "stats.get",
    "metrics.*",
    "metrics.get",
    "dumps.*",
    "dumps.create",
    "snapshots.*",
    "snapshots.create",
    "version",
    "keys.create",
    "keys.get",
    "keys.update",
    "keys.delete",
    "experimental.get",
    "experimental.update",
    "export",
    "network.get",
    "network.update",
    "chatCompletions",
    "chats.*",
    "chats.get",
    "chats.delete",
    "chatsSettings.*",
    "chatsSettings.get",
    "chatsSettings.update",
    "*.get",
    "webhooks.get",
    "webhooks.update",
    "webhooks.delete",
    "webhooks.create",
};

ApiError missing(std::string_view code, std::string_view field) {
  return api_error(code, "Missing field `" + std::string(field) + "`");
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    if (dash ? c != '-' : !hex) return false;
  }
  return true;
}

bool is_index_pattern(std::string_view text) {
  if (text.ends_with('*')) {
    text.remove_suffix(1);
    if (text.empty()) return true;
  }
  return !text.empty() && text.size() <= 512 && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  });
}

Checked optional_text(const Json& body, std::string_view name, std::string_view code) {
  const Json* value = body.find(name);
  if (value == nullptr || value->is_null()) return Json();
  return check_text(*value, {"." + std::string(name), code});
}

Checked read_actions(const Json& body) {
  const Place place{".actions", "invalid_api_key_actions"};
  const Json* value = body.find("actions");
  if (value == nullptr) return std::unexpected(missing("missing_api_key_actions", "actions"));
  auto actions = check_texts(*value, place);
  if (!actions) return actions;
  for (std::size_t i = 0; i < actions->size(); ++i) {
    const std::string& action = actions->as_array()[i].as_string();
    if (std::ranges::find(kActions, action) != kActions.end()) continue;
    std::string names;
    for (const std::string_view known : kActions)
      names += (names.empty() ? "`" : ", `") + std::string(known) + "`";
    return std::unexpected(unknown_value(action, names, place.at(i)));
  }
  return actions;
}

Checked read_indexes(const Json& body) {
  const Place place{".indexes", "invalid_api_key_indexes"};
  const Json* value = body.find("indexes");
  if (value == nullptr) return std::unexpected(missing("missing_api_key_indexes", "indexes"));
  auto indexes = check_texts(*value, place);
  if (!indexes) return indexes;
  for (std::size_t i = 0; i < indexes->size(); ++i) {
    const std::string& pattern = indexes->as_array()[i].as_string();
    if (is_index_pattern(pattern)) continue;
    return std::unexpected(invalid_value(
        "`" + pattern +
            "` is not a valid index uid pattern. Index uid patterns can be an integer or a string "
            "containing only alphanumeric characters, hyphens (-), underscores (_), and "
            "optionally end with a star (*).",
        place.at(i)));
  }
  return indexes;
}

Checked read_expiry(const Json& body, WallTime now) {
  const Place place{".expiresAt", "invalid_api_key_expires_at"};
  const Json* value = body.find("expiresAt");
  if (value == nullptr) return std::unexpected(missing("missing_api_key_expires_at", "expiresAt"));
  if (value->is_null()) return Json();
  auto text = check_text(*value, place);
  if (!text) return text;
  auto when = parse_date_time(text->as_string(), false);
  // A time without an offset is UTC.
  if (!when) when = parse_date_time(text->as_string() + "Z", false);
  if (when && *when > now) return Json(to_rfc3339(*when));
  return std::unexpected(invalid_value(
      "`" + text->as_string() +
          "` is not a valid date. It should follow the RFC 3339 format to represents a date or "
          "datetime in the future or specified as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD "
          "HH:MM:SS'.\n",
      place));
}

std::optional<ApiError> refuse_unknown(const Json& body,
                                       std::initializer_list<std::string_view> known) {
  if (!body.is_object()) return expected_type(body, "an object", {"", "bad_request"});
  for (const auto& [name, value] : body.as_object()) {
    if (std::ranges::find(known, name) != known.end()) continue;
    std::string names;
    for (const std::string_view each : known)
      names += (names.empty() ? "`" : ", `") + std::string(each) + "`";
    return api_error("bad_request", "Unknown field `" + name + "`: expected one of " + names);
  }
  return std::nullopt;
}

}  // namespace

std::expected<Json, ApiError> parse_new_key(const Json& body, const std::string& fresh_uid,
                                            WallTime now) {
  if (auto unknown =
          refuse_unknown(body, {"description", "name", "uid", "actions", "indexes", "expiresAt"}))
    return std::unexpected(std::move(*unknown));
  auto description = optional_text(body, "description", "invalid_api_key_description");
  if (!description) return description;
  auto name = optional_text(body, "name", "invalid_api_key_name");
  if (!name) return name;
  Json uid(fresh_uid);
  if (const Json* given = body.find("uid"); given != nullptr) {
    const Place place{".uid", "invalid_api_key_uid"};
    auto text = check_text(*given, place);
    if (!text) return text;
    if (!is_uuid(text->as_string()))
      return std::unexpected(
          invalid_value("`" + text->as_string() + "` is not a valid uuid", place));
    uid = Json(printed_uid(text->as_string()));
  }
  auto actions = read_actions(body);
  if (!actions) return actions;
  auto indexes = read_indexes(body);
  if (!indexes) return indexes;
  auto expires_at = read_expiry(body, now);
  if (!expires_at) return expires_at;
  return Json::object({{"name", std::move(*name)},
                       {"description", std::move(*description)},
                       {"uid", std::move(uid)},
                       {"actions", std::move(*actions)},
                       {"indexes", std::move(*indexes)},
                       {"expiresAt", std::move(*expires_at)},
                       {"createdAt", to_rfc3339(now)},
                       {"updatedAt", to_rfc3339(now)}});
}

std::expected<void, ApiError> update_key(Json& key, const Json& body, WallTime now) {
  if (body.is_object()) {
    for (const auto& [field, code] : {std::pair{"uid", "immutable_api_key_uid"},
                                      {"actions", "immutable_api_key_actions"},
                                      {"indexes", "immutable_api_key_indexes"},
                                      {"expiresAt", "immutable_api_key_expires_at"},
                                      {"createdAt", "immutable_api_key_created_at"},
                                      {"updatedAt", "immutable_api_key_updated_at"}}) {
      if (body.find(field) == nullptr) continue;
      return std::unexpected(api_error(code, "Immutable field `" + std::string(field) +
                                                 "`: expected one of `description`, `name`"));
    }
  }
  if (auto unknown = refuse_unknown(body, {"description", "name"}))
    return std::unexpected(std::move(*unknown));
  for (const auto& [field, code] : {std::pair{"description", "invalid_api_key_description"},
                                    {"name", "invalid_api_key_name"}}) {
    if (body.find(field) == nullptr) continue;
    auto text = optional_text(body, field, code);
    if (!text) return std::unexpected(std::move(text.error()));
    key.set(field, std::move(*text));
  }
  key.set("updatedAt", to_rfc3339(now));
  return {};
}

}  // namespace miroir::meili
