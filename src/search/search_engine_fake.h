#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace miroir {

// A search engine small enough to be obviously right, in the place of a node: every document
// matches that passes the filter; ranked by the number in `score`, then by the sort of the request,
// then, as on a real node, in the order in which it holds them.
class SearchEngine {
 public:
  explicit SearchEngine(std::vector<Json> documents) : documents_(std::move(documents)) {}

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
  std::vector<Ranked> ranked(const Json& query) const;
  static Json distribution(const std::vector<Ranked>& ranked, const Json& attributes);
  static Json stats(const std::vector<Ranked>& ranked, const Json& attributes);

  std::vector<Json> documents_;
};

}  // namespace miroir
