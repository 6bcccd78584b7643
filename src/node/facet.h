#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "meili/api_error.h"
#include "node/index.h"

namespace miroir::node {

struct FacetValue {
  std::string text;
  std::uint64_t count = 0;
};

// How often each value of a field occurs among some documents, in the order and to the number that
// the index's faceting setting says.
struct FacetCounts {
  std::vector<FacetValue> values;
  std::optional<std::pair<double, double>> range;  // least and greatest number
};
using Facets = std::map<std::string, FacetCounts>;  // by field

// The fields of documents that the names ("genres", "author" with what is inside, "*") stand for;
// invalid_search_facets where one is not filterable.
std::expected<std::vector<std::string>, meili::ApiError> facet_fields(
    const std::vector<std::string>& names, const Index& index);

Facets count_facets(const Index& index, const std::vector<std::string>& fields,
                    const DocumentSet& candidates);
// {"genres":{"Epic":6}} and {"year":{"min":1.0,"max":2.0}}
Json facet_distribution(const Facets& facets);
Json facet_stats(const Facets& facets);

// The values of a field that begin with `query` (all where it is null), in the same order.
std::vector<FacetValue> find_facet_values(const Index& index, const std::string& field,
                                          const std::optional<std::string>& query,
                                          const DocumentSet& candidates);

}  // namespace miroir::node
