#include "node/filter_evaluation.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "meili/facet_value.h"
#include "node/geo_distance.h"

namespace miroir::node {
namespace {

using meili::ApiError;
using meili::Filter;
using meili::FilterOperator;
using Matches = std::expected<DocumentSet, ApiError>;

bool is_comparison(FilterOperator operation) {
  return operation == FilterOperator::kGreater || operation == FilterOperator::kGreaterOrEqual ||
         operation == FilterOperator::kLower || operation == FilterOperator::kLowerOrEqual ||
         operation == FilterOperator::kBetween;
}

bool needs_equality(FilterOperator operation) {
  return operation == FilterOperator::kEqual || operation == FilterOperator::kNotEqual ||
         operation == FilterOperator::kIn || operation == FilterOperator::kExists ||
         operation == FilterOperator::kIsNull || operation == FilterOperator::kIsEmpty;
}

ApiError operator_not_allowed(const Filter& condition, const FieldRules::Match& match) {
  std::string allowed = "OR, AND, NOT";
  if (match.features.equality) allowed += ", =, !=, IN";
  if (match.features.comparison) allowed += ", <, >, <=, >=, TO";
  if (match.features.equality) allowed += ", IS EMPTY, IS NULL, EXISTS";
  const std::string rule = "rule #" + std::to_string(match.rule);
  const std::string field = "`" + condition.field.text + "`";
  const std::string wanted = is_comparison(condition.operation) ? "comparison" : "equality";
  return meili::api_error(
      "invalid_search_filter",
      "Filter operator `" + condition.keyword.text + "` is not allowed for the attribute " + field +
          ".\n  - Note: allowed operators: " + allowed + ".\n  - Note: field " + field +
          " matched " + rule + " in `filterableAttributes`\n  - Hint: enable " + wanted + " in " +
          rule +
          " by modifying the features.filter object\n  - Hint: prepend another rule "
          "matching " +
          field + " with appropriate filter features before " + rule);
}

void insert_all(DocumentSet& set, const Postings& documents) {
  for (const DocumentNumber document : documents) set.insert(document);
}

// Evaluates against one index. Conditions were checked to be allowed before.
class Evaluator {
 public:
  Evaluator(const Index& index, bool contains_enabled, std::string_view error_code)
      : index_(index), contains_enabled_(contains_enabled), error_code_(error_code) {}

  std::optional<ApiError> check(const Filter& filter) const {
    for (const Filter& child : filter.children) {
      if (auto error = check(child)) return error;
    }
    if (filter.kind != Filter::Kind::kCondition) return std::nullopt;
    if (filter.operation == FilterOperator::kGeoRadius ||
        filter.operation == FilterOperator::kGeoBoundingBox) {
      const bool geographic = index_.rules.filterable("_geo").has_value();
      return geographic ? std::nullopt
                        : std::optional(not_filterable(filter.values.front(), "_geo/_geojson"));
    }
    if (filter.operation == FilterOperator::kContains && !contains_enabled_) {
      return meili::api_error(
          "feature_not_enabled",
          meili::message_at(
              filter.keyword,
              "Using `CONTAINS` in a filter requires enabling the `contains filter` experimental "
              "feature. See https://github.com/orgs/meilisearch/discussions/763"));
    }
    const auto match = index_.rules.filterable(filter.field.text);
    if (!match || (!match->features.equality && !match->features.comparison)) {
      return not_filterable(filter.field, filter.field.text);
    }
    if ((is_comparison(filter.operation) && !match->features.comparison) ||
        (needs_equality(filter.operation) && !match->features.equality)) {
      return operator_not_allowed(filter, *match);
    }
    return std::nullopt;
  }

  Matches evaluate(const Filter& filter) const {
    switch (filter.kind) {
      case Filter::Kind::kAll:
        return index_.documents;
      case Filter::Kind::kNot: {
        const Matches inner = evaluate(filter.children.front());
        if (!inner) return inner;
        DocumentSet others = index_.documents;
        return others -= *inner;
      }
      case Filter::Kind::kCondition:
        return condition(filter);
      default:
        return combination(filter);
    }
  }

