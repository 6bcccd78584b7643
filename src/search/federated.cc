#include "search/federated.h"

#include <algorithm>
#include <limits>

#include "search/strip.h"

namespace miroir {
namespace {

std::uint64_t count_of(const Json& object, std::string_view name, std::uint64_t fallback) {
  const Json* value = object.find(name);
  if (value == nullptr || !value->is_integer()) return fallback;
  return value->is_int64() && value->as_int64() < 0 ? fallback : value->as_uint64();
}

constexpr std::uint64_t kCountMax = std::numeric_limits<std::int64_t>::max();

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return a > kCountMax - std::min(b, kCountMax) ? kCountMax : a + b;
}

std::uint64_t product(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > kCountMax / b ? kCountMax : a * b;
}

std::uint64_t pages(std::uint64_t total, std::uint64_t size) {
  return size == 0 ? 0 : sum(total, size - 1) / size;
}

void append_hits(std::string& out, const std::vector<FederatedHit>& hits, std::uint64_t first,
                 std::uint64_t end, const FieldNames& names, const auto& finish) {
  out += "{\"hits\":[";
  for (std::uint64_t i = first; i < std::min<std::uint64_t>(hits.size(), end); ++i) {
    if (i > first) out += ',';
    out += finish(hits[i], strip_reserved(hits[i].text, AnswerShape::kDocument, names));
  }
  out += ']';
}

void append_member(std::string& out, std::string_view name, const Json& value) {
  out += ',';
  append_quoted(out, name);
  out += ':';
  append_text(out, value);
}

// {"distribution", "stats"} of one index, from every node.
std::vector<Json> facets_of(const std::vector<FederatedAnswer>& answers,
                            const std::string& index_uid, const FieldNames& names) {
  std::vector<Json> facets;
  for (const FederatedAnswer& answer : answers) {
    const Json* own = answer.facets.find(index_uid);
    if (own == nullptr) continue;
    Json clean = *own;
    for (std::string_view part : {"distribution", "stats"}) {
      Json* members = clean.find(part);
      if (members == nullptr || !members->is_object()) continue;
      std::erase_if(members->as_object(),
                    [&](const Json::Member& member) { return is_reserved(member.first, names); });
    }
    facets.push_back(std::move(clean));
  }
  return facets;
}

std::int64_t slowest(const std::vector<FederatedAnswer>& answers) {
  std::int64_t milliseconds = 0;
  for (const FederatedAnswer& answer : answers)
    milliseconds = std::max(milliseconds, answer.milliseconds);
  return milliseconds;
}

// The hits of all nodes, merged. With a distinct attribute nodes count values that others count
// too: where each gave all that it has, the merged hits are the count.
struct Merged {
  std::vector<FederatedHit> hits;
  std::uint64_t total = 0;
};

Merged merge_answers(std::vector<FederatedAnswer>& answers, const std::string& distinct) {
  Merged merged;
  bool all_given = true;
  for (const FederatedAnswer& answer : answers) {
    merged.total += answer.total;
    all_given = all_given && answer.hits.size() >= answer.total;
  }
  merged.hits = merge_hits(answers, distinct);
  if (!distinct.empty() && all_given) merged.total = merged.hits.size();
  return merged;
}

void append_totals(std::string& out, const Page& page, std::uint64_t shown_offset,
                   std::uint64_t total) {
  if (page.by_pages) {
    append_member(out, "hitsPerPage", Json(page.size));
    append_member(out, "page", Json(page.number));
    append_member(out, "totalPages", Json(pages(total, page.size)));
    append_member(out, "totalHits", Json(total));
  } else {
    append_member(out, "limit", Json(page.size));
    append_member(out, "offset", Json(shown_offset));
    append_member(out, "estimatedTotalHits", Json(total));
  }
}

}  // namespace

Page Page::parse(const Json& asked) {
  auto given = [&](std::string_view name) {
    const Json* value = asked.find(name);
    return value != nullptr && !value->is_null();
  };
  Page page;
  page.by_pages = given("page") || given("hitsPerPage");
  page.number = count_of(asked, "page", 1);
  page.size = count_of(asked, page.by_pages ? "hitsPerPage" : "limit", 20);
  page.offset = count_of(asked, "offset", 0);
  return page;
}

std::uint64_t Page::first() const {
  if (!by_pages) return offset;
  return number == 0 ? 0 : product(number - 1, size);
}

std::uint64_t Page::end() const { return by_pages && number == 0 ? 0 : sum(first(), size); }

FacetRules facet_rules_of(const Json& settings) {
  FacetRules rules;
  if (const Json* faceting = settings.find("faceting")) {
    rules.limit = count_of(*faceting, "maxValuesPerFacet", rules.limit);
    if (const Json* order = faceting->find("sortFacetValuesBy")) rules.sort_by = *order;
  }
  return rules;
}

