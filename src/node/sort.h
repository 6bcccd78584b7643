#pragma once

#include <expected>
#include <string>
#include <vector>

#include "meili/api_error.h"
#include "node/index.h"

namespace miroir::node {

struct SortRule {
  std::string field;  // or "_geoPoint", with the point
  bool ascending = true;
  bool geo = false;
  double latitude = 0;
  double longitude = 0;
};

// "field:asc", "_geoPoint(1,2):desc"; the errors carry `error_code`. Fields must be sortable in the
// index.
std::expected<std::vector<SortRule>, meili::ApiError> parse_sort(
    const std::vector<std::string>& rules, const Index& index, std::string_view error_code);

// Documents that a sort cannot tell apart, with the value each rule saw: a number, a string, or
// null for none.
struct SortedGroup {
  std::vector<Json> values;  // one for each rule
  Postings documents;        // rising
};

// The groups of `candidates` in order, until at least `wanted` documents are in them. Numbers come
// before strings, documents without the field last; a list counts by its least element, or its
// greatest in a falling sort.
std::vector<SortedGroup> sort(const Index& index, const DocumentSet& candidates,
                              const std::vector<SortRule>& rules, std::size_t wanted);

}  // namespace miroir::node
