#pragma once

#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "node/engine.h"
#include "node/facet.h"
#include "node/search_order.h"
#include "node/search_request.h"

namespace miroir::node {

// The answer of one search before it is shown.
struct SearchResult {
  DocumentSet candidates;              // what the query and the filter find
  std::vector<RankedDocument> ranked;  // the first ones asked for, distinct
  std::size_t hidden = 0;              // candidates known to be left out by `distinct`
  TextQuery query;
  RankingOrder order;  // owns what `ranked` points to
  std::size_t total() const { return candidates.size() - hidden; }
};

// One search of one index in one snapshot. `rule` is a tenant's filter, null for none.
class Search {
 public:
  Search(Engine& engine, const Snapshot& snapshot, const Index& index, const SearchRequest& request,
         Json rule);

  // The first `wanted` documents; all are counted where `exhaustive`.
  std::expected<SearchResult, meili::ApiError> run(std::size_t wanted, bool exhaustive) const;
  // The documents that the query and filter find.
  std::expected<TextMatches, meili::ApiError> matches(const TextQuery& query) const;
  // A document as a hit, with what the request wants to be shown about it.
  std::expected<Json, meili::ApiError> hit(const SearchResult& result,
                                           const RankedDocument& ranked) const;

 private:
  std::expected<DocumentSet, meili::ApiError> candidates() const;
  std::expected<std::optional<std::string>, meili::ApiError> distinct_field() const;

  Engine& engine_;
  const Snapshot& snapshot_;
  const Index& index_;
  const SearchRequest& request_;
  Json rule_;
};

// Takes documents in their order and leaves out those that share a value of the field with an
// earlier one, until `wanted` are taken. Returns how many candidates are left out.
std::size_t keep_distinct(const Index& index, const std::string& field,
                          const DocumentSet& candidates, std::size_t wanted,
                          std::vector<RankedDocument>& ranked);

// The answer of POST /indexes/{uid}/search.
std::expected<Json, meili::ApiError> answer_search(Engine& engine, const Snapshot& snapshot,
                                                   const Index& index, const SearchRequest& request,
                                                   Json rule);

}  // namespace miroir::node
