#include "node/keys.h"

#include <algorithm>

#include "base/random.h"
#include "meili/api_key.h"
#include "meili/key_request.h"
#include "node/keys_tenant_token.h"

namespace miroir::node {
namespace {

using meili::ApiError;

ApiError invalid_key() {
  return meili::api_error("invalid_api_key", "The provided API key is invalid.");
}

ApiError no_such_key(std::string_view uid_or_key) {
  return meili::api_error("api_key_not_found",
                          "API key `" + std::string(uid_or_key) + "` not found.");
}

const std::string& uid_of(const Json& key) { return key.find("uid")->as_string(); }

Json default_key(std::string_view name, std::string_view description, Json actions, WallTime now) {
  return Json::object({{"name", name},
                       {"description", description},
                       {"uid", Random::from_system().uuid_v4()},
                       {"actions", std::move(actions)},
                       {"indexes", Json::array({"*"})},
                       {"expiresAt", nullptr},
                       {"createdAt", to_rfc3339(now)},
                       {"updatedAt", to_rfc3339(now)}});
}

Json::Array default_keys(WallTime now) {
  return {default_key("Default Search API Key", "Use it to search from the frontend",
                      Json::array({"search"}), now),
          default_key("Default Admin API Key",
                      "Use it for anything that is not a search operation. Caution! Do not expose "
                      "it on a public frontend",
                      Json::array({"*"}), now),
          default_key("Default Read-Only Admin API Key",
                      "Use it to read information across the whole database. Caution! Do not "
                      "expose this key on a public frontend",
                      Json::array({"*.get", "keys.get"}), now),
          default_key("Default Chat API Key", "Use it to chat and search from the frontend",
                      Json::array({"chatCompletions", "search"}), now)};
}

// The token of "Bearer …".
std::optional<std::string_view> bearer(const std::string* authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization == nullptr || !authorization->starts_with(kScheme)) return std::nullopt;
  return std::string_view(*authorization).substr(kScheme.size());
}

// Takes as long for every wrong text of the right length.
bool same_secret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

}  // namespace

Keys::Keys(Engine& engine, std::string master_key)
    : engine_(engine), master_key_(std::move(master_key)) {
  // A disk that refuses this refuses everything else; the next start makes them.
  if (has_master_key() && !engine_.setting("keys"))
    static_cast<void>(store(default_keys(engine_.clock().wall_now())));
}

std::string Keys::value_of(const Json& key) const {
  return meili::derive_key(master_key_, uid_of(key));
}

Json Keys::shown(const Json& key) const {
  Json shown = key;
  shown.set("key", value_of(key));
  return shown;
}

Json::Array Keys::stored() const {
  const auto keys = engine_.setting("keys");
  return keys && keys->is_array() ? keys->as_array() : Json::Array();
}

std::expected<void, ApiError> Keys::store(Json::Array keys) {
  const auto stored = engine_.set_setting("keys", Json(std::move(keys)));
  if (!stored) return std::unexpected(meili::api_error("internal", stored.error().message));
  return {};
}

std::expected<Access, ApiError> Keys::admit(const std::string* authorization,
                                            std::string_view action) {
  if (action.empty() || !has_master_key()) return Access{};
  const auto token = bearer(authorization);
  if (!token) {
    return std::unexpected(
        meili::api_error("missing_authorization_header",
                         "The Authorization header is missing. It must use the bearer "
                         "authorization method."));
  }
  if (same_secret(*token, master_key_)) return Access{};
  const WallTime now = engine_.clock().wall_now();
  const std::lock_guard lock(mutex_);
  for (const Json& key : stored()) {
    const std::string value = value_of(key);
    const bool itself = same_secret(*token, value);
    const auto tenant = itself ? std::nullopt : read_tenant_token(*token, value, uid_of(key), now);
    if (!itself && !tenant) continue;
    const bool allowed = meili::is_alive(key, now) &&
                         meili::action_allowed(*key.find("actions"), action) &&
                         (itself || action == "search");
    if (!allowed) return std::unexpected(invalid_key());
    Access access;
    access.index_allowed = [indexes = *key.find("indexes"), tenant](std::string_view uid) {
      return meili::index_allowed(indexes, uid) && (!tenant || tenant->rule(uid).has_value());
    };
    if (tenant) {
      access.search_rule = [tenant](std::string_view uid) {
        return tenant->rule(uid).value_or(Json());
      };
    }
    return access;
  }
  return std::unexpected(invalid_key());
}

std::optional<Json> Keys::find(std::string_view uid_or_key) const {
  const std::lock_guard lock(mutex_);
  for (const Json& key : stored()) {
    if (uid_of(key) == uid_or_key || same_secret(value_of(key), uid_or_key)) return shown(key);
  }
  return std::nullopt;
}

Json Keys::list() const {
  const std::lock_guard lock(mutex_);
  Json keys = Json::array();
  const Json::Array all = stored();
  for (auto key = all.rbegin(); key != all.rend(); ++key) keys.push_back(shown(*key));
  return keys;
}

std::expected<Json, ApiError> Keys::create(const Json& body) {
  auto key =
      meili::parse_new_key(body, Random::from_system().uuid_v4(), engine_.clock().wall_now());
  if (!key) return key;
  const std::lock_guard lock(mutex_);
  Json::Array keys = stored();
  if (std::ranges::find(keys, uid_of(*key), uid_of) != keys.end()) {
    return std::unexpected(meili::api_error(
        "api_key_already_exists",
        "`uid` field value `" + uid_of(*key) + "` is already an existing API key."));
  }
  keys.push_back(*key);
  if (auto kept = store(std::move(keys)); !kept) return std::unexpected(std::move(kept.error()));
  return shown(*key);
}

std::expected<Json, ApiError> Keys::update(std::string_view uid_or_key, const Json& body) {
  const std::lock_guard lock(mutex_);
  Json::Array keys = stored();
  for (Json& key : keys) {
    if (uid_of(key) != uid_or_key && !same_secret(value_of(key), uid_or_key)) continue;
    auto changed = meili::update_key(key, body, engine_.clock().wall_now());
    if (!changed) return std::unexpected(std::move(changed.error()));
    Json answer = shown(key);
    if (auto kept = store(std::move(keys)); !kept) return std::unexpected(std::move(kept.error()));
    return answer;
  }
  Json nobody = Json::object();
  auto checked = meili::update_key(nobody, body, engine_.clock().wall_now());
  if (!checked) return std::unexpected(std::move(checked.error()));
  return std::unexpected(no_such_key(uid_or_key));
}

std::expected<void, ApiError> Keys::erase(std::string_view uid_or_key) {
  const std::lock_guard lock(mutex_);
  Json::Array keys = stored();
  const std::size_t erased = std::erase_if(keys, [&](const Json& key) {
    return uid_of(key) == uid_or_key || same_secret(value_of(key), uid_or_key);
  });
  if (erased == 0) return std::unexpected(no_such_key(uid_or_key));
  return store(std::move(keys));
}

}  // namespace miroir::node
