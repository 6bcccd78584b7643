#include <algorithm>

#include "meili/index_uid.h"
#include "meili/parameters.h"
#include "node_api/node_settings.h"
#include "proxy/proxy_state.h"

namespace miroir {
namespace {

WallTime time_of(EntryStamp stamp) {
  return WallTime(Microseconds(static_cast<std::int64_t>(stamp)));
}

Json index_json(const IndexState& index) {
  return Json::object({{"uid", index.uid},
                       {"createdAt", to_rfc3339(time_of(index.created_at))},
                       {"updatedAt", to_rfc3339(time_of(index.updated_at))},
                       {"primaryKey", index.primary_key ? Json(*index.primary_key) : Json()}});
}

Async<http::Response> list_indexes(Proxy::State* state, http::Request request) {
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, {"offset", "limit"})) {
    co_return error_answer(*error);
  }
  auto offset = meili::unsigned_parameter(query, "offset", 0, "invalid_index_offset");
  auto limit = meili::unsigned_parameter(query, "limit", 20, "invalid_index_limit");
  if (!offset) co_return error_answer(offset.error());
  if (!limit) co_return error_answer(limit.error());
  const Catalogue& catalogue = state->parts.log.catalogue();
  std::vector<const IndexState*> seen;
  for (const auto& [uid, index] : catalogue.indexes()) {
    if (state->authorization.may_see(request, uid, catalogue)) seen.push_back(&index);
  }
  Json results = Json::array();
  for (std::uint64_t i = *offset; i < seen.size() && i - *offset < *limit; ++i) {
    results.push_back(index_json(*seen[i]));
  }
  co_return json_answer(200, Json::object({{"results", std::move(results)},
                                           {"offset", Json(*offset)},
                                           {"limit", Json(*limit)},
                                           {"total", Json(std::uint64_t{seen.size()})}}));
}

Async<http::Response> get_index(Proxy::State* state, std::string uid) {
  if (!meili::is_index_uid(uid)) co_return error_answer(meili::invalid_index_uid(uid));
  const IndexState* index = state->parts.log.catalogue().index(uid);
  if (index == nullptr) co_return error_answer(meili::index_not_found(uid));
  co_return json_answer(200, index_json(*index));
}

// A node reads settings back normalised; what we added to them is taken out again.
Async<http::Response> get_settings(Proxy::State* state, std::string uid, std::string route,
                                   http::Request request) {
  auto answer = co_await state->searcher.pass_through(std::move(request), {uid});
  if (!answer) co_return error_answer(answer.error());
  auto body = parse_json(answer->body);
  if (!body)
    co_return error_answer(to_api_error(std::move(body).error().with_context("a node's settings")));
  const IndexState* index = state->parts.log.catalogue().index(uid);
  if (answer->status != 200) co_return http::json_response(answer->status, answer->body);
  // Dropped, and the node does not know it yet.
  if (index == nullptr) co_return error_answer(meili::index_not_found(uid));
  if (route.empty()) co_return json_answer(200, settings_for_client(*body, index->settings));
  const std::string setting = setting_of_route(route);
  Json whole = settings_for_client(Json::object({{setting, *body}}), index->settings);
  co_return json_answer(200, *whole.find(setting));
}

}  // namespace

void add_index_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  routes.add("GET", "/indexes", "indexes.get",
             [s](Route::Values, http::Request r) { return list_indexes(s, std::move(r)); });
  routes.add("POST", "/indexes", "indexes.create",
             [s](Route::Values, http::Request r) { return s->indexes.create(std::move(r)); });
  routes.add("POST", "/swap-indexes", "indexes.swap",
             [s](Route::Values, http::Request r) { return s->indexes.swap(std::move(r)); });
  routes.add("GET", "/indexes/{uid}", "indexes.get",
             [s](Route::Values v, http::Request) { return get_index(s, v[0]); });
  routes.add("PATCH", "/indexes/{uid}", "indexes.update", [s](Route::Values v, http::Request r) {
    return s->indexes.update(v[0], std::move(r));
  });
  routes.add("DELETE", "/indexes/{uid}", "indexes.delete",
             [s](Route::Values v, http::Request r) { return s->indexes.drop(v[0], std::move(r)); });
  routes.add("GET", "/indexes/{uid}/stats", "stats.get", [s](Route::Values v, http::Request r) {
    return s->searcher.stats(v[0], std::move(r));
  });

  const std::string settings = "/indexes/{uid}/settings";
  routes.add("GET", settings, "settings.get", [s](Route::Values v, http::Request r) {
    return get_settings(s, v[0], "", std::move(r));
  });
  for (const char* method : {"PATCH", "DELETE"}) {
    routes.add(method, settings, "settings.update", [s](Route::Values v, http::Request r) {
      const MissingIndex missing = s->missing_index(r, v[0]);
      return s->settings.change(v[0], "", std::move(r), missing);
    });
  }
  for (const std::string& route : setting_routes()) {
    const std::string path = settings + "/" + route;
    routes.add("GET", path, "settings.get", [s, route](Route::Values v, http::Request r) {
      return get_settings(s, v[0], route, std::move(r));
    });
    for (const char* method : {"PUT", "PATCH", "DELETE"}) {
      if (std::string_view(method) != "DELETE" && method != method_of_setting(route)) continue;
      routes.add(method, path, "settings.update", [s, route](Route::Values v, http::Request r) {
        const MissingIndex missing = s->missing_index(r, v[0]);
        return s->settings.change(v[0], route, std::move(r), missing);
      });
    }
  }
}

}  // namespace miroir
