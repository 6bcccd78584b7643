#include "search/federated.h"

#include <algorithm>
#include <limits>

#include "meili/filterable.h"

namespace miroir {
namespace {

constexpr std::string_view kRetrieved = "attributesToRetrieve";

bool is_filterable(const std::string& attribute, const Json& settings) {
  const auto match = meili::FilterableRules(settings.find("filterableAttributes")).find(attribute);
  return match && match->features.filterable();
}

std::string text_of(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

}  // namespace

ScatteredSearch::ScatteredSearch(std::string index_uid, Json body, const Json& settings)
    : index_uid_(std::move(index_uid)),
      body_(std::move(body)),
      facet_rules_(facet_rules_of(settings)),
      distinct_(text_of(body_, "distinct")) {
  if (const Json* pagination = settings.find("pagination")) {
    total_hits_max_ = count_of(*pagination, "maxTotalHits", total_hits_max_);
  }
  page_ = Page::parse(body_);
  asks_distinct_ = true;
  if (distinct_.empty()) {
    distinct_ = distinct_attribute_of(settings);
    if (!distinct_.empty() && !is_filterable(distinct_, settings)) leave_distinct_to_the_index();
  }
}

bool ScatteredSearch::leave_distinct_to_the_index() {
  if (!asks_distinct_ || distinct_.empty() || !text_of(body_, "distinct").empty()) return false;
  asks_distinct_ = false;
  borrowed_ = BorrowedFields(body_, kRetrieved, {distinct_});
  return true;
}

std::string ScatteredSearch::request(const std::vector<SlotRange>& slots) const {
  Json query = body_;
  query.set("indexUid", index_uid_);
  Json facets;
  if (const Json* asked = query.find("facets")) facets = *asked;
  for (std::string_view name : {"offset", "limit", "page", "hitsPerPage", "facets", "distinct"})
    query.erase(name);
  if (Json filter = join_filters(body_.find("filter"), slots); !filter.is_null())
    query.set("filter", std::move(filter));

  Json federation = Json::object();
  const std::uint64_t wanted = std::min(page_.end(), total_hits_max_);
  if (page_.by_pages) {
    federation.set("page", 1);
    federation.set("hitsPerPage", Json(wanted));
  } else {
    federation.set("limit", Json(wanted));
  }
  if (asks_distinct_ && !distinct_.empty()) federation.set("distinct", distinct_);
  if (!facets.is_null())
    federation.set("facetsByIndex", Json::object({{index_uid_, std::move(facets)}}));
  return to_text(Json::object(
      {{"federation", std::move(federation)}, {"queries", Json::array({std::move(query)})}}));
}

std::string ScatteredSearch::answer(std::vector<FederatedAnswer> answers,
                                    const FieldNames& names) const {
  const auto [hits, found] = merge_answers(answers, {.everywhere = distinct_, .of_query = {}});
  const std::uint64_t total = std::min(found, total_hits_max_);

  std::string out = begin_answer(answers, hits,
                                 {.first = page_.first(),
                                  .end = std::min(page_.end(), total_hits_max_),
                                  .names = names,
                                  .finish = [this](const FederatedHit&, std::string document) {
                                    return borrowed_.taken_from(std::move(document));
                                  }});
  append_member(out, "query", text_of(body_, "q"));
  append_member(out, "processingTimeMs", Json(slowest(answers)));
  append_totals(out, page_, std::min(page_.offset, total_hits_max_), total);
  if (const Json* asked = body_.find("facets"); asked != nullptr && asked->size() > 0) {
    Json facets = merge_facets(facets_of(answers, index_uid_, names), facet_rules_);
    append_member(out, "facetDistribution", *facets.find("distribution"));
    append_member(out, "facetStats", *facets.find("stats"));
  }
  return end_answer(std::move(out), answers);
}

// Each index's own distinct attribute tells the hits of each query apart; across the queries of a
// node nothing is the same but a document, and that is on one node only.
ScatteredFederation::ScatteredFederation(Json body, const Catalogue& catalogue)
    : body_(std::move(body)), federation_(body_["federation"]), page_(Page::parse(federation_)) {
  distinct_.everywhere = text_of(federation_, "distinct");
  for (Json& query : body_["queries"].as_array()) {
    std::string attribute = text_of(query, "distinct");
    if (attribute.empty())
      attribute = distinct_attribute_of(settings_of(catalogue, text_of(query, "indexUid")));
    const bool looked_at = distinct_.everywhere.empty() && !attribute.empty();
    borrowed_.push_back(looked_at ? BorrowedFields(query, kRetrieved, {attribute})
                                  : BorrowedFields());
    distinct_.of_query.push_back(std::move(attribute));
  }
}

std::string ScatteredFederation::request(const std::vector<SlotRange>& slots) const {
  Json request = body_;
  Json& federation = request["federation"];
  for (std::string_view name : {"offset", "limit", "page", "hitsPerPage", "mergeFacets"})
    federation.erase(name);
  if (page_.by_pages) federation.set("page", 1);
  federation.set(page_.by_pages ? "hitsPerPage" : "limit", Json(page_.end()));
  if (!slots.empty()) {
    // What is no query is refused by the node that is asked.
    for (Json& query : request["queries"].as_array()) {
      if (query.is_object()) query.set("filter", join_filters(query.find("filter"), slots));
    }
  }
  return to_text(request);
}

std::expected<std::string, meili::ApiError> ScatteredFederation::answer(
    std::vector<FederatedAnswer> answers, const Catalogue& catalogue,
    const FieldNames& names) const {
  const auto [hits, total] = merge_answers(answers, distinct_);

  std::string out = begin_answer(
      answers, hits,
      {.first = page_.first(),
       .end = page_.end(),
       .names = names,
       .finish = [this](const FederatedHit& hit, std::string document) {
         const auto query = static_cast<std::size_t>(hit.query);
         if (query < borrowed_.size()) document = borrowed_[query].taken_from(std::move(document));
         document.pop_back();
         if (document.size() > 1) document += ',';
         document += "\"_federation\":";
         append_text(document, Json::object({{"indexUid", hit.index_uid},
                                             {"queriesPosition", hit.query},
                                             {"weightedRankingScore", hit.ranking_score}}));
         return document + '}';
       }});
  append_member(out, "processingTimeMs", Json(slowest(answers)));
  append_totals(out, page_, page_.offset, total);
  if (auto done = append_facets(out, answers, catalogue, names); !done)
    return std::unexpected(std::move(done).error());
  return end_answer(std::move(out), answers);
}

namespace {

// Facets of several indexes cannot be merged where one orders an attribute's values in another way.
std::expected<void, meili::ApiError> check_order(
    const std::string& uid, const Json& distribution, const FacetRules& rules,
    std::map<std::string, std::pair<std::string, bool>>& orders) {
  auto told = [](bool by_count) { return by_count ? "by count" : "alphabetically"; };
  for (const auto& [attribute, values] : distribution.as_object()) {
    const bool counts = by_count(rules, attribute);
    const auto [first, fresh] = orders.try_emplace(attribute, uid, counts);
    if (fresh || first->second.second == counts) continue;
    return std::unexpected(meili::api_error(
        "invalid_multi_search_facet_order",
        "Inside `.federation.facetsByIndex." + uid + "`: Inconsistent order for values in facet `" +
            attribute + "`: index `" + first->second.first + "` orders " +
            told(first->second.second) + ", but index `" + uid + "` orders " + told(counts) +
            ".\n - Hint: Remove `federation.mergeFacets` or change `faceting.sortFacetValuesBy` "
            "to be consistent in settings."));
  }
  return {};
}

}  // namespace

std::expected<void, meili::ApiError> ScatteredFederation::append_facets(
    std::string& out, const std::vector<FederatedAnswer>& answers, const Catalogue& catalogue,
    const FieldNames& names) const {
  const Json* asked = federation_.find("facetsByIndex");
  if (asked == nullptr || !asked->is_object() || asked->size() == 0) return {};
  std::map<std::string, Json> by_index;
  for (const auto& [uid, attributes] : asked->as_object()) {
    if (attributes.is_null()) continue;
    by_index[uid] =
        merge_facets(facets_of(answers, uid, names), facet_rules_of(settings_of(catalogue, uid)));
  }
  const Json* merge = federation_.find("mergeFacets");
  if (merge == nullptr || merge->is_null()) {
    Json::Object each(by_index.begin(), by_index.end());
    append_member(out, "facetsByIndex", Json(std::move(each)));
    return {};
  }
  FacetRules rules{
      .limit = count_of(*merge, "maxValuesPerFacet", std::numeric_limits<std::size_t>::max()),
      .sort_by = Json::object(),
      .by_spelling = true};
  std::map<std::string, std::pair<std::string, bool>> orders;
  std::vector<Json> all;
  for (const auto& [uid, facets] : by_index) {
    const FacetRules own = facet_rules_of(settings_of(catalogue, uid));
    if (auto same = check_order(uid, *facets.find("distribution"), own, orders); !same) return same;
    all.push_back(facets);
  }
  for (const auto& [attribute, order] : orders)
    rules.sort_by.set(attribute, order.second ? "count" : "alpha");
  Json facets = merge_facets(all, rules);
  append_member(out, "facetDistribution", *facets.find("distribution"));
  append_member(out, "facetStats", *facets.find("stats"));
  return {};
}

}  // namespace miroir
