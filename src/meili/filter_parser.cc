#include "meili/filter_parser.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "meili/filter_text.h"

namespace miroir::meili {
namespace {

// Meilisearch's limit; it counts four levels for each pair of parentheses.
constexpr int kDepthMax = 150;

constexpr std::array<std::string_view, 14> kKeywords = {
    "AND",  "OR",    "IN",       "NOT",    "TO",   "EXISTS",     "IS",
    "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH", "_geoRadius", "_geoBoundingBox"};
constexpr std::string_view kExpectedOperation =
    "Was expecting an operation `=`, `!=`, `>=`, `>`, `<=`, `<`, `IN`, `NOT IN`, `TO`, `EXISTS`, "
    "`NOT EXISTS`, "
    "`IS NULL`, `IS NOT NULL`, `IS EMPTY`, `IS NOT EMPTY`, `CONTAINS`, `NOT CONTAINS`, `STARTS "
    "WITH`, "
    "`NOT STARTS WITH`, `_geoRadius`, `_geoBoundingBox` or `_geoPolygon` ";
constexpr std::string_view kGeoRadiusForm =
    "The `_geoRadius` filter must be in the form: `_geoRadius(latitude, longitude, radius, "
    "optionalResolution)`.";
constexpr std::string_view kGeoBoundingBoxForm =
    "The `_geoBoundingBox` filter expects two pairs of arguments: `_geoBoundingBox([latitude, "
    "longitude], "
    "[latitude, longitude])`.";

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

Filter negated(Filter filter) {
  if (filter.kind == Filter::Kind::kNot) {
    Filter inner = std::move(filter.children.front());
    return inner;
  }
  Filter result;
  result.kind = Filter::Kind::kNot;
  result.children.push_back(std::move(filter));
  return result;
}

// A recursive descent over the text; `at_` is the next byte. Functions that return an error leave
// `at_` anywhere.
class Parser {
 public:
  using Parsed = std::expected<Filter, ApiError>;

  Parser(const std::string& text, std::string_view code)
      : source_(std::make_shared<const std::string>(text)), text_(*source_), code_(code) {}

  Parsed parse() {
    auto filter = parse_or(0);
    if (filter && at_ < text_.size()) {
      return error_at(at_, text_.size(),
                      "Found unexpected characters at the end of the filter: `" +
                          escaped(text_.substr(at_)) +
                          "`. You probably forgot an `OR` or an `AND` rule.");
    }
    return filter;
  }

 private:
  std::unexpected<ApiError> error_at(std::size_t first, std::size_t end,
                                     std::string_view message) const {
    const FilterWord place{.text = {}, .first = first, .end = end, .source = source_};
    return std::unexpected(api_error(code_, message_at(place, message)));
  }

  Parsed parse_or(int depth) {
    return parse_list(depth, "OR", Filter::Kind::kOr, &Parser::parse_and);
  }
  Parsed parse_and(int depth) {
    return parse_list(depth, "AND", Filter::Kind::kAnd, &Parser::parse_not);
  }

  Parsed parse_list(int depth, std::string_view keyword, Filter::Kind kind,
                    Parsed (Parser::*element)(int)) {
    if (depth > kDepthMax) return too_deep();
    auto first = (this->*element)(depth + 1);
    if (!first) return first;
    Filter list;
    list.kind = kind;
    while (take_word(keyword)) {
      auto next = (this->*element)(depth + 1);
      if (!next) return next;
      list.children.push_back(std::move(*next));
    }
    if (list.children.empty()) return first;
    list.children.insert(list.children.begin(), std::move(*first));
    return list;
  }

  Parsed parse_not(int depth) {
    if (depth > kDepthMax) return too_deep();
    if (!take_word("NOT")) return parse_primary(depth + 1);
    auto inner = parse_not(depth + 1);
    return inner ? negated(std::move(*inner)) : std::move(inner);
  }

