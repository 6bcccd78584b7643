#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "meili/api_error.h"
#include "meili/parameters.h"
#include "node/text_query.h"

namespace miroir::node {

// What one search asks for, checked as far as the request alone tells.
struct SearchRequest {
  std::string q;
  std::uint64_t offset = 0;
  std::uint64_t limit = 20;
  std::optional<std::uint64_t> page;
  std::optional<std::uint64_t> hits_per_page;
  Json filter;
  std::optional<std::vector<std::string>> sort;
  std::optional<std::string> distinct;
  std::optional<std::vector<std::string>> facets;
  MatchingStrategy strategy = MatchingStrategy::kLast;
  std::optional<std::vector<std::string>> attributes_to_search_on;
  std::optional<double> score_threshold;

  std::optional<std::vector<std::string>> attributes_to_retrieve;
  std::vector<std::string> attributes_to_crop;
  std::vector<std::string> attributes_to_highlight;
  std::uint64_t crop_length = 10;
  std::string crop_marker = "…";
  std::string highlight_pre_tag = "<em>";
  std::string highlight_post_tag = "</em>";
  bool show_matches_position = false;
  bool show_score = false;
  bool show_score_details = false;
  bool retrieve_vectors = false;

  // Whether exact numbers of pages are asked for.
  bool paged() const { return page.has_value() || hits_per_page.has_value(); }
};

// Where in the request the search stands (".queries[1]", or nothing) and which members it has
// besides those of a search.
struct SearchPlace {
  std::string path;
  std::vector<std::string_view> more_members;
};

std::expected<SearchRequest, meili::ApiError> parse_search(const Json& body,
                                                           const SearchPlace& place = {});
// GET …/search
std::expected<SearchRequest, meili::ApiError> parse_search(const meili::Parameters& query);

}  // namespace miroir::node
