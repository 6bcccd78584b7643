#include "meili/parameters.h"
#include "meili/payload.h"
#include "node/keys.h"

namespace miroir::node {
namespace {

using meili::ApiError;

// Keys are made of the master key; without one there are none.
std::expected<void, ApiError> expect_master_key(const Keys& keys) {
  if (keys.has_master_key()) return {};
  return std::unexpected(meili::api_error(
      "missing_master_key",
      "Meilisearch is running without a master key. To access this API endpoint, you must have "
      "set a master key at launch."));
}

Reply list(const Keys& keys, const Call& call) {
  MIROIR_CHECK(expect_master_key(keys));
  if (auto unknown = meili::check_parameters(call.query, {"offset", "limit"}))
    return std::unexpected(std::move(*unknown));
  MIROIR_TRY(const auto offset,
             meili::unsigned_parameter(call.query, "offset", 0, "invalid_api_key_offset"));
  MIROIR_TRY(const auto limit,
             meili::unsigned_parameter(call.query, "limit", 20, "invalid_api_key_limit"));
  const Json all = keys.list();
  Json page = Json::array();
  for (std::size_t i = offset; i < all.size() && i - offset < limit; ++i)
    page.push_back(all.as_array()[i]);
  return json_reply(200, Json::object({{"results", std::move(page)},
                                       {"offset", offset},
                                       {"limit", limit},
                                       {"total", std::uint64_t{all.size()}}}));
}

Reply get(const Keys& keys, const Call& call) {
  MIROIR_CHECK(expect_master_key(keys));
  const auto key = keys.find(call.variables.front());
  if (key) return json_reply(200, *key);
  return std::unexpected(
      meili::api_error("api_key_not_found", "API key `" + call.variables.front() + "` not found."));
}

Reply create(Keys& keys, const Call& call) {
  MIROIR_CHECK(expect_master_key(keys));
  MIROIR_TRY(const Json body, body_of(call));
  MIROIR_TRY(const Json key, keys.create(body));
  return json_reply(201, key);
}

Reply update(Keys& keys, const Call& call) {
  MIROIR_CHECK(expect_master_key(keys));
  MIROIR_TRY(const Json body, body_of(call));
  MIROIR_TRY(const Json key, keys.update(call.variables.front(), body));
  return json_reply(200, key);
}

Reply erase(Keys& keys, const Call& call) {
  MIROIR_CHECK(expect_master_key(keys));
  MIROIR_CHECK(keys.erase(call.variables.front()));
  return http::Response{.status = 204, .headers = {}, .body = {}};
}

}  // namespace

void add_key_routes(Router& router, Keys& keys) {
  router.add("GET", "/keys", "keys.get", [&keys](const Call& call) { return list(keys, call); });
  router.add("POST", "/keys", "keys.create",
             [&keys](const Call& call) { return create(keys, call); });
  router.add("GET", "/keys/{key}", "keys.get",
             [&keys](const Call& call) { return get(keys, call); });
  router.add("PATCH", "/keys/{key}", "keys.update",
             [&keys](const Call& call) { return update(keys, call); });
  router.add("DELETE", "/keys/{key}", "keys.delete",
             [&keys](const Call& call) { return erase(keys, call); });
}

}  // namespace miroir::node
