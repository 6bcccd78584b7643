#include "search/search_engine_fake.h"

#include <algorithm>
#include <map>
#include <set>

#include "node_api/simulated_writes_fake.h"

namespace miroir {
namespace {

std::uint64_t count(const Json& object, std::string_view name, std::uint64_t fallback) {
  const Json* value = object.find(name);
  return value == nullptr ? fallback : value->as_uint64();
}

Json value_or_null(const Json& document, const std::string& field) {
  const Json* value = document.find(field);
  return value == nullptr ? Json() : *value;
}

// Numbers before strings before nothing, whatever the direction.
bool sorts_before(const Json& a, const Json& b, bool ascending) {
  auto kind = [](const Json& value) { return value.is_number() ? 0 : value.is_string() ? 1 : 2; };
  if (kind(a) != kind(b)) return kind(a) < kind(b);
  if (a.is_number())
    return ascending ? a.as_double() < b.as_double() : a.as_double() > b.as_double();
  if (a.is_string())
    return ascending ? a.as_string() < b.as_string() : a.as_string() > b.as_string();
  return false;
}

struct Sort {
  std::string field;
  bool ascending = true;
};

std::vector<Sort> sorts_of(const Json& query) {
  std::vector<Sort> sorts;
  const Json* asked = query.find("sort");
  for (const Json& each : asked == nullptr ? Json::Array{} : asked->as_array()) {
    const std::string& text = each.as_string();
    sorts.push_back({text.substr(0, text.find(':')), text.ends_with(":asc")});
  }
  return sorts;
}

Json retrieved(const Json& document, const Json* fields) {
  if (fields == nullptr) return document;
  Json shown = Json::object();
  for (const Json& field : fields->as_array()) {
    if (const Json* value = document.find(field.as_string())) shown.set(field.as_string(), *value);
  }
  return shown;
}

std::vector<Json> page_of(const std::vector<Json>& all, std::uint64_t first, std::uint64_t size) {
  std::vector<Json> page;
  for (std::uint64_t i = first; i < all.size() && i - first < size; ++i) page.push_back(all[i]);
  return page;
}

}  // namespace

std::vector<SearchEngine::Ranked> SearchEngine::ranked(const Json& query,
                                                       const Json* distinct) const {
  const std::vector<Sort> sorts = sorts_of(query);
  std::vector<Ranked> all;
  for (const Json& document : documents_) {
    const Json* filter = query.find("filter");
    if (filter != nullptr && !simulated_filter_matches(*filter, document).value()) continue;
    Ranked ranked{document, document.find("score")->as_double(), Json::array()};
    for (const Sort& sort : sorts) {
      ranked.sorts.push_back(
          Json::object({{"sort", Json::object({{"asc", sort.ascending},
                                               {"value", value_or_null(document, sort.field)}})}}));
    }
    all.push_back(std::move(ranked));
  }
  std::ranges::stable_sort(all, [&](const Ranked& a, const Ranked& b) {
    if (a.score != b.score) return a.score > b.score;
    for (const Sort& sort : sorts) {
      const Json x = value_or_null(a.document, sort.field);
      const Json y = value_or_null(b.document, sort.field);
      if (sorts_before(x, y, sort.ascending)) return true;
      if (sorts_before(y, x, sort.ascending)) return false;
    }
    return false;
  });
  const std::string attribute = distinct == nullptr ? distinct_ : distinct->as_string();
  std::set<std::string> seen;
  std::erase_if(all, [&](const Ranked& each) {
    const Json* value = attribute.empty() ? nullptr : each.document.find(attribute);
    return value != nullptr && !seen.insert(to_text(*value)).second;
  });
  return all;
}

Json SearchEngine::distribution(const std::vector<Ranked>& ranked, const Json& attributes) {
  Json all = Json::object();
  for (const Json& attribute : attributes.as_array()) {
    std::map<std::string, std::int64_t> counts;
    for (const Ranked& each : ranked) {
      const Json* value = each.document.find(attribute.as_string());
      if (value == nullptr) continue;
      ++counts[value->is_string() ? value->as_string() : to_text(*value)];
    }
    Json values = Json::object();
    for (const auto& [value, number] : counts) values.set(value, number);
    all.set(attribute.as_string(), std::move(values));
  }
  return all;
}

Json SearchEngine::stats(const std::vector<Ranked>& ranked, const Json& attributes) {
  Json all = Json::object();
  for (const Json& attribute : attributes.as_array()) {
    std::vector<double> numbers;
    for (const Ranked& each : ranked) {
      const Json* value = each.document.find(attribute.as_string());
      if (value != nullptr && value->is_number()) numbers.push_back(value->as_double());
    }
    if (numbers.empty()) continue;
    all.set(attribute.as_string(),
            Json::object({{"min", std::ranges::min(numbers)}, {"max", std::ranges::max(numbers)}}));
  }
  return all;
}

Json SearchEngine::search(const Json& body) const {
  const std::vector<Ranked> all = ranked(body, body.find("distinct"));
  const Json* fields = body.find("attributesToRetrieve");
  std::vector<Json> documents;
  for (const Ranked& each : all) documents.push_back(retrieved(each.document, fields));
  const std::uint64_t total = std::min<std::uint64_t>(all.size(), 1'000);
  Json answer = Json::object();
  const bool pages = body.find("page") != nullptr || body.find("hitsPerPage") != nullptr;
  const std::uint64_t size = count(body, pages ? "hitsPerPage" : "limit", 20);
  if (pages) {
    const std::uint64_t page = count(body, "page", 1);
    answer.set("hits",
               page == 0 ? Json::array() : Json(page_of(documents, (page - 1) * size, size)));
    answer.set("hitsPerPage", Json(size));
    answer.set("page", Json(page));
    answer.set("totalPages", Json(size == 0 ? 0 : (total + size - 1) / size));
    answer.set("totalHits", Json(total));
  } else {
    const std::uint64_t offset = count(body, "offset", 0);
    answer.set("hits", Json(page_of(documents, offset, size)));
    answer.set("limit", Json(size));
    answer.set("offset", Json(offset));
    answer.set("estimatedTotalHits", Json(total));
  }
  if (const Json* facets = body.find("facets")) {
    answer.set("facetDistribution", distribution(all, *facets));
    answer.set("facetStats", stats(all, *facets));
  }
  return answer;
}

std::string SearchEngine::federated(const Json& body, bool keys) const {
  const Json& query = body.find("queries")->as_array().front();
  const Json& federation = *body.find("federation");
  const Json uid = *query.find("indexUid");
  const Json* distinct = federation.find("distinct");
  const std::vector<Ranked> all = ranked(query, distinct);
  const Json* fields = query.find("attributesToRetrieve");
  std::vector<Json> hits;
  for (const Ranked& each : all) {
    Json hit = retrieved(each.document, fields);
    Json its = Json::object(
        {{"indexUid", uid}, {"queriesPosition", 0}, {"weightedRankingScore", each.score}});
    if (keys) {
      Json scores = Json::array({Json::object({{"weightedScore", each.score}})});
      for (const Json& sort : each.sorts.as_array()) scores.push_back(sort);
      its.set("weightedScoreValues", std::move(scores));
      Json extra = Json::object();
      // As a real node: only what the hit does not show.
      if (distinct != nullptr && hit.find(distinct->as_string()) == nullptr)
        extra.set(distinct->as_string(), value_or_null(each.document, distinct->as_string()));
      its.set("extra_document", std::move(extra));
    }
    hit.set("_federation", std::move(its));
    hits.push_back(std::move(hit));
  }
  const bool pages = federation.find("page") != nullptr;
  const std::uint64_t size = count(federation, pages ? "hitsPerPage" : "limit", 20);
  Json answer =
      Json::object({{"hits", Json(page_of(hits, 0, size))},
                    {"processingTimeMs", 1},
                    {pages ? "totalHits" : "estimatedTotalHits", Json(std::uint64_t{all.size()})}});
  if (const Json* facets = federation.find("facetsByIndex")) {
    const Json& asked = *facets->find(uid.as_string());
    answer.set(
        "facetsByIndex",
        Json::object({{uid.as_string(), Json::object({{"distribution", distribution(all, asked)},
                                                      {"stats", stats(all, asked)}})}}));
  }
  return to_text(answer);
}

}  // namespace miroir