  Parsed parse_primary(int depth) {
    if (depth > kDepthMax) return too_deep();
    const std::size_t start = at_;
    skip_space();
    if (take_text("(")) {
      skip_space();
      auto inner = parse_or(depth + 1);
      if (!inner) return inner;
      skip_space();
      if (!take_text(")")) return missing_delimiter(start, ')');
      skip_space();
      return inner;
    }
    const std::size_t after_space = at_;
    if (take_word("_geoRadius")) return parse_geo_radius(after_space);
    if (take_word("_geoBoundingBox")) return parse_geo_bounding_box(after_space);
    Filter condition;
    condition.kind = Filter::Kind::kCondition;
    if (at_ == text_.size() || is_syntax(text_[at_])) return expected_operation(start);
    auto field = parse_value();
    if (!field) return std::unexpected(std::move(field.error()));
    condition.field = std::move(*field);
    return parse_operation(std::move(condition), start);
  }

  // What follows the field.
  Parsed parse_operation(Filter condition, std::size_t start) {
    static constexpr std::array<std::pair<std::string_view, FilterOperator>, 6> kComparisons = {
        {{"<=", FilterOperator::kLowerOrEqual},
         {">=", FilterOperator::kGreaterOrEqual},
         {"!=", FilterOperator::kNotEqual},
         {"<", FilterOperator::kLower},
         {">", FilterOperator::kGreater},
         {"=", FilterOperator::kEqual}}};
    for (const auto& [sign, operation] : kComparisons) {
      if (take_operator(condition, sign, operation)) return with_value(std::move(condition));
    }
    const std::size_t before = at_;
    if (take_text("IS") && skip_space_once()) {
      const bool negative = take_text("NOT") && skip_space_once();
      if (take_operator(condition, "NULL", FilterOperator::kIsNull) ||
          take_operator(condition, "EMPTY", FilterOperator::kIsEmpty)) {
        return negative ? negated(std::move(condition)) : std::move(condition);
      }
    }
    at_ = before;
    const bool negative = take_word("NOT") && skip_space_any();
    if (take_word("IN")) {
      condition.operation = FilterOperator::kIn;
      condition.keyword = word(before, at_);
      condition.keyword.text = "IN";
      auto in = parse_in(std::move(condition));
      return in && negative ? negated(std::move(*in)) : in;
    }
    if (take_operator(condition, "EXISTS", FilterOperator::kExists)) {
      return negative ? negated(std::move(condition)) : std::move(condition);
    }
    if (take_operator(condition, "CONTAINS", FilterOperator::kContains) ||
        take_operator(condition, "STARTS WITH", FilterOperator::kStartsWith)) {
      auto with = with_value(std::move(condition));
      return with && negative ? negated(std::move(*with)) : with;
    }
    at_ = before;
    return parse_between(std::move(condition), start);
  }

  Parsed parse_between(Filter condition, std::size_t start) {
    if (at_ == text_.size() || is_syntax(text_[at_])) return expected_operation(start);
    const bool quoted = text_[at_] == '\'' || text_[at_] == '"';
    auto from = parse_value();
    if (!from)
      return quoted ? Parsed(std::unexpected(std::move(from.error()))) : expected_operation(start);
    if (!take_operator(condition, "TO", FilterOperator::kBetween) || !skip_space_once()) {
      return expected_operation(start);
    }
    condition.values.push_back(std::move(*from));
    return with_value(std::move(condition));
  }

  // "[" (value ("," value)* ","?)? "]"
  Parsed parse_in(Filter condition) {
    skip_space();
    if (!take_text("[")) return error_at(at_, text_.size(), "Expected `[` after `IN` keyword.");
    while (true) {
      skip_space();
      if (take_text("]")) break;
      if (at_ == text_.size()) {
        return error_at(at_, at_,
                        "Expected matching `]` after the list of field names given to `IN[`");
      }
      const std::size_t before = at_;
      auto value = parse_value();
      if (!value) return unexpected_in_list(before);
      condition.values.push_back(std::move(*value));
      skip_space();
      if (!take_text(",") && (at_ == text_.size() || text_[at_] != ']')) {
        if (at_ < text_.size()) return unexpected_in_list(at_);
      }
    }
    skip_space();
    return condition;
  }

