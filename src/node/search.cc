#include "node/search.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/random.h"
#include "node/filter_evaluation.h"
#include "node/highlight.h"
#include "node/search_fields.h"

namespace miroir::node {
namespace {

using meili::ApiError;

constexpr std::string_view kFilterCode = "invalid_search_filter";

ApiError internal(const Error& error) { return meili::api_error("internal", error.message); }

// Errors about fields name the index, because a request may search several.
ApiError in_index(ApiError error, const Index& index) {
  if (error.message.starts_with("Attribute `") || error.message.starts_with("Filter operator"))
    error.message = "Index `" + index.uid + "`: " + error.message;
  return error;
}

Json score_details(const RankedDocument& ranked) {
  Json details = Json::object();
  for (std::size_t i = 0; i < ranked.values.size(); ++i) {
    const RankValue& value = ranked.values[i];
    const std::int64_t order = static_cast<std::int64_t>(i);
    if (const auto* score = std::get_if<double>(&value.value)) {
      details.set(i == 0 ? "words" : "exactness",
                  Json::object({{"order", order}, {"score", *score}}));
      continue;
    }
    const SortRule& rule = *value.rule;
    details.set(rule.field + (rule.ascending ? ":asc" : ":desc"),
                Json::object({{"order", order}, {"value", std::get<Json>(value.value)}}));
  }
  return details;
}

std::optional<std::int64_t> geo_distance(const RankedDocument& ranked) {
  for (const RankValue& value : ranked.values) {
    if (value.rule == nullptr || !value.rule->geo) continue;
    const Json& metres = std::get<Json>(value.value);
    if (metres.is_number()) return std::llround(metres.as_double());
  }
  return std::nullopt;
}

// Calls each(value's postings) for every value of the field.
template <class Each>
void for_each_value(const Column& column, Each each) {
  for (const auto& [number, documents] : column.numbers) each(documents);
  for (const auto& [key, value] : column.strings) each(value.documents);
}

std::uint64_t hits_max(const Index& index) {
  const Json* pagination = index.settings.find("pagination");
  const Json* max = pagination == nullptr ? nullptr : pagination->find("maxTotalHits");
  return max == nullptr ? 1000 : max->as_uint64();
}

}  // namespace

Search::Search(Engine& engine, const Snapshot& snapshot, const Index& index,
               const SearchRequest& request, Json rule)
    : engine_(engine),
      snapshot_(snapshot),
      index_(index),
      request_(request),
      rule_(std::move(rule)) {}

std::expected<DocumentSet, ApiError> Search::candidates() const {
  DocumentSet candidates = index_.documents;
  for (const Json* filter : {&request_.filter, &rule_}) {
    if (meili::is_empty_filter(*filter)) continue;
    auto matching = evaluate(*filter, index_, engine_.feature("containsFilter"), kFilterCode);
    if (!matching) return std::unexpected(in_index(std::move(matching.error()), index_));
    candidates &= *matching;
  }
  return candidates;
}

std::expected<std::optional<std::string>, ApiError> Search::distinct_field() const {
  if (!request_.distinct) return index_.rules.distinct();
  if (index_.rules.filterable(*request_.distinct)) return request_.distinct;
  std::string names;
  for (const std::string& pattern : index_.rules.filterable_patterns())
    names += (names.empty() ? "" : ", ") + pattern;
  return std::unexpected(meili::api_error(
      "invalid_search_distinct",
      "Index `" + index_.uid + "`: Attribute `" + *request_.distinct +
          "` is not filterable and thus, cannot be used as distinct attribute. " +
          (names.empty() ? "This index does not have configured filterable attributes."
                         : "Available filterable attributes patterns are: `" + names + "`.")));
}

std::expected<TextMatches, ApiError> Search::matches(const TextQuery& query) const {
  auto found = candidates();
  if (!found) return std::unexpected(std::move(found.error()));
  auto matches = find_matches(snapshot_, index_,
                              {query, request_.strategy, request_.attributes_to_search_on}, *found);
  if (!matches) return std::unexpected(internal(matches.error()));
  if (request_.score_threshold) {
    DocumentSet enough;
    matches->documents.for_each([&](DocumentNumber number) {
      if (matches->score(number).total() >= *request_.score_threshold) enough.insert(number);
    });
    matches->documents = std::move(enough);
  }
  return std::move(*matches);
}

std::expected<SearchResult, ApiError> Search::run(std::size_t wanted, bool exhaustive) const {
  auto order = RankingOrder::make(request_, index_);
  if (!order) return std::unexpected(std::move(order.error()));
  const auto distinct = distinct_field();
  if (!distinct) return std::unexpected(distinct.error());
  SearchResult result{.candidates = {},
                      .ranked = {},
                      .query = parse_text_query(request_.q, index_.settings),
                      .order = std::move(*order)};
  auto found = matches(result.query);
  if (!found) return std::unexpected(std::move(found.error()));
  const std::size_t all = found->documents.size();
  result.ranked = result.order.rank(index_, *found, *distinct ? all : std::min(wanted, all));
  result.candidates = std::move(found->documents);
  if (*distinct) {
    result.hidden = keep_distinct(index_, **distinct, result.candidates, exhaustive ? all : wanted,
                                  result.ranked);
    if (result.ranked.size() > wanted) result.ranked.resize(wanted);
  }
  return result;
}

std::size_t keep_distinct(const Index& index, const std::string& field,
                          const DocumentSet& candidates, std::size_t wanted,
                          std::vector<RankedDocument>& ranked) {
  const Column* column = index.column(field);
  if (column == nullptr) {
    if (ranked.size() > wanted) ranked.resize(wanted);
    return 0;
  }
  std::vector<std::vector<const Postings*>> values(index.number_end);
  for_each_value(*column, [&](const Postings& documents) {
    for (const DocumentNumber number : documents) values[number].push_back(&documents);
  });
  DocumentSet hidden;
  std::vector<RankedDocument> kept;
  for (RankedDocument& document : ranked) {
    if (kept.size() >= wanted) break;
    if (hidden.contains(document.number)) continue;
    for (const Postings* same : values[document.number]) {
      for (const DocumentNumber number : *same) {
        if (number != document.number && candidates.contains(number)) hidden.insert(number);
      }
    }
    kept.push_back(std::move(document));
  }
  for (const RankedDocument& document : kept) hidden.erase(document.number);
  ranked = std::move(kept);
  return hidden.size();
}

std::expected<Json, ApiError> Search::hit(const SearchResult& result,
                                          const RankedDocument& ranked) const {
  const auto text = snapshot_.document(index_, ranked.number);
  if (!text) return std::unexpected(internal(text.error()));
  auto document = parse_json(*text);
  if (!document) return std::unexpected(internal(document.error()));
  const Json displayed = displayed_fields(*document, index_.settings);
  Json hit = request_.attributes_to_retrieve
                 ? selected_fields(displayed, *request_.attributes_to_retrieve)
                 : displayed;
  const Highlighter highlighter(request_, result.query, index_.settings);
  if (highlighter.formats()) {
    Json shown = Json::object();
    for (const auto& [field, value] : displayed.as_object()) {
      if (highlighter.asked_for(field)) {
        shown.set(field, value);
      } else if (const Json* retrieved = hit.find(field)) {
        shown.set(field, *retrieved);
      }
    }
    hit.set("_formatted", highlighter.formatted(shown));
  }
  if (request_.retrieve_vectors) {
    const Json* vectors = document->find("_vectors");
    hit.set("_vectors", vectors == nullptr ? Json::object() : *vectors);
  }
  if (request_.show_matches_position)
    hit.set("_matchesPosition", highlighter.matches_position(displayed));
  if (const auto distance = geo_distance(ranked)) hit.set("_geoDistance", *distance);
  if (request_.show_score) hit.set("_rankingScore", ranked.score);
  if (request_.show_score_details) hit.set("_rankingScoreDetails", score_details(ranked));
  return hit;
}

std::expected<Json, ApiError> answer_search(Engine& engine, const Snapshot& snapshot,
                                            const Index& index, const SearchRequest& request,
                                            Json rule) {
  const Instant start = engine.clock().now();
  const std::uint64_t max = hits_max(index);
  const std::uint64_t per_page = request.hits_per_page.value_or(20);
  const std::uint64_t page = request.page.value_or(1);
  std::uint64_t offset = std::min(request.offset, max);
  std::uint64_t limit = std::min(request.limit, max - offset);
  if (request.paged()) {
    offset = page == 0 || per_page == 0 ? 0 : std::min((page - 1) * per_page, max);
    limit = page == 0 ? 0 : std::min(per_page, max - offset);
  }
  const Search search(engine, snapshot, index, request, std::move(rule));
  std::vector<std::string> fields;
  if (request.facets && !request.facets->empty()) {
    auto checked = facet_fields(*request.facets, index);
    if (!checked) return std::unexpected(std::move(checked.error()));
    fields = std::move(*checked);
  }
  auto result = search.run(static_cast<std::size_t>(offset + limit), request.paged());
  if (!result) return std::unexpected(std::move(result.error()));

  Json hits = Json::array();
  for (std::size_t i = static_cast<std::size_t>(offset); i < result->ranked.size(); ++i) {
    auto hit = search.hit(*result, result->ranked[i]);
    if (!hit) return std::unexpected(std::move(hit.error()));
    hits.push_back(std::move(*hit));
  }
  const std::uint64_t total = std::min<std::uint64_t>(result->total(), max);
  Json answer = Json::object({{"hits", std::move(hits)}, {"query", request.q}});
  const auto elapsed = engine.clock().now() - start;
  answer.set("processingTimeMs", std::chrono::duration_cast<Milliseconds>(elapsed).count());
  if (request.paged()) {
    answer.set("hitsPerPage", per_page);
    answer.set("page", page);
    answer.set("totalPages", per_page == 0 ? 0 : (total + per_page - 1) / per_page);
    answer.set("totalHits", total);
  } else {
    answer.set("limit", request.limit);
    answer.set("offset", request.offset);
    answer.set("estimatedTotalHits", total);
  }
  if (request.facets && !request.facets->empty()) {
    const Facets facets = count_facets(index, fields, result->candidates);
    answer.set("facetDistribution", facet_distribution(facets));
    answer.set("facetStats", facet_stats(facets));
  }
  answer.set("requestUid", Random::from_system().uuid_v4());
  return answer;
}

}  // namespace miroir::node
