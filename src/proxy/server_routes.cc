#include "proxy/proxy_state.h"

namespace miroir {
namespace {

// The version of Meilisearch whose API this is; clients look at it.
constexpr std::string_view kMeilisearchVersion = "1.50.0";

Async<http::Response> health() {
  co_return json_answer(200, Json::object({{"status", "available"}}));
}

Async<http::Response> greeting() {
  co_return json_answer(200, Json::object({{"status", "Miroir is running"}}));
}

Async<http::Response> version() {
  co_return json_answer(200, Json::object({{"commitSha", "miroir"},
                                           {"commitDate", "unknown"},
                                           {"pkgVersion", kMeilisearchVersion}}));
}

Async<http::Response> passed(Proxy::State* state, http::Request request) {
  auto answer = co_await state->searcher.pass_through(std::move(request));
  if (!answer) co_return error_answer(answer.error());
  co_return http::json_response(answer->status, answer->body);
}

Route::Handler refused(std::string subject) {
  return [subject](Route::Values, http::Request) -> Async<http::Response> {
    co_return error_answer(meili::api_error(
        "miroir_not_supported", subject + " concern one server: ask the nodes themselves."));
  };
}

}  // namespace

void add_server_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  routes.add("GET", "/", kNoKey, [](Route::Values, http::Request) { return greeting(); });
  routes.add("GET", "/health", kNoKey, [](Route::Values, http::Request) { return health(); });
  routes.add("GET", "/version", "version", [](Route::Values, http::Request) { return version(); });
  routes.add("GET", "/stats", "stats.get",
             [s](Route::Values, http::Request r) { return s->searcher.stats("", std::move(r)); });
  routes.add("GET", "/experimental-features", "experimental.get",
             [s](Route::Values, http::Request r) { return passed(s, std::move(r)); });
  routes.add("PATCH", "/experimental-features", "experimental.update",
             refused("Experimental features"));
  routes.add("POST", "/dumps", "dumps.create", refused("Dumps"));
  routes.add("POST", "/snapshots", "snapshots.create", refused("Snapshots"));
  routes.add("POST", "/export", "export", refused("Exports"));
  routes.add("GET", "/batches", "tasks.get", refused("Batches"));
  routes.add("GET", "/network", "network.get", refused("Networks"));
  routes.add("PATCH", "/network", "network.update", refused("Networks"));
}

}  // namespace miroir
