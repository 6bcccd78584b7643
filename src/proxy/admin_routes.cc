#include <algorithm>

#include "meili/parameters.h"
#include "proxy/proxy_state.h"

namespace miroir {
namespace {

Json node_json(const Cluster& cluster, const NodeConfig& node, Position head) {
  const NodeStatus status = cluster.status(node.id);
  return Json::object({{"id", node.id},
                       {"address", node.address},
                       {"replicaGroup", node.group},
                       {"healthy", status.healthy},
                       {"unhealthyWhy", status.unhealthy_why},
                       {"state", name(status.state)},
                       {"stateWhy", status.state_why},
                       {"stopped", status.stopped},
                       {"done", Json(status.done)},
                       {"lag", Json(head > status.done ? head - status.done : 0)}});
}

Json topology_json(const ProxyParts& parts) {
  const Topology& topology = parts.cluster.topology();
  Json nodes = Json::array();
  for (const NodeConfig& node : topology.nodes()) {
    nodes.push_back(node_json(parts.cluster, node, parts.log.head()));
  }
  return Json::object({{"shards", std::int64_t{topology.shard_count()}},
                       {"head", Json(parts.log.head())},
                       {"nodes", std::move(nodes)}});
}

Json shards_json(const ProxyParts& parts) {
  const Topology& topology = parts.cluster.topology();
  Json shards = Json::array();
  for (ShardId shard = 0; shard < topology.shard_count(); ++shard) {
    const SlotRange slots = topology.slots_of(shard);
    Json owners = Json::array();
    for (const std::string& owner : topology.owners(shard)) owners.push_back(owner);
    shards.push_back(Json::object({{"shard", std::int64_t{shard}},
                                   {"firstSlot", std::int64_t{slots.first}},
                                   {"lastSlot", std::int64_t{slots.last}},
                                   {"owners", std::move(owners)}}));
  }
  return Json::object({{"shards", std::move(shards)}});
}

Async<http::Response> ready(Proxy::State* state) {
  const bool whole = !state->parts.cluster.whole_groups().empty();
  co_return json_answer(whole ? 200 : 503, Json::object({{"ready", whole}}));
}

// {"kind": "light" | "deep", "auto_repair": bool, "wait": bool}; deep, as configured, without
// waiting.
Async<http::Response> start_pass(Proxy::State* state, http::Request request) {
  constexpr std::string_view kCode = "bad_request";
  Json body = Json::object();
  if (!request.body.empty()) {
    auto parsed = meili::json_body(request.body);
    if (!parsed) co_return error_answer(parsed.error());
    body = std::move(*parsed);
  }
  if (auto error = meili::check_fields(body, {"kind", "auto_repair", "wait"})) {
    co_return error_answer(*error);
  }
  auto kind = meili::string_field(body, "kind", kCode);
  auto wait = meili::boolean_field(body, "wait", false, kCode);
  auto repair = meili::boolean_field(body, "auto_repair", true, kCode);
  if (!kind) co_return error_answer(kind.error());
  if (!wait) co_return error_answer(wait.error());
  if (!repair) co_return error_answer(repair.error());
  const std::string wanted = kind->value_or("deep");
  if (wanted != "light" && wanted != "deep") {
    co_return error_answer(meili::api_error(
        kCode, "Unknown value `" + wanted + "` at `.kind`: expected one of `light`, `deep`"));
  }
  const PassKind pass = wanted == "light" ? PassKind::kLight : PassKind::kDeep;
  const std::optional<bool> repairs =
      body.find("auto_repair") == nullptr ? std::nullopt : std::optional(*repair);
  Reconciler& reconciler = state->parts.reconciler;
  if (*wait) {
    auto report = co_await reconciler.pass(pass, repairs);
    if (!report) co_return error_answer(to_api_error(report.error()));
    co_return json_answer(200, *report);
  }
  auto number = reconciler.start(pass, repairs);
  if (!number) co_return error_answer(to_api_error(number.error()));
  co_return json_answer(202, Json::object({{"pass", Json(*number)}}));
}

Async<http::Response> set_paused(Proxy::State* state, bool paused) {
  Reconciler& reconciler = state->parts.reconciler;
  auto done = co_await (paused ? reconciler.pause() : reconciler.resume());
  if (!done) co_return error_answer(to_api_error(done.error(), "miroir_store_unavailable"));
  co_return json_answer(200, Json::object({{"paused", paused}}));
}

// {"pass": N}
Async<http::Response> approve_pass(Proxy::State* state, http::Request request) {
  constexpr std::string_view kCode = "bad_request";
  auto body = meili::json_body(request.body);
  if (!body) co_return error_answer(body.error());
  if (auto error = meili::check_fields(*body, {"pass"})) co_return error_answer(*error);
  const Json* pass = body->find("pass");
  if (pass == nullptr || !pass->is_int64() || pass->as_int64() < 1) {
    co_return error_answer(
        meili::api_error(kCode, "Invalid value at `.pass`: expected the number of a pass"));
  }
  auto approved = co_await state->parts.reconciler.approve(pass->as_uint64());
  if (!approved && approved.error().code == ErrorCode::kNotFound)
    co_return error_answer(meili::api_error(kCode, approved.error().message));
  if (!approved) co_return error_answer(to_api_error(approved.error()));
  co_return json_answer(202, *approved);
}

Async<http::Response> list_passes(Proxy::State* state, http::Request request) {
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, {"limit"})) co_return error_answer(*error);
  auto limit = meili::unsigned_parameter(query, "limit", 20, "bad_request");
  if (!limit) co_return error_answer(limit.error());
  auto passes = co_await state->parts.reconciler.passes(*limit);
  if (!passes) co_return error_answer(to_api_error(passes.error(), "miroir_store_unavailable"));
  co_return json_answer(200, *passes);
}

