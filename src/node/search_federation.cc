#include "node/search_federation.h"

#include <algorithm>
#include <limits>

#include "base/random.h"
#include "meili/filterable.h"
#include "meili/settings_check.h"
#include "node/facet.h"
#include "node/search.h"
#include "node/search_fields.h"

namespace miroir::node {
namespace {

using meili::ApiError;

int sign(bool first, bool second) { return first ? -1 : second ? 1 : 0; }

int compare_sorted(const Json& a, const Json& b, bool ascending) {
  const auto kind = [](const Json& value) {
    return value.is_number() ? 0 : value.is_string() ? 1 : 2;
  };
  if (kind(a) != kind(b)) return kind(a) < kind(b) ? -1 : 1;
  int order = 0;
  if (a.is_number()) {
    order = sign(a.as_double() < b.as_double(), b.as_double() < a.as_double());
  } else if (a.is_string()) {
    order = sign(a.as_string() < b.as_string(), b.as_string() < a.as_string());
  }
  return ascending ? order : -order;
}

int compare_values(const RankValue& a, double weight_a, const RankValue& b, double weight_b) {
  const auto* score_a = std::get_if<double>(&a.value);
  const auto* score_b = std::get_if<double>(&b.value);
  if (score_a != nullptr && score_b != nullptr) {
    const double difference = *score_a * weight_a - *score_b * weight_b;
    constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
    return sign(difference > kEpsilon, difference < -kEpsilon);
  }
  if (score_a != nullptr || score_b != nullptr) return sign(score_a != nullptr, true);
  return compare_sorted(std::get<Json>(a.value), std::get<Json>(b.value), a.rule->ascending);
}

Json keys_json(const RankedDocument& ranked, double weight) {
  Json keys = Json::array();
  for (const RankValue& value : ranked.values) {
    if (const auto* score = std::get_if<double>(&value.value)) {
      keys.push_back(Json::object({{"weightedScore", *score * weight}}));
      continue;
    }
    const SortRule& rule = *value.rule;
    Json sorted = Json::object({{"asc", rule.ascending}, {"value", std::get<Json>(value.value)}});
    keys.push_back(Json::object({{rule.geo ? "geoSort" : "sort", std::move(sorted)}}));
  }
  return keys;
}

// One query's part, and what its documents are shown with.
struct Part {
  const FederatedQuery* query;
  const Index* index;
  SearchRequest request;
  std::unique_ptr<Search> search;
  SearchResult result;
};

struct Entry {
  std::size_t part;
  const RankedDocument* ranked;
};

class Merge {
 public:
  Merge(Engine& engine, const Snapshot& snapshot, const Federation& federation)
      : engine_(engine), snapshot_(snapshot), federation_(federation) {}

  std::expected<void, ApiError> search(const std::vector<FederatedQuery>& queries) {
    window();
    for (std::size_t i = 0; i < queries.size(); ++i) {
      if (auto added = add(queries[i]); !added) {
        ApiError error = std::move(added.error());
        if (error.code == "index_not_found") error.status = 400;
        error.message = "Inside `.queries[" + std::to_string(i) + "]`: " + error.message;
        return std::unexpected(std::move(error));
      }
    }
    order();
    return {};
  }

  std::expected<Json, ApiError> hits() const {
    Json hits = Json::array();
    const std::size_t end = std::min(entries_.size(), static_cast<std::size_t>(first_ + count_));
    for (auto i = static_cast<std::size_t>(first_); i < end; ++i) {
      auto hit = shown(entries_[i]);
      if (!hit) return hit;
      hits.push_back(std::move(*hit));
    }
    return hits;
  }

  // Counted once in each index, whichever query finds it.
  std::size_t total() const {
    std::size_t total = 0;
    for (const auto& [index, documents] : found_) total += documents.size();
    return total - std::min(total, hidden_);
  }

  std::expected<std::map<std::string, Facets>, ApiError> facets() const {
    std::map<std::string, Facets> by_index;
    for (const auto& [uid, names] : federation_.facets_by_index) {
      const auto index = snapshot_.index(uid);
      if (!index) {
        ApiError error = index.error();
        error.status = 400;
        error.message = "Inside `.federation.facetsByIndex." + uid + "`: " + error.message;
        return std::unexpected(std::move(error));
      }
      const auto fields = facet_fields(names, **index);
      if (!fields) {
        return std::unexpected(meili::api_error(
            "invalid_multi_search_facets",
            "Inside `.federation.facetsByIndex." + uid + "`: " + fields.error().message));
      }
      const auto found = found_.find(*index);
      by_index[uid] =
          count_facets(**index, *fields, found == found_.end() ? DocumentSet() : found->second);
    }
    return by_index;
  }