 private:
  Matches combination(const Filter& filter) const {
    Matches result = evaluate(filter.children.front());
    for (std::size_t i = 1; i < filter.children.size() && result; ++i) {
      const Matches next = evaluate(filter.children[i]);
      if (!next) return next;
      filter.kind == Filter::Kind::kAnd ? * result &= * next : * result |= *next;
    }
    return result;
  }

  Matches condition(const Filter& filter) const {
    if (filter.operation == FilterOperator::kGeoRadius) return geo_radius(filter);
    if (filter.operation == FilterOperator::kGeoBoundingBox) return geo_bounding_box(filter);
    static const Column kNothing;
    const Column* found = index_.column(filter.field.text);
    const Column& column = found == nullptr ? kNothing : *found;
    DocumentSet result;
    switch (filter.operation) {
      case FilterOperator::kExists:
        return column.exists;
      case FilterOperator::kIsNull:
        return column.null;
      case FilterOperator::kIsEmpty:
        return column.empty;
      case FilterOperator::kEqual:
      case FilterOperator::kIn:
        for (const meili::FilterWord& value : filter.values) insert_equal(result, column, value);
        return result;
      case FilterOperator::kNotEqual:
        insert_equal(result, column, filter.values.front());
        return DocumentSet(index_.documents) -= result;
      case FilterOperator::kContains:
        insert_containing(result, column, meili::normalise_facet(filter.values.front().text));
        return result;
      case FilterOperator::kStartsWith:
        return starting_with(column, meili::normalise_facet(filter.values.front().text));
      default:
        insert_range(result, column, filter);
        return result;
    }
  }

  static void insert_equal(DocumentSet& result, const Column& column,
                           const meili::FilterWord& value) {
    if (const auto found = column.strings.find(meili::normalise_facet(value.text));
        found != column.strings.end()) {
      insert_all(result, found->second.documents);
    }
    if (const auto number = value.number()) {
      if (const auto found = column.numbers.find(*number); found != column.numbers.end()) {
        insert_all(result, found->second);
      }
    }
  }

  static void insert_containing(DocumentSet& result, const Column& column,
                                const std::string& part) {
    for (const auto& [key, value] : column.strings) {
      if (key.find(part) != std::string::npos) insert_all(result, value.documents);
    }
  }

  static DocumentSet starting_with(const Column& column, const std::string& prefix) {
    if (prefix.empty()) return column.exists;
    DocumentSet result;
    for (auto at = column.strings.lower_bound(prefix);
         at != column.strings.end() && at->first.starts_with(prefix); ++at) {
      insert_all(result, at->second.documents);
    }
    return result;
  }

  // Numbers are compared where all bounds are numbers, strings always.
  static void insert_range(DocumentSet& result, const Column& column, const Filter& filter) {
    const bool between = filter.operation == FilterOperator::kBetween;
    const bool from_below = filter.operation == FilterOperator::kLower ||
                            filter.operation == FilterOperator::kLowerOrEqual;
    const meili::FilterWord* lowest = from_below ? nullptr : &filter.values.front();
    const meili::FilterWord* highest = between || from_below ? &filter.values.back() : nullptr;
    const bool without_lowest = filter.operation == FilterOperator::kGreater;
    const bool without_highest = filter.operation == FilterOperator::kLower;
    const auto walk = [&](const auto& values, const auto* low, const auto* high,
                          const auto& documents_of) {
      auto at = low == nullptr   ? values.begin()
                : without_lowest ? values.upper_bound(*low)
                                 : values.lower_bound(*low);
      for (; at != values.end(); ++at) {
        if (high != nullptr && (*high < at->first || (without_highest && !(at->first < *high))))
          break;
        insert_all(result, documents_of(at->second));
      }
    };

    const auto low_number = lowest == nullptr ? std::nullopt : lowest->number();
    const auto high_number = highest == nullptr ? std::nullopt : highest->number();
    if ((lowest == nullptr || low_number) && (highest == nullptr || high_number)) {
      walk(column.numbers, low_number ? &*low_number : nullptr,
           high_number ? &*high_number : nullptr,
           [](const Postings& documents) -> const Postings& { return documents; });
    }
    const std::string low_text = lowest == nullptr ? "" : meili::normalise_facet(lowest->text);
    const std::string high_text = highest == nullptr ? "" : meili::normalise_facet(highest->text);
    walk(column.strings, lowest == nullptr ? nullptr : &low_text,
         highest == nullptr ? nullptr : &high_text,
         [](const StringValue& value) -> const Postings& { return value.documents; });
  }