ScatteredSearch::ScatteredSearch(std::string index_uid, Json body, const Json& settings)
    : index_uid_(std::move(index_uid)),
      body_(std::move(body)),
      facet_rules_(facet_rules_of(settings)) {
  if (const Json* pagination = settings.find("pagination")) {
    total_hits_max_ = count_of(*pagination, "maxTotalHits", total_hits_max_);
  }
  const Json* distinct = body_.find("distinct");
  if (distinct == nullptr || distinct->is_null()) distinct = settings.find("distinctAttribute");
  if (distinct != nullptr && distinct->is_string()) distinct_ = distinct->as_string();

  page_ = Page::parse(body_);
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
  if (!distinct_.empty()) federation.set("distinct", distinct_);
  if (!facets.is_null())
    federation.set("facetsByIndex", Json::object({{index_uid_, std::move(facets)}}));
  return to_text(Json::object(
      {{"federation", std::move(federation)}, {"queries", Json::array({std::move(query)})}}));
}

std::string ScatteredSearch::answer(std::vector<FederatedAnswer> answers,
                                    const FieldNames& names) const {
  const auto [hits, found] = merge_answers(answers, distinct_);
  const std::uint64_t total = std::min(found, total_hits_max_);

  std::string out;
  append_hits(out, hits, page_.first(), std::min(page_.end(), total_hits_max_), names,
              [](const FederatedHit&, std::string document) { return document; });
  const Json* query = body_.find("q");
  append_member(out, "query", query != nullptr && query->is_string() ? *query : Json(""));
  append_member(out, "processingTimeMs", Json(slowest(answers)));
  append_totals(out, page_, std::min(page_.offset, total_hits_max_), total);
  if (const Json* asked = body_.find("facets"); asked != nullptr && asked->size() > 0) {
    Json facets = merge_facets(facets_of(answers, index_uid_, names), facet_rules_);
    append_member(out, "facetDistribution", *facets.find("distribution"));
    append_member(out, "facetStats", *facets.find("stats"));
  }
  if (!answers.empty() && !answers.front().request_uid.empty()) {
    append_member(out, "requestUid", answers.front().request_uid);
  }
  out += '}';
  return out;
}

std::string scattered_federation(const Json& body, const std::vector<SlotRange>& slots) {
  Json request = body;
  Json& federation = request["federation"];
  const Json asked = federation;
  const Page page = Page::parse(asked);
  for (std::string_view name : {"offset", "limit", "page", "hitsPerPage"}) federation.erase(name);
  if (page.by_pages) federation.set("page", 1);
  federation.set(page.by_pages ? "hitsPerPage" : "limit", Json(page.end()));
  federation.erase("mergeFacets");
  if (!slots.empty()) {
    // What is no query is refused by the node that is asked.
    for (Json& query : request["queries"].as_array()) {
      if (query.is_object()) query.set("filter", join_filters(query.find("filter"), slots));
    }
  }
  return to_text(request);
}

std::string merged_federation(const Json& body, std::vector<FederatedAnswer> answers,
                              const Catalogue& catalogue, const FieldNames& names) {
  const Json* federation = body.find("federation");
  const Json asked = federation == nullptr ? Json::object() : *federation;
  const Page page = Page::parse(asked);
  const Json* distinct = asked.find("distinct");
  const auto [hits, total] = merge_answers(
      answers, distinct != nullptr && distinct->is_string() ? distinct->as_string() : "");

  std::string out;
  append_hits(out, hits, page.first(), page.end(), names,
              [](const FederatedHit& hit, std::string document) {
                document.pop_back();
                if (document.size() > 1) document += ',';
                document += "\"_federation\":";
                append_text(document, Json::object({{"indexUid", hit.index_uid},
                                                    {"queriesPosition", hit.query},
                                                    {"weightedRankingScore", hit.ranking_score}}));
                return document + '}';
              });
  append_member(out, "processingTimeMs", Json(slowest(answers)));
  append_totals(out, page, page.offset, total);
  const Json* by_index = asked.find("facetsByIndex");
  const Json* merge = asked.find("mergeFacets");
  if (by_index != nullptr && by_index->is_object() && by_index->size() > 0) {
    Json each = Json::object();
    std::vector<Json> all;
    for (const auto& [uid, attributes] : by_index->as_object()) {
      const IndexState* index = catalogue.index(uid);
      Json facets = merge_facets(facets_of(answers, uid, names),
                                 facet_rules_of(index ? index->settings : Json()));
      all.push_back(facets);
      each.set(uid, std::move(facets));
    }
    if (merge != nullptr && !merge->is_null()) {
      FacetRules rules;
      rules.limit = count_of(*merge, "maxValuesPerFacet", rules.limit);
      Json facets = merge_facets(all, rules);
      append_member(out, "facetDistribution", *facets.find("distribution"));
      append_member(out, "facetStats", *facets.find("stats"));
    } else {
      append_member(out, "facetsByIndex", each);
    }
  }
  if (!answers.empty() && !answers.front().request_uid.empty()) {
    append_member(out, "requestUid", answers.front().request_uid);
  }
  out += '}';
  return out;
}

}  // namespace miroir
