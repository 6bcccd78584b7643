#include "search/merge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/document.h"
#include "meili/facet_value.h"

namespace miroir {
namespace {

int sign(std::partial_ordering order) { return order > 0 ? 1 : order < 0 ? -1 : 0; }

}  // namespace

int compare_sort_values(const Json& a, const Json& b, bool ascending) {
  auto rank = [](const Json& value) { return value.is_number() ? 2 : value.is_string() ? 1 : 0; };
  if (rank(a) != rank(b)) return rank(a) > rank(b) ? 1 : -1;
  int order = 0;
  if (a.is_number()) order = sign(a.as_double() <=> b.as_double());
  if (a.is_string()) order = sign(a.as_string() <=> b.as_string());
  return ascending ? -order : order;
}

namespace {

void collect_values(const Json& value, std::string_view path, std::vector<Json>& out) {
  if (value.is_array()) {
    for (const Json& each : value.as_array()) collect_values(each, path, out);
  } else if (path.empty()) {
    if (value.is_number()) out.push_back(value);
    if (value.is_bool()) out.emplace_back(value.as_bool() ? "true" : "false");
    if (value.is_string()) out.emplace_back(meili::normalise_facet(value.as_string()));
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object()) {
      if (key == path) collect_values(member, {}, out);
      if (path.size() > key.size() && path.starts_with(key) && path[key.size()] == '.')
        collect_values(member, path.substr(key.size() + 1), out);
    }
  }
}

}  // namespace

std::vector<Json> values_at(const Json& document, std::string_view path) {
  std::vector<Json> values;
  collect_values(document, path, values);
  return values;
}

namespace {

constexpr std::string_view kFederation = "_federation";

std::uint64_t unsigned_of(const Json* value) {
  return value != nullptr && value->is_integer() && (!value->is_int64() || value->as_int64() >= 0)
             ? value->as_uint64()
             : 0;
}

Result<FederatedHit> parse_hit(std::string_view document) {
  MIROIR_TRY(auto fields, top_level_fields(document));
  FederatedHit hit;
  bool found = false;
  for (const FieldView& field : fields) {
    if (field.key != kFederation) continue;
    MIROIR_TRY(Json federation, parse_json(field.value));
    found = true;
    if (const Json* scores = federation.find("weightedScoreValues")) hit.scores = *scores;
    if (const Json* query = federation.find("queriesPosition");
        query != nullptr && query->is_int64()) {
      hit.query = query->as_int64();
    }
    if (const Json* score = federation.find("weightedRankingScore");
        score != nullptr && score->is_number()) {
      hit.ranking_score = score->as_double();
    }
    if (const Json* uid = federation.find("indexUid"); uid != nullptr && uid->is_string()) {
      hit.index_uid = uid->as_string();
    }
    if (const Json* extra = federation.find("extra_document")) hit.extra = *extra;
  }
  if (!found) return fail(ErrorCode::kCorrupt, "a hit of a federated search has no `_federation`");
  MIROIR_CHECK(
      append_without(hit.text, document, [](std::string_view key) { return key == kFederation; }));
  return hit;
}

// Of words or of vectors: both are compared with each other.
const Json* score_of(const Json& element) {
  const Json* of_words = element.find("weightedScore");
  return of_words != nullptr ? of_words : element.find("vectorSort");
}

int compare_elements(const Json& a, const Json& b) {
  const Json* score_a = score_of(a);
  const Json* score_b = score_of(b);
  if (score_a != nullptr && score_b != nullptr && score_a->is_number() && score_b->is_number()) {
    const double difference = score_a->as_double() - score_b->as_double();
    if (std::abs(difference) <= std::numeric_limits<double>::epsilon()) return 0;
    return difference > 0 ? 1 : -1;
  }
  for (std::string_view kind : {"sort", "geoSort"}) {
    const Json* sort_a = a.find(kind);
    const Json* sort_b = b.find(kind);
    if (sort_a == nullptr || sort_b == nullptr) continue;
    const Json* ascending = sort_a->find("asc");
    const std::string_view name = kind == "sort" ? "value" : "distance";
    const Json* value_a = sort_a->find(name);
    const Json* value_b = sort_b->find(name);
    return compare_sort_values(
        value_a == nullptr ? Json() : *value_a, value_b == nullptr ? Json() : *value_b,
        ascending != nullptr && ascending->is_bool() && ascending->as_bool());
  }
  return 0;
}

struct ValueCount {
  std::string spelling;
  std::uint64_t count = 0;
};

Json merged_distribution(const std::map<std::string, std::map<std::string, ValueCount>>& counts,
                         const FacetRules& rules) {
  Json distribution = Json::object();
  for (const auto& [attribute, values] : counts) {
    std::vector<ValueCount> ordered;
    for (const auto& [key, value] : values) ordered.push_back(value);
    if (by_count(rules, attribute)) {
      std::ranges::stable_sort(ordered, std::ranges::greater{}, &ValueCount::count);
    }
    if (ordered.size() > rules.limit) ordered.resize(rules.limit);
    Json::Object list;
    for (ValueCount& value : ordered)
      list.emplace_back(std::move(value.spelling), Json(value.count));
    distribution.set(attribute, Json(std::move(list)));
  }
  return distribution;
}

void widen(Json& stats, const std::string& attribute, const Json& range) {
  Json* own = stats.find(attribute);
  if (own == nullptr) {
    stats.set(attribute, range);
    return;
  }
  for (std::string_view end : {"min", "max"}) {
    const Json* value = range.find(end);
    Json* mine = own->find(end);
    if (value == nullptr || mine == nullptr || !value->is_number() || !mine->is_number()) continue;
    const bool better = end == "min" ? value->as_double() < mine->as_double()
                                     : value->as_double() > mine->as_double();
    if (better) *mine = *value;
  }
}

// The values by which the hit's document counts as the same as another.
Result<std::vector<Json>> values_of(const FederatedHit& hit, const std::string& attribute) {
  MIROIR_TRY(const Json document, parse_json(hit.text));
  std::vector<Json> values = values_at(document, attribute);
  std::ranges::move(values_at(hit.extra, attribute), std::back_inserter(values));
  return values;
}

// As a set's key: a number is no string.
std::string key_of(const Json& value) {
  return value.is_number() ? to_text(Json(value.as_double())) : '"' + value.as_string();
}

}  // namespace