Async<http::Response> list_repairs(Proxy::State* state, http::Request request) {
  const meili::Parameters query = http::parse_query(request.query);
  if (auto error = meili::check_parameters(query, {"limit", "pass"})) {
    co_return error_answer(*error);
  }
  auto limit = meili::unsigned_parameter(query, "limit", 100, "bad_request");
  auto pass = meili::unsigned_parameter(query, "pass", 0, "bad_request");
  if (!limit) co_return error_answer(limit.error());
  if (!pass) co_return error_answer(pass.error());
  const std::optional<std::uint64_t> only = *pass == 0 ? std::nullopt : std::optional(*pass);
  auto repairs = co_await state->parts.reconciler.repairs(only, *limit);
  if (!repairs) co_return error_answer(to_api_error(repairs.error(), "miroir_store_unavailable"));
  co_return json_answer(200, *repairs);
}

Async<http::Response> promote(Proxy::State* state, std::string node) {
  Cluster& cluster = state->parts.cluster;
  const auto& nodes = cluster.topology().nodes();
  if (std::ranges::find(nodes, node, &NodeConfig::id) == nodes.end()) {
    co_return error_answer(meili::api_error(
        "bad_request", "Unknown node `" + node + "`: expected one of the configured `nodes[].id`"));
  }
  auto promoted = co_await cluster.promote(node, state->parts.log.head());
  if (promoted)
    co_return json_answer(200, node_json(cluster, *std::ranges::find(nodes, node, &NodeConfig::id),
                                         state->parts.log.head()));
  if (promoted.error().code == ErrorCode::kConflict)
    co_return error_answer(meili::api_error("bad_request", promoted.error().message));
  co_return error_answer(to_api_error(promoted.error(), "miroir_store_unavailable"));
}

Async<http::Response> answer(Json body) { co_return json_answer(200, body); }

}  // namespace

void add_admin_routes(Routes& routes, Proxy::State& state) {
  Proxy::State* s = &state;
  auto add = [&](const char* method, const char* path, Route::Handler handler) {
    routes.add(method, std::string("/_miroir/") + path, kAdminKey, std::move(handler));
  };
  add("GET", "topology",
      [s](Route::Values, http::Request) { return answer(topology_json(s->parts)); });
  add("POST", "nodes/{id}/promote",
      [s](Route::Values v, http::Request) { return promote(s, v[0]); });
  add("GET", "shards", [s](Route::Values, http::Request) { return answer(shards_json(s->parts)); });
  routes.add("GET", "/_miroir/ready", kNoKey,
             [s](Route::Values, http::Request) { return ready(s); });
  add("GET", "metrics", [s](Route::Values, http::Request) -> Async<http::Response> {
    co_return http::Response{200,
                             {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}},
                             s->parts.metrics.text()};
  });
  add("GET", "changes",
      [s](Route::Values, http::Request r) { return read_changes(s, std::move(r)); });
  add("POST", "indexes/{uid}/ttl-policy",
      [s](Route::Values v, http::Request r) { return set_ttl_policy(s, v[0], std::move(r)); });
  add("POST", "anti-entropy/start",
      [s](Route::Values, http::Request r) { return start_pass(s, std::move(r)); });
  add("GET", "anti-entropy/status",
      [s](Route::Values, http::Request) { return answer(s->parts.reconciler.status()); });
  add("POST", "anti-entropy/pause",
      [s](Route::Values, http::Request) { return set_paused(s, true); });
  add("POST", "anti-entropy/resume",
      [s](Route::Values, http::Request) { return set_paused(s, false); });
  add("POST", "anti-entropy/approve",
      [s](Route::Values, http::Request r) { return approve_pass(s, std::move(r)); });
  add("GET", "anti-entropy/divergence",
      [s](Route::Values, http::Request) { return answer(s->parts.reconciler.divergence()); });
  add("GET", "anti-entropy/passes",
      [s](Route::Values, http::Request r) { return list_passes(s, std::move(r)); });
  add("GET", "anti-entropy/repairs",
      [s](Route::Values, http::Request r) { return list_repairs(s, std::move(r)); });
}

}  // namespace miroir
