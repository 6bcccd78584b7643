#include "node/highlight.h"

#include <algorithm>
#include <charconv>

#include "meili/filterable.h"
#include "node/field_rules.h"

namespace miroir::node {
namespace {

bool is_within(std::string_view field, std::string_view attribute) {
  return meili::matches_pattern(attribute, field) || meili::covers(attribute, field);
}

// Some words of a text, by their places.
struct Window {
  std::size_t first;
  std::size_t end;
};

}  // namespace

Highlighter::Highlighter(const SearchRequest& search, const TextQuery& query, const Json& settings)
    : search_(search),
      query_(query),
      words_(settings),
      fields_(settings),
      highlighted_(search.attributes_to_highlight) {
  for (const std::string& attribute : search.attributes_to_crop) {
    std::uint64_t length = search.crop_length;
    const std::size_t colon = attribute.rfind(':');
    const char* const end = attribute.data() + attribute.size();
    if (colon != std::string::npos &&
        std::from_chars(attribute.data() + colon + 1, end, length).ptr == end) {
      cropped_[attribute.substr(0, colon)] = length;
    } else {
      cropped_[attribute] = search.crop_length;
    }
  }
}

bool Highlighter::asked_for(std::string_view field) const {
  const auto names_it = [&](std::string_view attribute) {
    return is_within(field, attribute) || is_within(attribute, field);
  };
  return std::ranges::any_of(highlighted_, names_it) ||
         std::ranges::any_of(cropped_, [&](const auto& crop) { return names_it(crop.first); });
}

// The words that the query asks for; of a word that it knows the beginning only that.
std::vector<Highlighter::Match> Highlighter::matches(std::string_view text) const {
  std::vector<Match> found;
  const std::vector<Word> words = words_.of(text);
  for (std::size_t at = 0; at < words.size(); ++at) {
    for (const Term& term : query_.wanted) {
      if (!matches_at(term, words, at)) continue;
      const Word& last = words[at + term.words.size() - 1];
      std::size_t end = last.end;
      // The same number of bytes only where nothing was folded away.
      if (term.prefix && last.end - last.first == last.text.size())
        end = last.first + term.words.back().size();
      found.push_back({words[at].first, end});
      at += term.words.size() - 1;
      break;
    }
  }
  return found;
}

std::string Highlighter::format_text(const std::string& field, const std::string& text) const {
  const std::vector<Match> found = matches(text);
  Window window{0, text.size()};
  const auto crop = std::ranges::find_if(
      cropped_, [&](const auto& each) { return is_within(field, each.first); });
  const std::vector<Word> words = crop == cropped_.end() ? std::vector<Word>() : words_.of(text);
  if (crop != cropped_.end() && crop->second > 0 && words.size() > crop->second) {
    const auto length = static_cast<std::size_t>(crop->second);
    // The first match in the middle, as far as the text reaches.
    std::size_t middle = 0;
    if (!found.empty()) {
      while (middle + 1 < words.size() && words[middle].end <= found.front().first) ++middle;
    }
    std::size_t first = middle > length / 2 ? middle - length / 2 : 0;
    first = std::min(first, words.size() - length);
    window = {first == 0 ? 0 : words[first].first,
              first + length == words.size() ? text.size() : words[first + length - 1].end};
  }
  const bool highlights = std::ranges::any_of(
      highlighted_, [&](const std::string& attribute) { return is_within(field, attribute); });
  std::string formatted = window.first > 0 ? search_.crop_marker : "";
  std::size_t at = window.first;
  for (const Match& match : found) {
    if (!highlights || match.first < at || match.end > window.end) continue;
    formatted += text.substr(at, match.first - at) + search_.highlight_pre_tag;
    formatted += text.substr(match.first, match.end - match.first) + search_.highlight_post_tag;
    at = match.end;
  }
  formatted += text.substr(at, window.end - at);
  if (window.end < text.size()) formatted += search_.crop_marker;
  return formatted;
}

Json Highlighter::format(const std::string& field, const Json& value) const {
  if (value.is_string()) return format_text(field, value.as_string());
  if (value.is_number()) return format_text(field, to_text(value));
  if (value.is_array()) {
    Json formatted = Json::array();
    for (const Json& element : value.as_array()) formatted.push_back(format(field, element));
    return formatted;
  }
  if (!value.is_object()) return value;
  Json formatted = Json::object();
  for (const auto& [key, member] : value.as_object())
    formatted.set(key, format(field + "." + key, member));
  return formatted;
}

Json Highlighter::formatted(const Json& document) const {
  Json formatted = Json::object();
  for (const auto& [field, value] : document.as_object())
    formatted.set(field, format(field, value));
  return formatted;
}

void Highlighter::collect(const std::string& field, const Json& value, Json indices,
                          Json& positions) const {
  if (value.is_object()) {
    for (const auto& [key, member] : value.as_object())
      collect(field + "." + key, member, indices, positions);
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      Json inner = indices;
      inner.push_back(std::uint64_t{i});
      collect(field, value.as_array()[i], std::move(inner), positions);
    }
  } else if (!value.is_null() && !value.is_bool() && fields_.column(field)) {
    const std::string text = value.is_string() ? value.as_string() : to_text(value);
    for (const Match& match : matches(text)) {
      Json position = Json::object({{"start", std::uint64_t{match.first}},
                                    {"length", std::uint64_t{match.end - match.first}}});
      if (indices.size() > 0) position.set("indices", indices);
      positions[field].push_back(std::move(position));
    }
  }
}

Json Highlighter::matches_position(const Json& document) const {
  Json positions = Json::object();
  for (const auto& [field, value] : document.as_object()) collect(field, value, Json(), positions);
  return positions;
}

}  // namespace miroir::node
