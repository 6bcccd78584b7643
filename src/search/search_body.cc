#include "search/search_body.h"

#include <charconv>
#include <set>

namespace miroir {
namespace {

const std::set<std::string, std::less<>> kNumbers = {"offset", "limit", "page", "hitsPerPage",
                                                     "cropLength"};
const std::set<std::string, std::less<>> kFlags = {"showMatchesPosition", "showRankingScore",
                                                   "showRankingScoreDetails", "retrieveVectors"};
const std::set<std::string, std::less<>> kLists = {"attributesToRetrieve",
                                                   "attributesToCrop",
                                                   "attributesToHighlight",
                                                   "attributesToSearchOn",
                                                   "facets",
                                                   "sort",
                                                   "locales",
                                                   "fields",
                                                   "ids"};
const std::set<std::string, std::less<>> kTexts = {
    "q", "highlightPreTag", "highlightPostTag", "cropMarker", "matchingStrategy", "distinct"};

Json list_of(const std::string& text) {
  Json list = Json::array();
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    if (comma > start) list.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return list;
}

// A sort like `_geoPoint(1, 2):asc` holds a comma of its own.
Json sorts_of(const std::string& text) {
  Json sorts = Json::array();
  std::string current;
  int depth = 0;
  for (char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      sorts.push_back(std::exchange(current, {}));
    } else {
      current += c;
    }
  }
  if (!current.empty()) sorts.push_back(current);
  return sorts;
}

}  // namespace

std::optional<Json> body_of_query(const std::string& query) {
  Json body = Json::object();
  for (const auto& [name, value] : http::parse_query(query)) {
    if (kNumbers.contains(name)) {
      std::int64_t number = 0;
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error != std::errc() || end != value.data() + value.size() || number < 0)
        return std::nullopt;
      body.set(name, number);
    } else if (kFlags.contains(name)) {
      if (value != "true" && value != "false") return std::nullopt;
      body.set(name, value == "true");
    } else if (name == "sort") {
      body.set(name, sorts_of(value));
    } else if (kLists.contains(name)) {
      body.set(name, list_of(value));
    } else if (kTexts.contains(name)) {
      body.set(name, value);
    } else if (name == "filter") {
      // As Meilisearch: JSON if it is an array, an expression otherwise.
      auto parsed = value.starts_with('[') ? parse_json(value) : Result<Json>(Json(value));
      body.set(name, parsed ? std::move(*parsed) : Json(value));
    } else if (name == "rankingScoreThreshold") {
      auto parsed = parse_json(value);
      if (!parsed || !parsed->is_number()) return std::nullopt;
      body.set(name, std::move(*parsed));
    } else {
      return std::nullopt;
    }
  }
  return body;
}

}  // namespace miroir
