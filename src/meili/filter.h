#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::meili {

// A word of a filter, and where it stood: errors show the place. Columns count characters from 0.
struct FilterWord {
  std::string text;  // unquoted, unescaped
  std::size_t first = 0;
  std::size_t end = 0;
  std::shared_ptr<const std::string> source;  // the expression it was written in
  bool quoted = false;

  // The number that the word stands for, if it is one.
  std::optional<double> number() const;
};

enum class FilterOperator {
  kEqual,
  kNotEqual,
  kGreater,
  kGreaterOrEqual,
  kLower,
  kLowerOrEqual,
  kBetween,  // TO: values[0] and values[1], both included
  kIn,
  kExists,
  kIsNull,
  kIsEmpty,
  kContains,
  kStartsWith,
  kGeoRadius,       // values: latitude, longitude, metres
  kGeoBoundingBox,  // values: top latitude, right longitude, bottom latitude, left longitude
};

// A parsed filter. The grammar's NOT forms are a kNot around the plain condition; != is an operator
// of its own.
struct Filter {
  enum class Kind {
    kAll,
    kAnd,
    kOr,
    kNot,
    kCondition
  };  // kAll: the empty filter, everything matches

  Kind kind = Kind::kAll;
  std::vector<Filter> children;  // kAnd, kOr: at least one; kNot: one
  FilterWord field;              // kCondition; of the geo operators the keyword itself
  FilterOperator operation = FilterOperator::kEqual;
  FilterWord keyword;  // the operator as written
  std::vector<FilterWord> values;
};

// Meilisearch's filter grammar: a string, or an array (AND) of strings and arrays (OR) of strings.
// Errors have the code given: `invalid_search_filter`, `invalid_document_filter`.
std::expected<Filter, ApiError> parse_filter(const Json& filter, std::string_view error_code);

// Whether a JSON filter is the empty one (null, an empty or blank string or array).
bool is_empty_filter(const Json& filter);

// Every attribute that the filter asks about, once, in order.
std::vector<std::string> attributes_of(const Filter& filter);

// The message followed by the place of the word in its expression, as Meilisearch writes it.
std::string message_at(const FilterWord& word, std::string_view message);

}  // namespace miroir::meili
