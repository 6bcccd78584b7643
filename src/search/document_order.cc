#include "search/document_order.h"

#include <charconv>
#include <cmath>
#include <numbers>

#include "base/document.h"
#include "search/merge.h"

namespace miroir {
namespace {

constexpr std::string_view kGeoField = "_geo";
constexpr std::string_view kGeoPoint = "_geoPoint(";

std::optional<double> number_in(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

double coordinate(const Json& geo, std::string_view name) {
  const Json* value = geo.find(name);
  if (value == nullptr) return 0;
  if (value->is_number()) return value->as_double();
  return value->is_string() ? number_in(value->as_string()).value_or(0) : 0;
}

// The square of half the chord between two points on the unit sphere: rises with the distance.
double half_chord(double latitude_a, double longitude_a, double latitude_b, double longitude_b) {
  constexpr double kRadian = std::numbers::pi / 180;
  const double by_latitude = std::sin((latitude_b - latitude_a) * kRadian / 2);
  const double by_longitude = std::sin((longitude_b - longitude_a) * kRadian / 2);
  return by_latitude * by_latitude + std::cos(latitude_a * kRadian) *
                                         std::cos(latitude_b * kRadian) * by_longitude *
                                         by_longitude;
}

}  // namespace

std::optional<DocumentOrder::Rule> DocumentOrder::parse_rule(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Rule rule;
  rule.ascending = text.substr(colon + 1) == "asc";
  if (!rule.ascending && text.substr(colon + 1) != "desc") return std::nullopt;
  const std::string_view field = text.substr(0, colon);
  rule.field = field;
  if (!field.starts_with(kGeoPoint)) return rule;

  const std::string_view inside =
      field.substr(kGeoPoint.size(), field.size() - kGeoPoint.size() - 1);
  const std::size_t comma = inside.find(',');
  if (!field.ends_with(')') || comma == std::string_view::npos) return std::nullopt;
  const auto latitude = number_in(inside.substr(0, comma));
  const auto longitude = number_in(inside.substr(comma + 1));
  if (!latitude || !longitude) return std::nullopt;
  rule.field = kGeoField;
  rule.from = Point{*latitude, *longitude};
  return rule;
}

DocumentOrder DocumentOrder::parse(const Json* sort) {
  DocumentOrder order;
  if (sort == nullptr || !sort->is_array()) return order;
  for (const Json& each : sort->as_array()) {
    auto rule = each.is_string() ? parse_rule(each.as_string()) : std::nullopt;
    if (!rule) return {};
    order.rules_.push_back(std::move(*rule));
  }
  return order;
}

std::vector<std::string> DocumentOrder::fields() const {
  std::vector<std::string> fields;
  for (const Rule& rule : rules_) fields.push_back(rule.field);
  return fields;
}

Json DocumentOrder::value_of(const Rule& rule, const Json& document) {
  if (rule.from) {
    const Json* geo = document.find(kGeoField);
    if (geo == nullptr || !geo->is_object()) return {};
    return half_chord(rule.from->latitude, rule.from->longitude, coordinate(*geo, "lat"),
                      coordinate(*geo, "lng"));
  }
  Json first;
  for (Json& value : values_at(document, rule.field)) {
    if (compare_sort_values(value, first, rule.ascending) > 0) first = std::move(value);
  }
  return first;
}

Result<DocumentOrder::Place> DocumentOrder::place_of(std::string_view document) const {
  MIROIR_TRY(const Json parsed, parse_json(document));
  Place place;
  for (const Rule& rule : rules_) place.push_back(value_of(rule, parsed));
  return place;
}

int DocumentOrder::compare(const Place& a, const Place& b) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (const int order = compare_sort_values(b[i], a[i], rules_[i].ascending); order != 0)
      return order;
  }
  return 0;
}

}  // namespace miroir
