#include "node/search_routes.h"

#include "meili/payload.h"
#include "meili/settings_check.h"
#include "node/multi_search.h"
#include "node/search.h"

namespace miroir::node {
namespace {

using meili::ApiError;

Json rule_of(const Call& call, std::string_view index_uid) {
  return call.access.search_rule ? call.access.search_rule(index_uid) : Json();
}

Reply answer(Engine& engine, const Call& call, std::expected<SearchRequest, ApiError> request) {
  if (!request) return std::unexpected(std::move(request.error()));
  const std::string& uid = call.variables.front();
  const auto snapshot = engine.snapshot();
  const auto index = snapshot->index(uid);
  if (!index) return std::unexpected(index.error());
  const auto body = answer_search(engine, *snapshot, **index, *request, rule_of(call, uid));
  if (!body) return std::unexpected(body.error());
  return json_reply(200, *body);
}

Reply search(Engine& engine, const Call& call) {
  const auto body = body_of(call);
  if (!body) return std::unexpected(body.error());
  return answer(engine, call, parse_search(*body));
}

// What a search for facet values has of a search, and its own members.
struct FacetSearch {
  std::string name;
  std::optional<std::string> query;
  SearchRequest search;
};

std::expected<FacetSearch, ApiError> parse_facet_search(const Json& body) {
  if (!body.is_object())
    return std::unexpected(meili::expected_type(body, "an object", {"", "bad_request"}));
  auto name = meili::string_field(body, "facetName", "invalid_facet_search_facet_name");
  if (!name) return std::unexpected(std::move(name.error()));
  if (!*name) {
    return std::unexpected(
        meili::api_error("missing_facet_search_facet_name", "Missing field `facetName`"));
  }
  auto query = meili::string_field(body, "facetQuery", "invalid_facet_search_query");
  if (!query) return std::unexpected(std::move(query.error()));
  Json rest = Json::object();  // unknown members are let pass here, unlike in searches
  for (const std::string_view member : {"q", "filter", "matchingStrategy", "attributesToSearchOn",
                                        "rankingScoreThreshold", "locales", "hybrid", "vector"}) {
    if (const Json* value = body.find(member)) rest.set(member, *value);
  }
  auto search = parse_search(rest);
  if (!search) return std::unexpected(std::move(search.error()));
  return FacetSearch{std::move(**name), std::move(*query), std::move(*search)};
}

std::optional<ApiError> refuse_facet(const Index& index, const std::string& name) {
  if (index.settings.find("facetSearch")->as_bool() == false) {
    return meili::api_error("facet_search_disabled", "The facet search is disabled for this index");
  }
  const auto match = index.rules.filterable(name);
  if (match && match->features.facet_search) return std::nullopt;
  std::string names;
  for (const std::string& pattern : index.rules.filterable_patterns())
    names += (names.empty() ? "" : ", ") + pattern;
  return meili::api_error(
      "invalid_facet_search_facet_name",
      "Attribute `" + name + "` is not facet-searchable. " +
          (names.empty() ? "This index does not have configured facet-searchable attributes."
                         : "Available facet-searchable attributes patterns are: `" + names + "`.") +
          " To make it facet-searchable add it to the `filterableAttributes` index settings.");
}

Reply facet_search(Engine& engine, const Call& call) {
  const Instant start = engine.clock().now();
  const auto body = body_of(call);
  if (!body) return std::unexpected(body.error());
  const auto request = parse_facet_search(*body);
  if (!request) return std::unexpected(request.error());
  const std::string& uid = call.variables.front();
  const auto snapshot = engine.snapshot();
  const auto index = snapshot->index(uid);
  if (!index) return std::unexpected(index.error());
  if (auto refused = refuse_facet(**index, request->name))
    return std::unexpected(std::move(*refused));
  const Search search(engine, *snapshot, **index, request->search, rule_of(call, uid));
  const auto found = search.matches(parse_text_query(request->search.q, (*index)->settings));
  if (!found) return std::unexpected(found.error());
  Json hits = Json::array();
  for (const FacetValue& value :
       find_facet_values(**index, request->name, request->query, found->documents))
    hits.push_back(Json::object({{"value", value.text}, {"count", value.count}}));
  const auto elapsed = std::chrono::duration_cast<Milliseconds>(engine.clock().now() - start);
  return json_reply(200,
                    Json::object({{"facetHits", std::move(hits)},
                                  {"facetQuery", request->query ? Json(*request->query) : Json()},
                                  {"processingTimeMs", std::int64_t{elapsed.count()}}}));
}

}  // namespace

void add_search_routes(Router& router, Engine& engine) {
  router.add("POST", "/indexes/{index_uid}/search", "search",
             [&engine](const Call& call) { return search(engine, call); });
  router.add("GET", "/indexes/{index_uid}/search", "search", [&engine](const Call& call) {
    return answer(engine, call, parse_search(call.query));
  });
  router.add("POST", "/indexes/{index_uid}/facet-search", "search",
             [&engine](const Call& call) { return facet_search(engine, call); });
  router.add("POST", "/multi-search", "search",
             [&engine](const Call& call) { return multi_search(engine, call); });
}

}  // namespace miroir::node
