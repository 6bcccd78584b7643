#include "meili/filter.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "meili/filter_parser.h"

namespace miroir::meili {
namespace {

std::unexpected<ApiError> wrong_syntax(std::string_view expected, const Json& found,
                                       std::string_view code) {
  return std::unexpected(api_error(code, "Invalid syntax for the filter parameter: `expected " +
                                             std::string(expected) + ", found: " + to_text(found) +
                                             "`."));
}

bool is_blank(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
}

// Makes one filter of several; those that say nothing are left out.
Filter combined(Filter::Kind kind, std::vector<Filter> children) {
  std::erase_if(children, [](const Filter& child) { return child.kind == Filter::Kind::kAll; });
  if (children.empty()) return {};
  if (children.size() == 1) return std::move(children.front());
  Filter filter;
  filter.kind = kind;
  filter.children = std::move(children);
  return filter;
}

std::expected<Filter, ApiError> parse_text(const std::string& text, std::string_view code) {
  if (is_blank(text)) return Filter{};
  return parse_filter_text(text, code);
}

void collect(const Filter& filter, std::vector<std::string>& attributes) {
  for (const Filter& child : filter.children) collect(child, attributes);
  if (filter.kind == Filter::Kind::kCondition &&
      std::ranges::find(attributes, filter.field.text) == attributes.end()) {
    attributes.push_back(filter.field.text);
  }
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::optional<double> FilterWord::number() const {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const char* last = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), last, value);
  if (digits.empty() || error != std::errc() || stop != last || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::string message_at(const FilterWord& word, std::string_view message) {
  const std::string_view source = *word.source;
  const std::size_t column = characters(source.substr(0, word.first)) + 1;
  const std::size_t size = characters(source.substr(word.first, word.end - word.first));
  return std::string(message) + "\n" + std::to_string(column) + ":" +
         std::to_string(column + size) + " " + std::string(source);
}

bool is_empty_filter(const Json& filter) {
  if (filter.is_null()) return true;
  if (filter.is_string()) return is_blank(filter.as_string());
  return filter.is_array() && filter.as_array().empty();
}

std::expected<Filter, ApiError> parse_filter(const Json& filter, std::string_view code) {
  if (filter.is_null()) return Filter{};
  if (filter.is_string()) return parse_text(filter.as_string(), code);
  if (!filter.is_array()) return wrong_syntax("String, Array", filter, code);
  std::vector<Filter> all;
  for (const Json& element : filter.as_array()) {
    if (element.is_string()) {
      auto parsed = parse_text(element.as_string(), code);
      if (!parsed) return parsed;
      all.push_back(std::move(*parsed));
    } else if (element.is_array()) {
      std::vector<Filter> any;
      for (const Json& alternative : element.as_array()) {
        if (!alternative.is_string()) return wrong_syntax("String", alternative, code);
        auto parsed = parse_text(alternative.as_string(), code);
        if (!parsed) return parsed;
        any.push_back(std::move(*parsed));
      }
      all.push_back(combined(Filter::Kind::kOr, std::move(any)));
    } else {
      return wrong_syntax("String, Array", element, code);
    }
  }
  return combined(Filter::Kind::kAnd, std::move(all));
}

std::vector<std::string> attributes_of(const Filter& filter) {
  std::vector<std::string> attributes;
  collect(filter, attributes);
  return attributes;
}

}  // namespace miroir::meili
