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
  Json extra;  // extra_document: the distinct attribute, where the document does not show it
};

struct FederatedAnswer {
  std::vector<FederatedHit> hits;
  std::uint64_t total = 0;
  std::int64_t milliseconds = 0;
  std::string request_uid;
  bool semantic = false;  // counts the hits that were found by their vectors
  Json facets;            // facetsByIndex: {uid: {"distribution", "stats"}}; null if none
};
Result<FederatedAnswer> parse_federated(std::string_view answer);

// > 0: `a` comes before `b`: numbers, then strings, then what is neither.
int compare_sort_values(const Json& a, const Json& b, bool ascending);
// Every value that the path leads to, through arrays and objects ("author.name"): numbers, and
// strings as Meilisearch compares them.
std::vector<Json> values_at(const Json& document, std::string_view path);

// > 0: `a` ranks before `b`.
int compare_hits(const FederatedHit& a, const FederatedHit& b);

// Which attribute tells documents apart: no two hits share a value of it. Empty: none.
struct Distinct {
  std::string everywhere;             // among all hits
  std::vector<std::string> of_query;  // or, by query, among the hits of that query
};

// The hits of all nodes in order; equal ones in the order of nodes, then of their answers.
std::vector<FederatedHit> merge_hits(std::vector<FederatedAnswer>& answers,
                                     const Distinct& distinct);

// How facet values are put together, ordered and cut.
struct FacetRules {
  std::size_t limit = 100;
  Json sort_by;              // faceting.sortFacetValuesBy, by attribute ("*": the rest)
  bool by_spelling = false;  // "Blue" and "blue" are two values
};
// Whether the attribute's values stand by count, not by name.
bool by_count(const FacetRules& rules, const std::string& attribute);
// Counts summed by value, minima and maxima of stats. Both are {"distribution":
// {attribute: {value: n}}, "stats": {attribute: {"min", "max"}}}.
Json merge_facets(const std::vector<Json>& facets, const FacetRules& rules);
// The values that a search among an attribute's values found on each node ({value: n}), as
// [{"value", "count"}]. Of equal counts, as Meilisearch has it, the last name stands first.
Json merge_facet_hits(const std::vector<Json>& nodes, FacetRules rules,
                      const std::string& attribute);

}  // namespace miroir