  std::optional<ApiError> check_point(const meili::FilterWord& latitude,
                                      const meili::FilterWord& longitude) const {
    const double lat = latitude.number().value_or(0);
    const double lng = longitude.number().value_or(0);
    if (lat < -90 || lat > 90) return place_error(latitude, bad_latitude(lat));
    if (lng < -180 || lng > 180) return place_error(longitude, bad_longitude(lng));
    return std::nullopt;
  }

  Matches geo_radius(const Filter& filter) const {
    if (auto error = check_point(filter.values[0], filter.values[1]))
      return std::unexpected(std::move(*error));
    const GeoPoint center{.latitude = filter.values[0].number().value_or(0),
                          .longitude = filter.values[1].number().value_or(0)};
    const double radius = filter.values[2].number().value_or(0);
    DocumentSet result;
    for (const auto& [document, point] : geo_points(index_)) {
      if (distance(center, point) <= radius + std::numeric_limits<double>::epsilon())
        result.insert(document);
    }
    return result;
  }

  Matches geo_bounding_box(const Filter& filter) const {
    for (const std::size_t corner : {std::size_t{0}, std::size_t{2}}) {
      if (auto error = check_point(filter.values[corner], filter.values[corner + 1])) {
        return std::unexpected(std::move(*error));
      }
    }
    const double top = filter.values[0].number().value_or(0);
    const double right = filter.values[1].number().value_or(0);
    const double bottom = filter.values[2].number().value_or(0);
    const double left = filter.values[3].number().value_or(0);
    if (top < bottom) {
      return std::unexpected(place_error(filter.values[3], "The top latitude `" +
                                                               meili::number_text(top) +
                                                               "` is below the bottom latitude `" +
                                                               meili::number_text(bottom) + "`."));
    }
    DocumentSet result;
    for (const auto& [document, point] : geo_points(index_)) {
      const bool within = left <= right ? left <= point.longitude && point.longitude <= right
                                        : left <= point.longitude || point.longitude <= right;
      if (within && bottom <= point.latitude && point.latitude <= top) result.insert(document);
    }
    return result;
  }

  ApiError place_error(const meili::FilterWord& word, const std::string& message) const {
    return meili::api_error(error_code_, meili::message_at(word, message));
  }

  ApiError not_filterable(const meili::FilterWord& place, const std::string& attribute) const {
    std::string message = "Attribute `" + attribute + "` is not filterable.";
    const std::vector<std::string> patterns = index_.rules.filterable_patterns();
    if (patterns.empty()) {
      message += " This index does not have configured filterable attributes.";
    } else {
      message += " Available filterable attribute patterns are: ";
      for (const std::string& pattern : patterns) {
        message += (&pattern == &patterns.front() ? "`" : ", `") + pattern + "`";
      }
      message += ".";
    }
    return place_error(place, message);
  }

  const Index& index_;
  bool contains_enabled_;
  std::string_view error_code_;
};

}  // namespace

Matches evaluate(const Filter& filter, const Index& index, bool contains_enabled,
                 std::string_view error_code) {
  const Evaluator evaluator(index, contains_enabled, error_code);
  if (auto error = evaluator.check(filter)) return std::unexpected(std::move(*error));
  return evaluator.evaluate(filter);
}

Matches evaluate(const Json& filter, const Index& index, bool contains_enabled,
                 std::string_view error_code) {
  const auto parsed = meili::parse_filter(filter, error_code);
  if (!parsed) return std::unexpected(parsed.error());
  return evaluate(*parsed, index, contains_enabled, error_code);
}

}  // namespace miroir::node
