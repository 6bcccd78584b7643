#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace miroir {

// The order that a fetch of documents asks for (`"sort": ["year:desc", "_geoPoint(48, 2):asc"]`),
// to merge lists that nodes have sorted. As Meilisearch's: numbers before strings, documents
// without a value last, of several values the first in the order; strings without regard to case.
class DocumentOrder {
 public:
  // What is no sort is an order where all are equal: a node has refused it, or will.
  static DocumentOrder parse(const Json* sort);

  bool empty() const { return rules_.empty(); }
  // The fields that it looks at.
  std::vector<std::string> fields() const;

  // A document's place, and < 0 where `a` comes before `b`.
  using Place = std::vector<Json>;
  Result<Place> place_of(std::string_view document) const;
  int compare(const Place& a, const Place& b) const;

 private:
  struct Point {
    double latitude = 0;
    double longitude = 0;
  };
  struct Rule {
    std::string field;
    bool ascending = true;
    std::optional<Point> from;  // by distance
  };
  static std::optional<Rule> parse_rule(std::string_view text);
  static Json value_of(const Rule& rule, const Json& document);

  std::vector<Rule> rules_;
};

}  // namespace miroir