bool by_count(const FacetRules& rules, const std::string& attribute) {
  const Json* order = rules.sort_by.find(attribute);
  if (order == nullptr) order = rules.sort_by.find("*");
  return order != nullptr && order->is_string() && order->as_string() == "count";
}

Result<FederatedAnswer> parse_federated(std::string_view answer) {
  MIROIR_TRY(auto fields, top_level_fields(answer));
  FederatedAnswer parsed;
  bool hits_found = false;
  for (const FieldView& field : fields) {
    if (field.key == "hits") {
      hits_found = true;
      if (field.value == "[]") continue;
      MIROIR_CHECK(for_each_document(field.value, BodyFormat::kJson,
                                     [&](std::string_view document) -> Result<void> {
                                       MIROIR_TRY(auto hit, parse_hit(document));
                                       parsed.hits.push_back(std::move(hit));
                                       return {};
                                     }));
      continue;
    }
    MIROIR_TRY(Json value, parse_json(field.value));
    if (field.key == "estimatedTotalHits" || field.key == "totalHits")
      parsed.total = unsigned_of(&value);
    if (field.key == "processingTimeMs")
      parsed.milliseconds = static_cast<std::int64_t>(unsigned_of(&value));
    if (field.key == "requestUid" && value.is_string()) parsed.request_uid = value.as_string();
    if (field.key == "semanticHitCount") parsed.semantic = value.is_integer();
    if (field.key == "facetsByIndex") parsed.facets = std::move(value);
  }
  if (!hits_found) return fail(ErrorCode::kCorrupt, "a search's answer has no `hits`");
  return parsed;
}