  std::unexpected<ApiError> unexpected_in_list(std::size_t first) {
    const std::string rest = escaped(text_.substr(first));
    at_ = first;
    const std::string_view next = peek_word();
    std::string message =
        "Expected only comma-separated field names inside `IN[..]` but instead found `" + rest +
        "`";
    if (std::ranges::find(kKeywords, next) != kKeywords.end()) {
      message += ", which is a keyword. To use `" + rest +
                 "` as a field name or a value, surround it by quotes";
    }
    return error_at(first, text_.size(), message + ".");
  }

  Parsed parse_geo_radius(std::size_t keyword) {
    Filter condition = geo_condition(keyword, FilterOperator::kGeoRadius);
    const std::size_t start = at_;
    if (!take_text("(") || !take_numbers(condition.values) || !take_text(")")) {
      return error_at(start, text_.size(), kGeoRadiusForm);
    }
    if (condition.values.size() != 3 && condition.values.size() != 4) {
      return error_at(at_, text_.size(),
                      "Was expecting 3 or 4 arguments for `_geoRadius`, but instead found " +
                          std::to_string(condition.values.size()) + ".");
    }
    condition.values.resize(3);  // the fourth is the resolution of a polygon; ours is exact
    return condition;
  }

  Parsed parse_geo_bounding_box(std::size_t keyword) {
    Filter condition = geo_condition(keyword, FilterOperator::kGeoBoundingBox);
    const std::size_t start = at_;
    bool whole = take_text("(");
    for (int corner = 0; corner < 2 && whole; ++corner) {
      if (corner == 1) whole = take_text(",");
      skip_space();
      whole = whole && take_text("[") && take_numbers(condition.values) && take_text("]");
      skip_space();
    }
    if (!whole || !take_text(")")) return error_at(start, text_.size(), kGeoBoundingBoxForm);
    if (condition.values.size() != 4) {
      return error_at(start, text_.size(),
                      "Was expecting 2 coordinates but instead found " +
                          std::to_string(condition.values.size()) + ".");
    }
    return condition;
  }

  Filter geo_condition(std::size_t keyword, FilterOperator operation) {
    Filter condition;
    condition.kind = Filter::Kind::kCondition;
    condition.operation = operation;
    condition.keyword = word(keyword, at_);
    condition.field = condition.keyword;
    condition.field.text = "_geo";
    return condition;
  }

