#pragma once

#include <expected>
#include <string>
#include <variant>
#include <vector>

#include "node/search_request.h"
#include "node/sort.h"
#include "node/text_query.h"

namespace miroir::node {

// What one step of the ranking said of a document: a part of the text's score, or a sort's value.
struct RankValue {
  std::variant<double, Json> value;  // a score in (0, 1], or what the sort saw
  const SortRule* rule = nullptr;    // of a sort
};

struct RankedDocument {
  DocumentNumber number;
  double score = 1;               // _rankingScore
  std::vector<RankValue> values;  // the order's own keys, most important first
};

// The steps by which an index ranks the documents of a search: its rankingRules made ready.
// Adjacent rules about words are one step: this node only knows how many words there are and in
// which attributes (`words` … `attribute`), and whether the last is whole (`exactness`).
class RankingOrder {
 public:
  static std::expected<RankingOrder, meili::ApiError> make(const SearchRequest& search,
                                                           const Index& index);
  // The first `wanted` documents, best first.
  std::vector<RankedDocument> rank(const Index& index, const TextMatches& matches,
                                   std::size_t wanted) const;
  const std::vector<SortRule>& sorts() const { return sorts_; }

 private:
  struct Step {
    bool words = false;
    bool exactness = false;
    std::size_t sort_first = 0;  // where neither: these sorts
    std::size_t sort_end = 0;
  };
  class Ranker;
  void add_text(bool exactness);
  void add_sorts(std::vector<SortRule> rules);

  std::vector<SortRule> sorts_;
  std::vector<Step> steps_;
};

}  // namespace miroir::node
