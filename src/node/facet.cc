#include "node/facet.h"

#include <algorithm>

#include "meili/facet_value.h"
#include "meili/filterable.h"

namespace miroir::node {
namespace {

// Up to here numbers are listed as the texts that they are shown as; as Meilisearch.
constexpr std::size_t kTextOrderMax = 3000;

struct Rules {
  std::size_t values_max = 100;
  const Json* orders = nullptr;
  bool by_count(std::string_view field) const {
    if (orders == nullptr) return false;
    const Json* order = orders->find(field);
    if (order == nullptr) order = orders->find("*");
    return order != nullptr && *order == Json("count");
  }
};

Rules rules_of(const Index& index) {
  Rules rules;
  const Json* faceting = index.settings.find("faceting");
  if (faceting == nullptr) return rules;
  if (const Json* max = faceting->find("maxValuesPerFacet"))
    rules.values_max = static_cast<std::size_t>(max->as_uint64());
  rules.orders = faceting->find("sortFacetValuesBy");
  return rules;
}

// Counts postings among candidates; where all documents are candidates nothing is looked at.
class Counter {
 public:
  Counter(const Index& index, const DocumentSet& candidates)
      : candidates_(candidates), size_(candidates.size()), all_(size_ == index.documents.size()) {}
  std::uint64_t count(const Postings& documents) const {
    if (all_) return documents.size();
    return static_cast<std::uint64_t>(std::ranges::count_if(
        documents, [&](DocumentNumber number) { return candidates_.contains(number); }));
  }
  std::size_t size() const { return size_; }

 private:
  const DocumentSet& candidates_;
  std::size_t size_;
  bool all_;
};

void cut(std::vector<FacetValue>& values, bool by_count, std::size_t values_max) {
  if (by_count) std::ranges::stable_sort(values, std::ranges::greater(), &FacetValue::count);
  if (values.size() > values_max) values.resize(values_max);
}

FacetCounts count_column(const Column& column, const Counter& counter, bool by_count,
                         std::size_t values_max) {
  FacetCounts counts;
  for (const auto& [number, documents] : column.numbers) {
    const std::uint64_t count = counter.count(documents);
    if (count == 0) continue;
    counts.values.push_back({meili::number_text(number), count});
    if (!counts.range) counts.range = {number, number};
    counts.range->second = number;
  }
  if (counter.size() <= kTextOrderMax) std::ranges::sort(counts.values, {}, &FacetValue::text);
  for (const auto& [key, value] : column.strings) {
    if (!by_count && counts.values.size() >= values_max) break;
    if (const std::uint64_t count = counter.count(value.documents); count > 0)
      counts.values.push_back({value.spelling, count});
  }
  cut(counts.values, by_count, values_max);
  return counts;
}

bool asks_for(std::string_view name, std::string_view field) {
  return name.contains('*') ? meili::matches_pattern(name, field) : meili::covers(name, field);
}

// A pattern may be asked for where a rule is one too.
bool may_ask(const std::string& name, const Index& index) {
  if (index.rules.filterable(name)) return true;
  if (!name.contains('*')) return false;
  const Json* rules = index.settings.find("filterableAttributes");
  return std::ranges::any_of(rules->as_array(), [](const Json& rule) { return rule.is_object(); });
}

std::string names_of(const Index& index) {
  std::string names;
  for (const std::string& pattern : index.rules.filterable_patterns())
    names += (names.empty() ? "" : ", ") + pattern;
  return names;
}

}  // namespace

std::expected<std::vector<std::string>, meili::ApiError> facet_fields(
    const std::vector<std::string>& names, const Index& index) {
  std::vector<std::string> fields;
  for (const std::string& name : names) {
    if (!may_ask(name, index)) {
      const std::string known = names_of(index);
      return std::unexpected(meili::api_error(
          "invalid_search_facets",
          "Invalid facet distribution: Pattern `" + name + "` is not filterable. " +
              (known.empty() ? "This index does not have configured filterable attributes."
                             : "Available filterable attributes patterns are: `" + known + "`.")));
    }
    if (index.field_order.contains(name)) fields.push_back(name);
    for (const auto& [field, column] : index.columns) {
      if (asks_for(name, field) && index.rules.filterable(field)) fields.push_back(field);
    }
  }
  std::ranges::sort(fields);
  fields.erase(std::ranges::unique(fields).begin(), fields.end());
  return fields;
}

Facets count_facets(const Index& index, const std::vector<std::string>& fields,
                    const DocumentSet& candidates) {
  const Rules rules = rules_of(index);
  const Counter counter(index, candidates);
  Facets facets;
  for (const std::string& field : fields) {
    FacetCounts& counts = facets[field];
    if (const Column* column = index.column(field))
      counts = count_column(*column, counter, rules.by_count(field), rules.values_max);
  }
  return facets;
}

Json facet_distribution(const Facets& facets) {
  Json distribution = Json::object();
  for (const auto& [field, counts] : facets) {
    Json::Object values;
    for (const FacetValue& value : counts.values) values.emplace_back(value.text, value.count);
    distribution.set(field, Json(std::move(values)));
  }
  return distribution;
}

Json facet_stats(const Facets& facets) {
  Json stats = Json::object();
  for (const auto& [field, counts] : facets) {
    if (!counts.range) continue;
    stats.set(field, Json::object({{"min", counts.range->first}, {"max", counts.range->second}}));
  }
  return stats;
}

std::vector<FacetValue> find_facet_values(const Index& index, const std::string& field,
                                          const std::optional<std::string>& query,
                                          const DocumentSet& candidates) {
  std::vector<FacetValue> values;
  const Column* column = index.column(field);
  if (column == nullptr) return values;
  const Rules rules = rules_of(index);
  const Counter counter(index, candidates);
  const std::string start = query ? meili::normalise_facet(*query) : "";
  for (auto at = column->strings.lower_bound(start);
       at != column->strings.end() && at->first.starts_with(start); ++at) {
    if (const std::uint64_t count = counter.count(at->second.documents); count > 0)
      values.push_back({at->second.spelling, count});
  }
  cut(values, rules.by_count(field), rules.values_max);
  return values;
}

}  // namespace miroir::node
