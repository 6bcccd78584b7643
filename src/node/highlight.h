#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "node/search_request.h"
#include "node/text_index.h"
#include "node/text_query.h"

namespace miroir::node {

// Shows where a query's words stand in documents: `_formatted`, `_matchesPosition`.
class Highlighter {
 public:
  Highlighter(const SearchRequest& search, const TextQuery& query, const Json& settings);

  // Whether anything is to be highlighted or cropped.
  bool formats() const { return !highlighted_.empty() || !cropped_.empty(); }
  // The document with its matches marked and its texts cropped; numbers become texts. `document`
  // has the fields to show besides those that are to be formatted.
  Json formatted(const Json& document) const;
  // {"title":[{"start":34,"length":3}]}: bytes of the text; `indices` tell the place in arrays.
  Json matches_position(const Json& document) const;
  // Whether the attribute is asked for, by its name or as a whole, to be highlighted or cropped.
  bool asked_for(std::string_view field) const;

 private:
  struct Match {
    std::size_t first;
    std::size_t end;
  };
  std::vector<Match> matches(std::string_view text) const;
  Json format(const std::string& field, const Json& value) const;
  std::string format_text(const std::string& field, const std::string& text) const;
  void collect(const std::string& field, const Json& value, Json indices, Json& positions) const;

  const SearchRequest& search_;
  const TextQuery& query_;
  Words words_;
  SearchedFields fields_;
  std::vector<std::string> highlighted_;
  std::map<std::string, std::uint64_t, std::less<>> cropped_;  // attribute → words
};

}  // namespace miroir::node
