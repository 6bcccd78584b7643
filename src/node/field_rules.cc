#include "node/field_rules.h"

#include <algorithm>

namespace miroir::node {
namespace {

// "author" covers "author.name".
bool covers(std::string_view field, std::string_view inner) {
  return inner.starts_with(field) && (inner.size() == field.size() || inner[field.size()] == '.');
}

bool flag(const Json* object, std::string_view name, bool fallback) {
  const Json* value = object == nullptr ? nullptr : object->find(name);
  return value != nullptr && value->is_bool() ? value->as_bool() : fallback;
}

std::vector<std::string> strings_of(const Json* array) {
  std::vector<std::string> strings;
  if (array == nullptr || !array->is_array()) return strings;
  for (const Json& element : array->as_array()) {
    if (element.is_string()) strings.push_back(element.as_string());
  }
  return strings;
}

}  // namespace

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

FieldRules::FieldRules(const Json& settings)
    : sortable_(strings_of(settings.find("sortableAttributes"))) {
  if (const Json* distinct = settings.find("distinctAttribute");
      distinct != nullptr && distinct->is_string()) {
    distinct_ = distinct->as_string();
  }
  for (const std::string& rule : strings_of(settings.find("rankingRules"))) {
    if (rule.ends_with(":asc") || rule.ends_with(":desc"))
      ranked_.push_back(rule.substr(0, rule.rfind(':')));
  }
  const Json* rules = settings.find("filterableAttributes");
  if (rules == nullptr || !rules->is_array()) return;
  for (const Json& rule : rules->as_array()) {
    if (rule.is_string()) {
      filterable_.push_back({.patterns = {rule.as_string()}, .plain = true, .features = {}});
      continue;
    }
    const Json* features = rule.find("features");
    const Json* filter = features == nullptr ? nullptr : features->find("filter");
    filterable_.push_back({.patterns = strings_of(rule.find("attributePatterns")),
                           .plain = false,
                           .features = {.equality = flag(filter, "equality", true),
                                        .comparison = flag(filter, "comparison", false),
                                        .facet_search = flag(features, "facetSearch", false)}});
  }
}

std::optional<FieldRules::Match> FieldRules::filterable(std::string_view field) const {
  for (std::size_t i = 0; i < filterable_.size(); ++i) {
    const Rule& rule = filterable_[i];
    const bool matches = rule.plain
                             ? covers(rule.patterns.front(), field)
                             : std::ranges::any_of(rule.patterns, [&](const std::string& pattern) {
                                 return matches_pattern(pattern, field);
                               });
    if (matches) return Match{.features = rule.features, .rule = i};
  }
  return std::nullopt;
}

bool FieldRules::sortable(std::string_view field) const {
  return std::ranges::find(sortable_, field) != sortable_.end();
}

bool FieldRules::indexed(std::string_view field) const {
  const auto asked_for = [&](std::string_view wanted) { return covers(wanted, field); };
  return filterable(field).has_value() || std::ranges::any_of(sortable_, asked_for) ||
         std::ranges::any_of(ranked_, asked_for) || (distinct_ && asked_for(*distinct_));
}

std::vector<std::string> FieldRules::filterable_patterns() const {
  std::vector<std::string> patterns;
  for (const Rule& rule : filterable_) {
    if (!rule.features.equality && !rule.features.comparison) continue;
    patterns.insert(patterns.end(), rule.patterns.begin(), rule.patterns.end());
  }
  std::ranges::sort(patterns);
  patterns.erase(std::ranges::unique(patterns).begin(), patterns.end());
  return patterns;
}

}  // namespace miroir::node
