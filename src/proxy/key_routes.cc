#include <algorithm>

#include "meili/parameters.h"
#include "proxy/proxy_state.h"

namespace miroir {
namespace {

// A key as clients see it: with its value, and in Meilisearch's order.
Json shown_key(const Proxy::State& state, const Json& key) {
  const std::string uid = key.find("uid")->as_string();
  Json shown = Json::object();
  for (std::string_view name : {"name", "description"}) shown.set(name, *key.find(name));
  shown.set("key", state.authorization.key_of(uid));
  for (std::string_view name :
       {"uid", "actions", "indexes", "expiresAt", "createdAt", "updatedAt"}) {
    shown.set(name, *key.find(name));
  }
  return shown;
}

// By uid or by value.
const KeyState* find_key(const Proxy::State& state, const std::string& name) {
  const Catalogue& catalogue = state.parts.log.catalogue();
  if (const KeyState* key = catalogue.key(name)) return key;
  for (const auto& [uid, key] : catalogue.keys()) {
    if (state.authorization.key_of(uid) == name) return &key;
  }
  return nullptr;
}

http::Response key_not_found(const std::string& name) {
  return error_answer(meili::api_error("api_key_not_found", "API key `" + name + "` not found."));
}

Async<http::Response> list_keys(Proxy::State* state, http::Request request) {
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, {"offset", "limit"})) {
    co_return error_answer(*error);
  }
  auto offset = meili::unsigned_parameter(query, "offset", 0, "invalid_api_key_offset");
  auto limit = meili::unsigned_parameter(query, "limit", 20, "invalid_api_key_limit");
  if (!offset) co_return error_answer(offset.error());
  if (!limit) co_return error_answer(limit.error());
  std::vector<const Json*> keys;
  for (const auto& [uid, key] : state->parts.log.catalogue().keys()) keys.push_back(&key.key);
  // The newest first.
  std::ranges::stable_sort(keys, [](const Json* a, const Json* b) {
    return a->find("createdAt")->as_string() > b->find("createdAt")->as_string();
  });
  Json results = Json::array();
  for (std::uint64_t i = *offset; i < keys.size() && i - *offset < *limit; ++i) {
    results.push_back(shown_key(*state, *keys[i]));
  }
  co_return json_answer(200, Json::object({{"results", std::move(results)},
                                           {"offset", Json(*offset)},
                                           {"limit", Json(*limit)},
                                           {"total", Json(std::uint64_t{keys.size()})}}));
}

Async<http::Response> create_key(Proxy::State* state, http::Request request) {
  auto key = co_await state->keys.create(std::move(request));
  if (!key) co_return error_answer(key.error());
  co_return json_answer(201, shown_key(*state, *key));
}

Async<http::Response> update_key(Proxy::State* state, std::string name, http::Request request) {
  const KeyState* found = find_key(*state, name);
  if (found == nullptr) co_return key_not_found(name);
  const std::string uid = found->uid;
  auto key = co_await state->keys.update(uid, std::move(request));
  if (!key) co_return error_answer(key.error());
  co_return json_answer(200, shown_key(*state, *key));
}

Async<http::Response> delete_key(Proxy::State* state, std::string name) {
  const KeyState* found = find_key(*state, name);
  if (found == nullptr) co_return key_not_found(name);
  const std::string uid = found->uid;
  auto removed = co_await state->keys.remove(uid);
  if (!removed) co_return error_answer(removed.error());
  co_return http::Response{204, {}, {}};
}

Async<http::Response> get_key(Proxy::State* state, std::string name) {
  const KeyState* key = find_key(*state, name);
  if (key == nullptr) co_return key_not_found(name);
  co_return json_answer(200, shown_key(*state, key->key));
}

}  // namespace

void add_key_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  routes.add("GET", "/keys", "keys.get",
             [s](Route::Values, http::Request r) { return list_keys(s, std::move(r)); });
  routes.add("POST", "/keys", "keys.create",
             [s](Route::Values, http::Request r) { return create_key(s, std::move(r)); });
  routes.add("GET", "/keys/{key}", "keys.get",
             [s](Route::Values v, http::Request) { return get_key(s, v[0]); });
  routes.add("PATCH", "/keys/{key}", "keys.update",
             [s](Route::Values v, http::Request r) { return update_key(s, v[0], std::move(r)); });
  routes.add("DELETE", "/keys/{key}", "keys.delete",
             [s](Route::Values v, http::Request) { return delete_key(s, v[0]); });
}

}  // namespace miroir