  bool take_numbers(std::vector<FilterWord>& numbers) {
    do {
      skip_space();
      const std::size_t first = at_;
      while (at_ < text_.size() &&
             (std::isdigit(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '.' ||
              text_[at_] == '-' || text_[at_] == '+' || text_[at_] == 'e' || text_[at_] == 'E')) {
        ++at_;
      }
      FilterWord number = word(first, at_);
      if (!number.number()) return false;
      numbers.push_back(std::move(number));
      skip_space();
    } while (take_text(","));
    return true;
  }

  Parsed with_value(Filter condition) {
    auto value = parse_value();
    if (!value) return std::unexpected(std::move(value.error()));
    condition.values.push_back(std::move(*value));
    return condition;
  }

  // A word or a quoted text, and the spaces after it.
  std::expected<FilterWord, ApiError> parse_value() {
    skip_space();
    const std::size_t start = at_;
    const bool quoted = at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"');
    FilterWord value;
    if (quoted) {
      const auto end = find_closing_quote(text_, at_);
      if (!end) return missing_delimiter(start, text_[at_]);
      value = word(at_ + 1, *end);
      at_ = *end + 1;
    } else {
      const std::string_view taken = peek_word();
      if (taken == "_geoPoint" || taken == "_geoDistance" || taken == "_geo")
        return reserved_geo(taken);
      if (taken == "_geoRadius" || taken == "_geoBoundingBox") {
        return error_at(start, text_.size(),
                        "The `" + std::string(taken) +
                            "` filter is an operation and can't be used as a value.");
      }
      if (taken.empty() || std::ranges::find(kKeywords, taken) != kKeywords.end())
        return expected_value(taken);
      at_ += taken.size();
      value = word(start, at_);
    }
    value.quoted = quoted;
    auto unescaped = unescape(value.text, quoted ? text_[start] : '\0');
    if (!unescaped)
      return error_at(value.first, value.end, "Malformed value: `" + escaped(value.text) + "`.");
    value.text = std::move(*unescaped);
    skip_space();
    return value;
  }

  std::unexpected<ApiError> reserved_geo(std::string_view name) const {
    return error_at(
        at_, text_.size(),
        "`" + std::string(name) +
            "` is a reserved keyword and thus can't be used as a filter expression. Use the "
            "`_geoRadius(latitude, longitude, distance)` or `_geoBoundingBox([latitude, "
            "longitude], "
            "[latitude, longitude])` built-in rules to filter on `_geo` coordinates.");
  }

  std::unexpected<ApiError> expected_value(std::string_view keyword) const {
    std::size_t end = at_;
    while (end < text_.size() && !is_syntax(text_[end])) ++end;
    const std::string found = escaped(text_.substr(at_, end - at_));
    if (found.empty()) return error_at(at_, end, "Was expecting a value but instead got nothing.");
    if (keyword.empty())
      return error_at(at_, end, "Was expecting a value but instead got `" + found + "`.");
    return error_at(at_, end,
                    "Was expecting a value but instead got `" + found +
                        "`, which is a reserved keyword. To use `" + found +
                        "` as a field name or a value, surround it by quotes.");
  }

  std::unexpected<ApiError> expected_operation(std::size_t start) const {
    const std::string found = escaped(text_.substr(start));
    const bool nothing = std::ranges::all_of(found, is_space);
    return error_at(start, text_.size(),
                    std::string(kExpectedOperation) +
                        (nothing ? "but instead got nothing." : "at `" + found + "`."));
  }

  std::unexpected<ApiError> missing_delimiter(std::size_t start, char delimiter) const {
    return error_at(start, text_.size(),
                    "Expression `" + escaped(text_.substr(start)) +
                        "` is missing the following closing delimiter: `" + delimiter + "`.");
  }

  std::unexpected<ApiError> too_deep() const {
    return error_at(at_, text_.size(),
                    "The filter exceeded the maximum depth limit. Try rewriting the filter so "
                    "that it contains fewer nested conditions.");
  }

  static bool is_syntax(char c) {
    return is_space(c) || c == '(' || c == ')' || c == '=' || c == '<' || c == '>' || c == '!';
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }
  bool skip_space_any() {
    skip_space();
    return true;
  }
  bool skip_space_once() {
    const std::size_t before = at_;
    skip_space();
    return at_ > before;
  }

  bool take_text(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  bool take_operator(Filter& condition, std::string_view sign, FilterOperator operation) {
    const std::size_t first = at_;
    if (!take_text(sign)) return false;
    condition.operation = operation;
    condition.keyword = word(first, at_);
    return true;
  }

  // The letters, digits, _ - and . that come next.
  std::string_view peek_word() const { return text_.substr(at_, word_size(text_.substr(at_))); }

  // Spaces, exactly that word, and spaces; or nothing.
  bool take_word(std::string_view expected) {
    const std::size_t before = at_;
    skip_space();
    if (peek_word() != expected) {
      at_ = before;
      return false;
    }
    at_ += expected.size();
    if (!expected.starts_with("_geo")) skip_space();
    return true;
  }

  FilterWord word(std::size_t first, std::size_t end) const {
    return {.text = std::string(text_.substr(first, end - first)),
            .first = first,
            .end = end,
            .source = source_};
  }

  std::shared_ptr<const std::string> source_;
  std::string_view text_;
  std::string_view code_;
  std::size_t at_ = 0;
};

}  // namespace

std::expected<Filter, ApiError> parse_filter_text(const std::string& text,
                                                  std::string_view error_code) {
  return Parser(text, error_code).parse();
}

}  // namespace miroir::meili