 private:
  void window() {
    first_ = federation_.offset;
    count_ = federation_.limit;
    if (!federation_.paged()) return;
    const std::uint64_t page = federation_.page.value_or(1);
    const std::uint64_t per_page = federation_.hits_per_page.value_or(20);
    first_ = page == 0 ? 0 : (page - 1) * per_page;
    count_ = page == 0 ? 0 : per_page;
  }

  std::expected<void, ApiError> add(const FederatedQuery& query) {
    const auto index = snapshot_.index(query.index_uid);
    if (!index) return std::unexpected(index.error());
    auto part = std::make_unique<Part>();
    part->query = &query;
    part->index = *index;
    part->request = query.request;
    // The distinct attribute of the whole is applied to the merged list.
    if (federation_.distinct) {
      if (!part->index->rules.filterable(*federation_.distinct)) {
        return std::unexpected(meili::api_error(
            "invalid_search_distinct",
            "Index `" + query.index_uid + "`: Attribute `" + *federation_.distinct +
                "` is not filterable and thus, cannot be used as distinct attribute."));
      }
      part->request.distinct.reset();
    }
    part->search = std::make_unique<Search>(engine_, snapshot_, **index, part->request, query.rule);
    const std::size_t wanted = federation_.distinct ? (*index)->documents.size()
                                                    : static_cast<std::size_t>(first_ + count_);
    auto result = part->search->run(wanted, federation_.paged());
    if (!result) return std::unexpected(std::move(result.error()));
    part->result = std::move(*result);
    found_[part->index] |= part->result.candidates;
    hidden_ += part->result.hidden;
    parts_.push_back(std::move(part));
    return {};
  }

  void order() {
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      for (const RankedDocument& ranked : parts_[i]->result.ranked)
        entries_.push_back({i, &ranked});
    }
    std::ranges::stable_sort(entries_, [&](const Entry& a, const Entry& b) {
      return compare_keys(a.ranked->values, parts_[a.part]->query->weight, b.ranked->values,
                          parts_[b.part]->query->weight) < 0;
    });
    std::map<const Index*, DocumentSet> seen;
    std::erase_if(entries_, [&](const Entry& entry) {
      DocumentSet& taken = seen[parts_[entry.part]->index];
      const bool again = taken.contains(entry.ranked->number);
      taken.insert(entry.ranked->number);
      return again;
    });
    if (federation_.distinct) keep_first_of_each();
  }

  // Leaves out later documents with a value that an earlier one has, and counts them as long as
  // the page is not full.
  void keep_first_of_each() {
    std::map<std::string, bool> taken;
    std::vector<Entry> kept;
    const std::size_t wanted =
        federation_.paged() ? entries_.size() : static_cast<std::size_t>(first_ + count_);
    std::map<std::string, std::size_t> sizes;
    for (const Entry& entry : entries_) {
      for (const std::string& key : distinct_keys(entry)) ++sizes[key];
    }
    for (const Entry& entry : entries_) {
      if (kept.size() >= wanted) break;
      const std::vector<std::string> keys = distinct_keys(entry);
      if (std::ranges::any_of(keys, [&](const std::string& key) { return taken[key]; })) continue;
      for (const std::string& key : keys) {
        taken[key] = true;
        hidden_ += sizes[key] - 1;
      }
      kept.push_back(entry);
    }
    entries_ = std::move(kept);
  }

  std::vector<std::string> distinct_keys(const Entry& entry) {
    const Index* index = parts_[entry.part]->index;
    auto known = values_.find(index);
    if (known == values_.end()) {
      known =
          values_.emplace(index, std::vector<std::vector<std::string>>(index->number_end)).first;
      if (const Column* column = index->column(*federation_.distinct)) {
        for (const auto& [number, documents] : column->numbers) {
          for (const DocumentNumber document : documents)
            known->second[document].push_back("n" + to_text(Json(number)));
        }
        for (const auto& [key, value] : column->strings) {
          for (const DocumentNumber document : value.documents)
            known->second[document].push_back("s" + key);
        }
      }
    }
    return known->second[entry.ranked->number];
  }

