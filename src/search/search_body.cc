#include "search/search_body.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "base/hash.h"

namespace miroir {
namespace {

constexpr std::array<std::string_view, 4> kPages = {"offset", "limit", "page", "hitsPerPage"};
const std::set<std::string, std::less<>> kNumbers = {"offset", "limit", "page", "hitsPerPage",
                                                     "cropLength"};
const std::set<std::string, std::less<>> kFlags = {"showMatchesPosition",     "showRankingScore",
                                                   "showRankingScoreDetails", "retrieveVectors",
                                                   "showPerformanceDetails",  "useNetwork"};
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

std::optional<double> decimal_of(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

// "0.5,1"
std::optional<Json> vector_of(const std::string& text) {
  Json vector = Json::array();
  for (const Json& element : list_of(text).as_array()) {
    const auto number = decimal_of(element.as_string());
    if (!number) return std::nullopt;
    vector.push_back(*number);
  }
  return vector;
}

// Parameters that POST takes as members of an object: the object, and its member.
struct Nested {
  std::string_view object;
  std::string_view member;
};
const std::map<std::string, Nested, std::less<>> kNested = {
    {"hybridEmbedder", {"hybrid", "embedder"}},
    {"hybridSemanticRatio", {"hybrid", "semanticRatio"}},
    {"personalizeUserContext", {"personalize", "userContext"}}};

// The parameter's value as a member of the body; nullopt where it has no such form.
std::optional<Json> value_of(const std::string& name, const std::string& value) {
  if (kNumbers.contains(name)) {
    std::uint64_t number = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size()) return std::nullopt;
    return number;
  }
  if (kFlags.contains(name)) {
    if (value != "true" && value != "false") return std::nullopt;
    return value == "true";
  }
  if (name == "sort") return sorts_of(value);
  if (name == "vector") return vector_of(value);
  if (kLists.contains(name)) return list_of(value);
  if (name == "filter") {
    // As Meilisearch: JSON if it is an array, an expression otherwise.
    auto parsed = value.starts_with('[') ? parse_json(value) : Result<Json>(Json(value));
    return parsed ? std::move(*parsed) : Json(value);
  }
  if (name == "rankingScoreThreshold" || name == "hybridSemanticRatio") {
    const auto number = decimal_of(value);
    return number ? std::optional<Json>(*number) : std::nullopt;
  }
  if (kTexts.contains(name) || kNested.contains(name)) return Json(value);
  return std::nullopt;
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
  for (const auto& [name, text] : http::parse_query(query)) {
    auto value = value_of(name, text);
    if (!value) return std::nullopt;
    if (const auto nested = kNested.find(name); nested != kNested.end()) {
      body[nested->second.object].set(nested->second.member, std::move(*value));
    } else {
      body.set(name, std::move(*value));
    }
  }
  // Of vectors nothing can be asked but by the name of what made them.
  const Json* hybrid = body.find("hybrid");
  const bool named = hybrid != nullptr && hybrid->find("embedder") != nullptr;
  if (!named && (hybrid != nullptr || body.find("vector") != nullptr)) return std::nullopt;
  return body;
}

}  // namespace miroir
