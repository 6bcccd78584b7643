#include "node/multi_search.h"

#include <algorithm>

#include "meili/index_uid.h"
#include "meili/payload.h"
#include "meili/settings_check.h"
#include "node/search.h"
#include "node/search_federation.h"

namespace miroir::node {
namespace {

using meili::ApiError;

std::string place_of(std::size_t position) { return ".queries[" + std::to_string(position) + "]"; }

// What the request names itself need no telling where; what an index says does.
ApiError inside(ApiError error, std::size_t position) {
  error.message = "Inside `" + place_of(position) + "`: " + error.message;
  if (error.code == "index_not_found") error.status = 400;
  return error;
}

std::expected<std::string, ApiError> index_uid_of(const Json& query, const std::string& place) {
  if (!query.is_object())
    return std::unexpected(meili::expected_type(query, "an object", {place, "bad_request"}));
  const Json* uid = query.find("indexUid");
  if (uid == nullptr) {
    return std::unexpected(
        meili::api_error("missing_index_uid", "Missing field `indexUid` inside `" + place + "`"));
  }
  if (!uid->is_string()) {
    return std::unexpected(
        meili::expected_type(*uid, "a string", {place + ".indexUid", "invalid_index_uid"}));
  }
  if (meili::is_index_uid(uid->as_string())) return uid->as_string();
  ApiError error = meili::invalid_index_uid(uid->as_string());
  error.message = "Invalid value at `" + place + ".indexUid`: " + error.message;
  return std::unexpected(std::move(error));
}

std::expected<double, ApiError> weight_of(const Json& query, const std::string& place) {
  const Json* options = query.find("federationOptions");
  if (options == nullptr || options->is_null()) return 1.0;
  const meili::Place here{place + ".federationOptions", "invalid_multi_search_federation_options"};
  if (!options->is_object())
    return std::unexpected(meili::expected_type(*options, "an object", here));
  const Json* weight = options->find("weight");
  if (weight == nullptr || weight->is_null()) return 1.0;
  const meili::Place there{here.path + ".weight", "invalid_multi_search_weight"};
  if (!weight->is_number())
    return std::unexpected(meili::expected_type(*weight, "a number", there));
  if (weight->as_double() >= 0) return weight->as_double();
  return std::unexpected(meili::invalid_value(
      "the value of `weight` is invalid, expected a positive float (>= 0.0).", there));
}

std::expected<FederatedQuery, ApiError> parse_query(const Call& call, const Json& query,
                                                    std::size_t position, bool federated) {
  const std::string place = place_of(position);
  auto uid = index_uid_of(query, place);
  if (!uid) return std::unexpected(std::move(uid.error()));
  if (!call.access.allows(*uid)) {
    return std::unexpected(
        inside(meili::api_error("invalid_api_key", "The provided API key is invalid."), position));
  }
  auto request = parse_search(query, {place, {"indexUid", "federationOptions"}});
  if (!request) return std::unexpected(std::move(request.error()));
  const Json* options = query.find("federationOptions");
  if (!federated && options != nullptr && !options->is_null()) {
    return std::unexpected(inside(
        meili::api_error("invalid_multi_search_federation_options",
                         "Using `federationOptions` is not allowed in a non-federated search.\n - "
                         "Hint: remove `federationOptions` from query #" +
                             std::to_string(position) + " or add `federation` to the request."),
        position));
  }
  for (const std::string_view name : {"limit", "offset", "page", "hitsPerPage"}) {
    const Json* value = query.find(name);
    if (!federated || value == nullptr || value->is_null()) continue;
    return std::unexpected(
        inside(meili::api_error("invalid_multi_search_query_pagination",
                                "Using pagination options is not allowed in federated queries.\n - "
                                "Hint: remove `" +
                                    std::string(name) +
                                    "` from the query or remove `federation` from the request\n - "
                                    "Hint: pass `federation.limit` and `federation.offset` for "
                                    "pagination in federated search"),
               position));
  }
  if (federated && request->facets) {
    return std::unexpected(
        inside(meili::api_error("invalid_multi_search_query_facets",
                                "Using facet options is not allowed in federated queries.\n - "
                                "Hint: remove `facets` from the query or remove `federation` from "
                                "the request\n - Hint: pass `federation.facetsByIndex`"),
               position));
  }
  auto weight = weight_of(query, place);
  if (!weight) return std::unexpected(std::move(weight.error()));
  Json rule = call.access.search_rule ? call.access.search_rule(*uid) : Json();
  return FederatedQuery{std::move(*uid), std::move(*request), *weight, std::move(rule)};
}

std::expected<std::vector<FederatedQuery>, ApiError> parse_queries(const Call& call,
                                                                   const Json& body,
                                                                   bool federated) {
  const Json* queries = body.find("queries");
  if (queries == nullptr)
    return std::unexpected(meili::api_error("bad_request", "Missing field `queries`"));
  if (!queries->is_array()) {
    return std::unexpected(meili::expected_type(*queries, "an array", {".queries", "bad_request"}));
  }
  std::vector<FederatedQuery> parsed;
  for (std::size_t i = 0; i < queries->size(); ++i) {
    auto query = parse_query(call, queries->as_array()[i], i, federated);
    if (!query) return std::unexpected(std::move(query.error()));
    parsed.push_back(std::move(*query));
  }
  return parsed;
}

Reply answer_each(Engine& engine, const std::vector<FederatedQuery>& queries) {
  const auto snapshot = engine.snapshot();
  Json results = Json::array();
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto index = snapshot->index(queries[i].index_uid);
    if (!index) return std::unexpected(inside(index.error(), i));
    auto answer = answer_search(engine, *snapshot, **index, queries[i].request, queries[i].rule);
    if (!answer) return std::unexpected(inside(std::move(answer.error()), i));
    Json result = Json::object({{"indexUid", queries[i].index_uid}});
    for (auto& [name, value] : answer->as_object()) result.set(name, std::move(value));
    results.push_back(std::move(result));
  }
  return json_reply(200, Json::object({{"results", std::move(results)}}));
}

}  // namespace

Reply multi_search(Engine& engine, const Call& call) {
  auto typed = meili::expect_json(call.request.headers.find("Content-Type"));
  if (!typed) return std::unexpected(std::move(typed.error()));
  auto body = meili::json_body(call.request.body);
  if (!body) return std::unexpected(std::move(body.error()));
  if (auto unknown = meili::check_fields(*body, {"federation", "queries"}))
    return std::unexpected(std::move(*unknown));
  // Set by a node that asks for another's part of a search.
  const std::string* header = call.request.headers.find("Meili-Proxy-Search");
  const bool proxied = header != nullptr && *header == "true";
  const Json* options = body->find("federation");
  const bool federated = options != nullptr && !options->is_null();
  auto queries = parse_queries(call, *body, federated);
  if (!queries) return std::unexpected(std::move(queries.error()));
  if (!federated) return answer_each(engine, *queries);
  if (proxied && !engine.feature("network")) {
    return std::unexpected(meili::api_error(
        "feature_not_enabled",
        "Performing a remote federated search requires enabling the `network` experimental "
        "feature. See https://github.com/orgs/meilisearch/discussions/805"));
  }
  auto federation = parse_federation(*options);
  if (!federation) return std::unexpected(std::move(federation.error()));
  federation->shows_keys = proxied;
  auto answer = federate(engine, *federation, *queries);
  if (!answer) return std::unexpected(std::move(answer.error()));
  return json_reply(200, *answer);
}

}  // namespace miroir::node
