#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "node/engine.h"
#include "node/search_order.h"
#include "node/search_request.h"

namespace miroir::node {

struct FederatedQuery {
  std::string index_uid;
  SearchRequest request;
  double weight = 1;
  Json rule;  // a tenant's filter, or null
};

// The member `federation` of a multi-search.
struct Federation {
  std::uint64_t offset = 0;
  std::uint64_t limit = 20;
  std::optional<std::uint64_t> page;
  std::optional<std::uint64_t> hits_per_page;
  std::map<std::string, std::vector<std::string>> facets_by_index;
  std::optional<std::uint64_t> merged_values_max;  // set: facets are merged
  bool merges_facets = false;
  std::optional<std::string> distinct;
  bool shows_keys = false;  // each hit tells what it was merged by

  bool paged() const { return page.has_value() || hits_per_page.has_value(); }
};
std::expected<Federation, meili::ApiError> parse_federation(const Json& options);

// The answers of all queries merged into one list.
std::expected<Json, meili::ApiError> federate(Engine& engine, const Federation& federation,
                                              const std::vector<FederatedQuery>& queries);

// Orders what two documents are merged by, as Meilisearch: element by element, scores that differ
// by less than an epsilon are equal, numbers before strings, null last; then the one with more
// elements. Scores are weighted. Negative: `a` comes first.
int compare_keys(const std::vector<RankValue>& a, double weight_a, const std::vector<RankValue>& b,
                 double weight_b);

}  // namespace miroir::node
