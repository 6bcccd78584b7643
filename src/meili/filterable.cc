#include "meili/filterable.h"

#include <algorithm>

namespace miroir::meili {
namespace {

bool flag(const Json* object, std::string_view name, bool fallback) {
  const Json* value = object == nullptr ? nullptr : object->find(name);
  return value != nullptr && value->is_bool() ? value->as_bool() : fallback;
}

}  // namespace

bool covers(std::string_view field, std::string_view inner) {
  return inner.starts_with(field) && (inner.size() == field.size() || inner[field.size()] == '.');
}

std::vector<std::string> strings_of(const Json* array) {
  std::vector<std::string> strings;
  if (array == nullptr || !array->is_array()) return strings;
  for (const Json& element : array->as_array()) {
    if (element.is_string()) strings.push_back(element.as_string());
  }
  return strings;
}

bool matches_pattern(std::string_view pattern, std::string_view field) {
  if (pattern == "*") return true;
  const bool open_start = pattern.starts_with('*');
  const bool open_end = pattern.ends_with('*');
  if (open_start) pattern.remove_prefix(1);
  if (open_end && !pattern.empty()) pattern.remove_suffix(1);
  if (open_start && open_end) return field.find(pattern) != std::string_view::npos;
  if (open_start) return field.ends_with(pattern);
  if (open_end) return field.starts_with(pattern);
  return field == pattern;
}

FilterableRules::FilterableRules(const Json* rules) {
  if (rules == nullptr || !rules->is_array()) return;
  for (const Json& rule : rules->as_array()) {
    if (rule.is_string()) {
      rules_.push_back({.patterns = {rule.as_string()}, .plain = true, .features = {}});
      continue;
    }
    const Json* features = rule.find("features");
    const Json* filter = features == nullptr ? nullptr : features->find("filter");
    rules_.push_back({.patterns = strings_of(rule.find("attributePatterns")),
                      .plain = false,
                      .features = {.equality = flag(filter, "equality", true),
                                   .comparison = flag(filter, "comparison", false),
                                   .facet_search = flag(features, "facetSearch", false)}});
  }
}

std::optional<FilterableRules::Match> FilterableRules::find(std::string_view field) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const Rule& rule = rules_[i];
    const bool matches = rule.plain
                             ? covers(rule.patterns.front(), field)
                             : std::ranges::any_of(rule.patterns, [&](const std::string& pattern) {
                                 return matches_pattern(pattern, field);
                               });
    if (matches) return Match{.features = rule.features, .rule = i};
  }
  return std::nullopt;
}

std::vector<std::string> FilterableRules::patterns() const {
  std::vector<std::string> patterns;
  for (const Rule& rule : rules_) {
    if (!rule.features.filterable()) continue;
    patterns.insert(patterns.end(), rule.patterns.begin(), rule.patterns.end());
  }
  std::ranges::sort(patterns);
  patterns.erase(std::ranges::unique(patterns).begin(), patterns.end());
  return patterns;
}

}  // namespace miroir::meili
