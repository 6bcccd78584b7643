#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace miroir {

// Merging what several nodes answered to one federated search, by the keys that Meilisearch itself
// merges by (FACTS.md, "Search and merging"). Pure.

struct FederatedHit {
  std::string text;  // the document, without `_federation`
  Json scores;       // weightedScoreValues
  std::int64_t query = 0;
  double ranking_score = 0;
  std::string index_uid;
  Json extra;  // extra_document: the value of the distinct attribute
};

struct FederatedAnswer {
  std::vector<FederatedHit> hits;
  std::uint64_t total = 0;
  std::int64_t milliseconds = 0;
  std::string request_uid;
  Json facets;  // facetsByIndex: {uid: {"distribution", "stats"}}; null if none
};
Result<FederatedAnswer> parse_federated(std::string_view answer);

// > 0: `a` comes before `b`: numbers, then strings, then what is neither.
int compare_sort_values(const Json& a, const Json& b, bool ascending);
// A string as Meilisearch counts and compares it, near enough to bring "Blue" and "blue" together.
std::string folded(std::string_view value);

// > 0: `a` ranks before `b`.
int compare_hits(const FederatedHit& a, const FederatedHit& b);

// The hits of all nodes in order; equal ones in the order of nodes, then of their answers. With a
// distinct attribute only the first hit of each value stays.
std::vector<FederatedHit> merge_hits(std::vector<FederatedAnswer>& answers,
                                     const std::string& distinct);

// How facet values are ordered and cut, by attribute ("*": the rest).
struct FacetRules {
  std::size_t limit = 100;
  Json sort_by;  // faceting.sortFacetValuesBy
};
// Counts summed by normalised value, minima and maxima of stats. Both are {"distribution":
// {attribute: {value: n}}, "stats": {attribute: {"min", "max"}}}.
Json merge_facets(const std::vector<Json>& facets, const FacetRules& rules);

}  // namespace miroir
