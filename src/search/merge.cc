#include "search/merge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/document.h"

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

std::string folded(std::string_view value) {
  std::string out(value);
  std::ranges::transform(out, out.begin(), [](unsigned char c) {
    return static_cast<char>(c < 0x80 ? std::tolower(c) : c);
  });
  return out;
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

int compare_elements(const Json& a, const Json& b) {
  const Json* score_a = a.find("weightedScore");
  const Json* score_b = b.find("weightedScore");
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

bool by_count(const FacetRules& rules, const std::string& attribute) {
  const Json* order = rules.sort_by.find(attribute);
  if (order == nullptr) order = rules.sort_by.find("*");
  return order != nullptr && order->is_string() && order->as_string() == "count";
}

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
    Json list = Json::object();
    for (ValueCount& value : ordered) list.set(value.spelling, Json(value.count));
    distribution.set(attribute, std::move(list));
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

}  // namespace

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
                                     const std::string& distinct) {
  std::vector<FederatedHit> all;
  for (FederatedAnswer& answer : answers) std::ranges::move(answer.hits, std::back_inserter(all));
  std::ranges::stable_sort(
      all, [](const FederatedHit& a, const FederatedHit& b) { return compare_hits(a, b) > 0; });
  if (distinct.empty()) return all;

  std::set<std::string> seen;
  std::vector<FederatedHit> first;
  for (FederatedHit& hit : all) {
    const Json* value = hit.extra.find(distinct);
    if (value != nullptr && !value->is_null() && !seen.insert(folded(to_text(*value))).second)
      continue;
    first.push_back(std::move(hit));
  }
  return first;
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
          ValueCount& value = merged[folded(spelling)];
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

}  // namespace miroir
