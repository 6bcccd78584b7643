#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace miroir {

// A search engine small enough to be obviously right, in the place of a node: every document
// matches that passes the filter; ranked by the number in `score`, then by the sort of the request,
// then, as on a real node, in the order in which it holds them. Of those that share a value of the
// distinct attribute the first is found.
class SearchEngine {
 public:
  // `distinct`: the index's own attribute.
  explicit SearchEngine(std::vector<Json> documents, std::string distinct = {})
      : documents_(std::move(documents)), distinct_(std::move(distinct)) {}

  // POST /indexes/{uid}/search, of one node that holds everything.
  Json search(const Json& body) const;
  // POST /multi-search with a federation of one query; `keys`: with what nodes merge by.
  std::string federated(const Json& body, bool keys = true) const;

 private:
  struct Ranked {
    Json document;
    double score = 0;
    Json sorts;  // [{"sort": {"asc", "value"}}]
  };
  // `distinct`: of the request, if it names one.
  std::vector<Ranked> ranked(const Json& query, const Json* distinct) const;
  static Json distribution(const std::vector<Ranked>& ranked, const Json& attributes);
  static Json stats(const std::vector<Ranked>& ranked, const Json& attributes);

  std::vector<Json> documents_;
  std::string distinct_;
};

}  // namespace miroir