  std::expected<Json, ApiError> shown(const Entry& entry) const {
    const Part& part = *parts_[entry.part];
    auto hit = part.search->hit(part.result, *entry.ranked);
    if (!hit) return hit;
    const double weight = part.query->weight;
    Json about = Json::object({{"indexUid", part.query->index_uid},
                               {"queriesPosition", std::uint64_t{entry.part}},
                               {"weightedRankingScore", entry.ranked->score * weight}});
    if (federation_.shows_keys) {
      about.set("weightedScoreValues", keys_json(*entry.ranked, weight));
      auto extra = extra_document(part, entry.ranked->number);
      if (!extra) return extra;
      about.set("extra_document", std::move(*extra));
    }
    hit->set("_federation", std::move(about));
    return hit;
  }

  // What whoever merges further needs and the hit does not show.
  std::expected<Json, ApiError> extra_document(const Part& part, DocumentNumber number) const {
    if (!federation_.distinct || shows(part, *federation_.distinct)) return Json::object();
    const auto text = snapshot_.document(*part.index, number);
    if (!text) return std::unexpected(meili::api_error("internal", text.error().message));
    const auto document = parse_json(*text);
    if (!document) return std::unexpected(meili::api_error("internal", document.error().message));
    return selected_fields(*document, {*federation_.distinct});
  }

  static bool shows(const Part& part, const std::string& field) {
    const auto lists = [&](const std::vector<std::string>& names) {
      return std::ranges::any_of(names,
                                 [&](const auto& name) { return name == "*" || name == field; });
    };
    const auto& retrieved = part.request.attributes_to_retrieve;
    const Json* displayed = part.index->settings.find("displayedAttributes");
    return (displayed == nullptr || !displayed->is_array() ||
            lists(meili::strings_of(displayed))) &&
           (!retrieved || lists(*retrieved));
  }

  Engine& engine_;
  const Snapshot& snapshot_;
  const Federation& federation_;
  std::uint64_t first_ = 0;
  std::uint64_t count_ = 0;
  std::vector<std::unique_ptr<Part>> parts_;
  std::vector<Entry> entries_;
  std::map<const Index*, DocumentSet> found_;
  std::map<const Index*, std::vector<std::vector<std::string>>> values_;  // of `distinct`
  std::size_t hidden_ = 0;
};

Facets merged(const std::map<std::string, Facets>& by_index,
              const std::optional<std::uint64_t>& values_max) {
  Facets all;
  for (const auto& [uid, facets] : by_index) {
    for (const auto& [field, counts] : facets) {
      FacetCounts& sum = all[field];
      for (const FacetValue& value : counts.values) {
        const auto same = std::ranges::find(sum.values, value.text, &FacetValue::text);
        if (same != sum.values.end()) {
          same->count += value.count;
        } else {
          sum.values.push_back(value);
        }
      }
      if (!counts.range) continue;
      if (!sum.range) sum.range = counts.range;
      sum.range->first = std::min(sum.range->first, counts.range->first);
      sum.range->second = std::max(sum.range->second, counts.range->second);
    }
  }
  for (auto& [field, counts] : all) {
    std::ranges::sort(counts.values, {}, &FacetValue::text);
    const std::size_t max = static_cast<std::size_t>(values_max.value_or(100));
    if (counts.values.size() > max) counts.values.resize(max);
  }
  return all;
}

void show_facets(Json& answer, const Federation& federation,
                 const std::map<std::string, Facets>& by_index) {
  if (federation.merges_facets) {
    const Facets all = merged(by_index, federation.merged_values_max);
    answer.set("facetDistribution", facet_distribution(all));
    answer.set("facetStats", facet_stats(all));
  } else if (!by_index.empty()) {
    Json shown = Json::object();
    for (const auto& [uid, facets] : by_index) {
      shown.set(uid, Json::object({{"distribution", facet_distribution(facets)},
                                   {"stats", facet_stats(facets)}}));
    }
    answer.set("facetsByIndex", std::move(shown));
  }
}

std::expected<void, ApiError> read_facets(const Json& options, Federation& federation) {
  if (const Json* by_index = options.find("facetsByIndex");
      by_index != nullptr && !by_index->is_null()) {
    const meili::Place place{".federation.facetsByIndex", "invalid_multi_search_facets_by_index"};
    if (!by_index->is_object())
      return std::unexpected(meili::expected_type(*by_index, "an object", place));
    for (const auto& [uid, names] : by_index->as_object()) {
      if (names.is_null()) continue;
      const auto checked = meili::check_texts(names, place.at(uid));
      if (!checked) return std::unexpected(checked.error());
      for (const Json& name : checked->as_array())
        federation.facets_by_index[uid].push_back(name.as_string());
    }
  }
  const Json* merge = options.find("mergeFacets");
  if (merge == nullptr || merge->is_null()) return {};
  const meili::Place place{".federation.mergeFacets", "invalid_multi_search_merge_facets"};
  if (!merge->is_object()) return std::unexpected(meili::expected_type(*merge, "an object", place));
  federation.merges_facets = true;
  if (const Json* max = merge->find("maxValuesPerFacet"); max != nullptr && !max->is_null()) {
    const auto checked = meili::check_count(
        *max, {place.path + ".maxValuesPerFacet", "invalid_multi_search_max_values_per_facet"});
    if (!checked) return std::unexpected(checked.error());
    federation.merged_values_max = checked->as_uint64();
  }
  return {};
}

}  // namespace

