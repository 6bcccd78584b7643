#include "write/key_writer.h"

#include <algorithm>

#include "meili/api_key.h"
#include "meili/index_uid.h"
#include "meili/parameters.h"
#include "meili/payload.h"
#include "meili/task.h"

namespace miroir {
namespace {

// How long a change waits for the nodes that are there.
constexpr Milliseconds kSpreadTime{2'000};

// As Meilisearch 1.50 lists them in its own refusal.
constexpr std::string_view kActions[] = {"*",
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
                                         "webhooks.*",
                                         "indexes.compact",
                                         "fields.post",
                                         "tasks.compact"};

std::unexpected<meili::ApiError> refuse(std::string_view code, std::string message) {
  return std::unexpected(meili::api_error(code, std::move(message)));
}

bool is_uuid(const std::string& text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-') || (!dash && !std::isxdigit(static_cast<unsigned char>(text[i]))))
      return false;
  }
  return true;
}

bool is_index_pattern(std::string text) {
  if (text == "*") return true;
  if (text.ends_with('*')) text.pop_back();
  return meili::is_index_uid(text);
}

Answer<Json> checked_actions(const Json& body) {
  constexpr std::string_view kCode = "invalid_api_key_actions";
  const Json* actions = body.find("actions");
  if (actions == nullptr) return refuse("missing_api_key_actions", "Missing field `actions`");
  if (!actions->is_array())
    return std::unexpected(meili::wrong_type(*actions, "an array", ".actions", kCode));
  for (std::size_t i = 0; i < actions->size(); ++i) {
    const Json& action = actions->as_array()[i];
    const std::string path = ".actions[" + std::to_string(i) + "]";
    if (!action.is_string())
      return std::unexpected(meili::wrong_type(action, "a string", path, kCode));
    if (std::ranges::find(kActions, action.as_string()) != std::end(kActions)) continue;
    std::string known;
    for (std::string_view each : kActions)
      known += (known.empty() ? "`" : ", `") + std::string(each) + "`";
    return refuse(kCode, "Unknown value `" + action.as_string() + "` at `" + path +
                             "`: expected one of " + known);
  }
  return *actions;
}

Answer<Json> checked_indexes(const Json& body) {
  constexpr std::string_view kCode = "invalid_api_key_indexes";
  const Json* indexes = body.find("indexes");
  if (indexes == nullptr) return refuse("missing_api_key_indexes", "Missing field `indexes`");
  if (!indexes->is_array())
    return std::unexpected(meili::wrong_type(*indexes, "an array", ".indexes", kCode));
  for (std::size_t i = 0; i < indexes->size(); ++i) {
    const Json& index = indexes->as_array()[i];
    const std::string path = ".indexes[" + std::to_string(i) + "]";
    if (!index.is_string())
      return std::unexpected(meili::wrong_type(index, "a string", path, kCode));
    if (is_index_pattern(index.as_string())) continue;
    return refuse(
        kCode,
        "Invalid value at `" + path + "`: `" + index.as_string() +
            "` is not a valid index uid pattern. Index uid patterns can be an integer or a string "
            "containing only alphanumeric characters, hyphens (-), underscores (_), and optionally "
            "end with a star (*).");
  }
  return *indexes;
}

Answer<Json> checked_expiry(const Json& body, WallTime now) {
  constexpr std::string_view kCode = "invalid_api_key_expires_at";
  const Json* expires = body.find("expiresAt");
  if (expires == nullptr) return refuse("missing_api_key_expires_at", "Missing field `expiresAt`");
  if (expires->is_null()) return Json();
  if (!expires->is_string())
    return std::unexpected(meili::wrong_type(*expires, "a string", ".expiresAt", kCode));
  const auto when = meili::parse_date_time(expires->as_string(), false);
  if (when && *when > now) return Json(to_rfc3339(*when));
  return refuse(
      kCode,
      "Invalid value at `.expiresAt`: `" + expires->as_string() +
          "` is not a valid date. It should follow the RFC 3339 format to represents a date or "
          "datetime in the future or specified as a null value. e.g. 'YYYY-MM-DD' or 'YYYY-MM-DD "
          "HH:MM:SS'.\n");
}

Answer<Json> checked_key(const Json& body, WallTime now, std::string fresh_uid) {
  if (auto error = meili::check_fields(
          body, {"description", "name", "uid", "actions", "indexes", "expiresAt"})) {
    return std::unexpected(*error);
  }
  MIROIR_TRY(auto name, meili::string_field(body, "name", "invalid_api_key_name"));
  MIROIR_TRY(auto description,
             meili::string_field(body, "description", "invalid_api_key_description"));
  MIROIR_TRY(auto uid, meili::string_field(body, "uid", "invalid_api_key_uid"));
  if (uid && !is_uuid(*uid)) {
    return refuse("invalid_api_key_uid",
                  "Invalid value at `.uid`: `" + *uid + "` is not a valid uuid.");
  }
  // Keys are computed from the uid as nodes print it.
  if (uid) uid = meili::printed_uid(*uid);
  MIROIR_TRY(Json actions, checked_actions(body));
  MIROIR_TRY(Json indexes, checked_indexes(body));
  MIROIR_TRY(Json expires, checked_expiry(body, now));
  return Json::object({{"name", or_null(name)},
                       {"description", or_null(description)},
                       {"uid", uid.value_or(std::move(fresh_uid))},
                       {"actions", std::move(actions)},
                       {"indexes", std::move(indexes)},
                       {"expiresAt", std::move(expires)},
                       {"createdAt", to_rfc3339(now)},
                       {"updatedAt", to_rfc3339(now)}});
}

Entry key_entry(EntryKind kind, Json arguments) {
  Entry entry;
  entry.kind = kind;
  entry.arguments = std::move(arguments);
  return entry;
}

meili::ApiError not_found(const std::string& uid) {
  return meili::api_error("api_key_not_found", "API key `" + uid + "` not found.");
}

}  // namespace

Async<Answer<void>> KeyWriter::append(Log::Judge judge, std::optional<meili::ApiError>& refused) {
  auto appended = co_await append_for_client(context_, std::move(judge));
  if (refused) co_return std::unexpected(*refused);
  if (!appended)
    co_return std::unexpected(to_api_error(appended.error(), "miroir_store_unavailable"));
  const Position position = appended->back().position;
  const Instant deadline = context_.clock.now() + kSpreadTime;
  for (const NodeConfig& node : context_.cluster.topology().nodes()) {
    if (context_.cluster.readable(node.id))
      co_await context_.cluster.wait_done(node.id, position, deadline);
  }
  co_return Answer<void>();
}

Async<Answer<Json>> KeyWriter::create(http::Request request) {
  if (auto json = meili::expect_json(request.headers.find("Content-Type")); !json) {
    co_return std::unexpected(json.error());
  }
  MIROIR_CO_TRY(Json body, meili::json_body(request.body));
  MIROIR_CO_TRY(Json key, checked_key(body, context_.clock.wall_now(), random_.uuid_v4()));
  const std::string uid = key.find("uid")->as_string();
  std::optional<meili::ApiError> refused;
  MIROIR_CO_CHECK(co_await append(
      [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        if (catalogue.key(uid) != nullptr) {
          refused =
              meili::api_error("api_key_already_exists",
                               "`uid` field value `" + uid + "` is already an existing API key.");
          return fail(ErrorCode::kConflict, refused->message);
        }
        return std::vector{key_entry(EntryKind::kPutKey, key)};
      },
      refused));
  co_return key;
}

Async<Answer<Json>> KeyWriter::update(std::string uid, http::Request request) {
  if (auto json = meili::expect_json(request.headers.find("Content-Type")); !json) {
    co_return std::unexpected(json.error());
  }
  MIROIR_CO_TRY(Json body, meili::json_body(request.body));
  for (const auto& [field, code] : {std::pair{"uid", "immutable_api_key_uid"},
                                    {"actions", "immutable_api_key_actions"},
                                    {"indexes", "immutable_api_key_indexes"},
                                    {"expiresAt", "immutable_api_key_expires_at"},
                                    {"createdAt", "immutable_api_key_created_at"},
                                    {"updatedAt", "immutable_api_key_updated_at"}}) {
    if (body.find(field) == nullptr) continue;
    co_return refuse(code, "Immutable field `" + std::string(field) +
                               "`: expected one of `description`, `name`");
  }
  if (auto error = meili::check_fields(body, {"description", "name"}))
    co_return std::unexpected(*error);
  MIROIR_CO_TRY(auto name, meili::string_field(body, "name", "invalid_api_key_name"));
  MIROIR_CO_TRY(auto description,
                meili::string_field(body, "description", "invalid_api_key_description"));

  Json key;
  std::optional<meili::ApiError> refused;
  MIROIR_CO_CHECK(co_await append(
      [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        const KeyState* old = catalogue.key(uid);
        if (old == nullptr) {
          refused = not_found(uid);
          return fail(ErrorCode::kNotFound, refused->message);
        }
        key = old->key;
        if (body.find("name") != nullptr) key.set("name", or_null(name));
        if (body.find("description") != nullptr) key.set("description", or_null(description));
        key.set("updatedAt", to_rfc3339(context_.clock.wall_now()));
        return std::vector{key_entry(EntryKind::kPutKey, key)};
      },
      refused));
  co_return key;
}

Async<Answer<void>> KeyWriter::remove(std::string uid) {
  std::optional<meili::ApiError> refused;
  co_return co_await append(
      [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        if (catalogue.key(uid) == nullptr) {
          refused = not_found(uid);
          return fail(ErrorCode::kNotFound, refused->message);
        }
        return std::vector{key_entry(EntryKind::kDeleteKey, Json::object({{"uid", uid}}))};
      },
      refused);
}

Async<Result<void>> KeyWriter::make_default_keys() {
  if (context_.log.head() > 0) co_return Result<void>();
  const std::string now = to_rfc3339(context_.clock.wall_now());
  auto made = [&](std::string_view name, std::string_view description, Json actions) {
    Entry entry = key_entry(EntryKind::kPutKey, Json::object({{"name", name},
                                                              {"description", description},
                                                              {"uid", random_.uuid_v4()},
                                                              {"actions", std::move(actions)},
                                                              {"indexes", Json::array({"*"})},
                                                              {"expiresAt", Json()},
                                                              {"createdAt", now},
                                                              {"updatedAt", now}}));
    entry.origin = Origin::kSystem;
    return entry;
  };
  std::vector<Entry> entries;
  entries.push_back(made("Default Search API Key", "Use it to search from the frontend",
                         Json::array({"search"})));
  entries.push_back(made(
      "Default Admin API Key",
      "Use it for anything that is not a search operation. Caution! Do not expose it on a public "
      "frontend",
      Json::array({"*"})));
  auto appended = co_await context_.log.append(
      [&](const Catalogue&, Position) -> Result<std::vector<Entry>> { return entries; });
  if (!appended) co_return std::unexpected(std::move(appended).error());
  co_return Result<void>();
}

}  // namespace miroir