int compare_hits(const FederatedHit& a, const FederatedHit& b) {
  static const Json::Array kNone;
  const Json::Array& left = a.scores.is_array() ? a.scores.as_array() : kNone;
  const Json::Array& right = b.scores.is_array() ? b.scores.as_array() : kNone;
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    if (const int order = compare_elements(left[i], right[i]); order != 0) return order;
  }
  if (left.size() != right.size()) return left.size() > right.size() ? 1 : -1;
  // Without the keys that Meilisearch merges by: as near as the score alone goes.
  if (left.empty() && a.ranking_score != b.ranking_score)
    return a.ranking_score > b.ranking_score ? 1 : -1;
  if (a.query != b.query) return a.query < b.query ? 1 : -1;
  return 0;
}

std::vector<FederatedHit> merge_hits(std::vector<FederatedAnswer>& answers,
                                     const Distinct& distinct) {
  std::vector<FederatedHit> all;
  for (FederatedAnswer& answer : answers) std::ranges::move(answer.hits, std::back_inserter(all));
  std::ranges::stable_sort(
      all, [](const FederatedHit& a, const FederatedHit& b) { return compare_hits(a, b) > 0; });

  std::set<std::pair<std::int64_t, std::string>> seen;
  std::erase_if(all, [&](const FederatedHit& hit) {
    const bool shared = !distinct.everywhere.empty();
    const auto query = static_cast<std::size_t>(hit.query);
    const std::string* attribute = shared                             ? &distinct.everywhere
                                   : query < distinct.of_query.size() ? &distinct.of_query[query]
                                                                      : nullptr;
    if (attribute == nullptr || attribute->empty()) return false;
    const auto values = values_of(hit, *attribute);
    if (!values) return false;
    auto known = [&](const Json& value) {
      return std::pair(shared ? 0 : hit.query, key_of(value));
    };
    const bool again = std::ranges::any_of(
        *values, [&](const Json& value) { return seen.contains(known(value)); });
    if (!again) {
      for (const Json& value : *values) seen.insert(known(value));
    }
    return again;
  });
  return all;
}

Json merge_facets(const std::vector<Json>& facets, const FacetRules& rules) {
  std::map<std::string, std::map<std::string, ValueCount>> counts;
  Json stats = Json::object();
  for (const Json& node : facets) {
    if (const Json* distribution = node.find("distribution");
        distribution != nullptr && distribution->is_object()) {
      for (const auto& [attribute, values] : distribution->as_object()) {
        auto& merged = counts[attribute];
        if (!values.is_object()) continue;
        for (const auto& [spelling, count] : values.as_object()) {
          ValueCount& value =
              merged[rules.by_spelling ? spelling : meili::normalise_facet(spelling)];
          if (value.spelling.empty()) value.spelling = spelling;
          value.count += unsigned_of(&count);
        }
      }
    }
    if (const Json* ranges = node.find("stats"); ranges != nullptr && ranges->is_object()) {
      for (const auto& [attribute, range] : ranges->as_object()) widen(stats, attribute, range);
    }
  }
  return Json::object(
      {{"distribution", merged_distribution(counts, rules)}, {"stats", std::move(stats)}});
}

Json merge_facet_hits(const std::vector<Json>& nodes, FacetRules rules,
                      const std::string& attribute) {
  const std::size_t limit = std::exchange(rules.limit, std::numeric_limits<std::size_t>::max());
  std::vector<Json> facets;
  for (const Json& values : nodes)
    facets.push_back(Json::object({{"distribution", Json::object({{attribute, values}})}}));
  Json merged = merge_facets(facets, rules);
  Json* values = merged["distribution"].find(attribute);
  Json::Object found = values == nullptr ? Json::Object() : std::move(values->as_object());
  if (by_count(rules, attribute)) {
    std::ranges::sort(found, [](const Json::Member& a, const Json::Member& b) {
      return std::pair(a.second.as_uint64(), std::string_view(a.first)) >
             std::pair(b.second.as_uint64(), std::string_view(b.first));
    });
  }
  if (found.size() > limit) found.resize(limit);
  Json hits = Json::array();
  for (Json::Member& member : found) {
    hits.push_back(
        Json::object({{"value", std::move(member.first)}, {"count", std::move(member.second)}}));
  }
  return hits;
}

}  // namespace miroir