int compare_keys(const std::vector<RankValue>& a, double weight_a, const std::vector<RankValue>& b,
                 double weight_b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (const int order = compare_values(a[i], weight_a, b[i], weight_b); order != 0) return order;
  }
  return sign(a.size() > b.size(), b.size() > a.size());
}

std::expected<Federation, ApiError> parse_federation(const Json& options) {
  if (!options.is_object()) {
    return std::unexpected(meili::expected_type(
        options, "an object", {".federation", "invalid_multi_search_federation"}));
  }
  for (const auto& [name, value] : options.as_object()) {
    static constexpr std::string_view kKnown[] = {
        "limit",         "offset",      "page",     "hitsPerPage",
        "facetsByIndex", "mergeFacets", "distinct", "showPerformanceDetails"};
    if (std::ranges::find(kKnown, name) == std::end(kKnown)) {
      return std::unexpected(
          meili::api_error("bad_request", "Unknown field `" + name + "` inside `.federation`"));
    }
  }
  Federation federation;
  const auto count = [&](std::string_view name, std::string_view code,
                         auto& into) -> std::expected<void, ApiError> {
    const Json* value = options.find(name);
    if (value == nullptr || value->is_null()) return {};
    const auto checked = meili::check_count(*value, {".federation." + std::string(name), code});
    if (!checked) return std::unexpected(checked.error());
    into = checked->as_uint64();
    return {};
  };
  MIROIR_CHECK(count("limit", "invalid_multi_search_limit", federation.limit));
  MIROIR_CHECK(count("offset", "invalid_multi_search_offset", federation.offset));
  MIROIR_CHECK(count("page", "invalid_multi_search_page", federation.page));
  MIROIR_CHECK(
      count("hitsPerPage", "invalid_multi_search_hits_per_page", federation.hits_per_page));
  MIROIR_CHECK(read_facets(options, federation));
  if (const Json* distinct = options.find("distinct");
      distinct != nullptr && !distinct->is_null()) {
    const auto checked =
        meili::check_text(*distinct, {".federation.distinct", "invalid_multi_search_distinct"});
    if (!checked) return std::unexpected(checked.error());
    federation.distinct = checked->as_string();
  }
  return federation;
}

std::expected<Json, ApiError> federate(Engine& engine, const Federation& federation,
                                       const std::vector<FederatedQuery>& queries) {
  const Instant start = engine.clock().now();
  const auto snapshot = engine.snapshot();
  Merge merge(engine, *snapshot, federation);
  MIROIR_CHECK(merge.search(queries));
  MIROIR_TRY(const auto facets, merge.facets());
  MIROIR_TRY(Json hits, merge.hits());
  Json answer = Json::object({{"hits", std::move(hits)}});
  const auto elapsed = std::chrono::duration_cast<Milliseconds>(engine.clock().now() - start);
  answer.set("processingTimeMs", std::int64_t{elapsed.count()});
  const std::uint64_t total = merge.total();
  if (federation.paged()) {
    const std::uint64_t per_page = federation.hits_per_page.value_or(20);
    answer.set("hitsPerPage", per_page);
    answer.set("page", federation.page.value_or(1));
    answer.set("totalPages", per_page == 0 ? 0 : (total + per_page - 1) / per_page);
    answer.set("totalHits", total);
  } else {
    answer.set("limit", federation.limit);
    answer.set("offset", federation.offset);
    answer.set("estimatedTotalHits", total);
  }
  show_facets(answer, federation, facets);
  answer.set("requestUid", Random::from_system().uuid_v4());
  return answer;
}

}  // namespace miroir::node
