#include "search/search_body.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/hash.h"

namespace miroir {
namespace {

constexpr std::array<std::string_view, 4> kPages = {"offset", "limit", "page", "hitsPerPage"};
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

bool can_be_scattered(const Json& body) {
  auto absent_or = [&](std::string_view name, auto fits) {
    const Json* value = body.find(name);
    return value == nullptr || value->is_null() || fits(*value);
  };
  auto is_count = [](const Json& value) {
    return value.is_integer() && (!value.is_int64() || value.as_int64() >= 0);
  };
  auto are_texts = [](const Json& value) {
    return value.is_array() &&
           std::ranges::all_of(value.as_array(), [](const Json& each) { return each.is_string(); });
  };
  return std::ranges::all_of(kPages, [&](auto name) { return absent_or(name, is_count); }) &&
         absent_or("facets", are_texts) &&
         absent_or("distinct", [](const Json& value) { return value.is_string(); }) &&
         body.find("indexUid") == nullptr && body.find("federationOptions") == nullptr;
}

std::uint64_t question_of(const http::Request& request) {
  auto body = request.method == "GET" ? body_of_query(request.query) : std::optional<Json>();
  if (request.method != "GET") {
    if (auto parsed = parse_json(request.body)) body = std::move(*parsed);
  }
  if (!body || !body->is_object()) return xxh3_64(request.path + request.query + request.body);
  for (std::string_view name : kPages) {
    body->erase(name);
    if (Json* federation = body->find("federation"); federation != nullptr) federation->erase(name);
  }
  return xxh3_64(request.path + to_text(*body));
}

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
