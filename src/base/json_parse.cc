#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/document.h"
#include "base/json.h"
#include "base/json_scan.h"

namespace miroir {
namespace {

namespace ondemand = simdjson::ondemand;

std::unexpected<Error> broken(simdjson::error_code code) {
  return fail(ErrorCode::kInvalid, "malformed JSON: " + std::string(simdjson::error_message(code)));
}

// A scalar's token, as On-Demand gives it: with the space behind it.
std::string_view token_of(ondemand::value value) {
  const std::string_view token = value.raw_json_token();
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

Result<Json> number_of(std::string_view token, DecimalReading reading) {
  if (!is_number_text(token)) return fail(ErrorCode::kInvalid, "malformed JSON: invalid number");
  if (is_integer_text(token) && token != "-0") {
    std::int64_t small = 0;
    std::uint64_t big = 0;
    const char* end = token.data() + token.size();
    if (std::from_chars(token.data(), end, small).ec == std::errc()) return Json(small);
    if (std::from_chars(token.data(), end, big).ec == std::errc()) return Json(big);
  }
  const double value =
      reading == DecimalReading::kNode ? read_as_node(token) : nearest_double(token);
  if (!std::isfinite(value)) {
    return fail(ErrorCode::kInvalid, "malformed JSON: number out of range");
  }
  return Json(value);
}

// Of a key given twice the last wins, at the first one's place.
Json unique_members(Json::Object members) {
  std::vector<std::pair<std::string_view, std::size_t>> order;
  order.reserve(members.size());
  for (std::size_t i = 0; i < members.size(); ++i) order.emplace_back(members[i].first, i);
  std::ranges::sort(order);
  std::vector<bool> dropped(members.size());
  bool repeated = false;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last + 1 < order.size() && order[last + 1].first == order[first].first) ++last;
    if (last > first) {
      repeated = true;
      members[order[first].second].second = std::move(members[order[last].second].second);
      for (std::size_t i = first + 1; i <= last; ++i) dropped[order[i].second] = true;
    }
    first = last + 1;
  }
  if (!repeated) return Json(std::move(members));
  Json::Object kept;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!dropped[i]) kept.push_back(std::move(members[i]));
  }
  return Json(std::move(kept));
}

// The scanner has seen that it is not nested too deeply.
Result<Json> convert(ondemand::value value, DecimalReading reading) {
  ondemand::json_type type{};
  if (auto error = value.type().get(type)) return broken(error);
  switch (type) {
    case ondemand::json_type::array: {
      ondemand::array array;
      if (auto error = value.get_array().get(array)) return broken(error);
      Json::Array elements;
      for (auto element : array) {
        ondemand::value inner;
        if (auto error = element.get(inner)) return broken(error);
        MIROIR_TRY(Json converted, convert(inner, reading));
        elements.push_back(std::move(converted));
      }
      return Json(std::move(elements));
    }
    case ondemand::json_type::object: {
      ondemand::object object;
      if (auto error = value.get_object().get(object)) return broken(error);
      Json::Object members;
      for (auto field : object) {
        std::string_view key;
        ondemand::value inner;
        if (auto error = field.unescaped_key().get(key)) return broken(error);
        std::string name(key);
        if (auto error = field.value().get(inner)) return broken(error);
        MIROIR_TRY(Json converted, convert(inner, reading));
        members.emplace_back(std::move(name), std::move(converted));
      }
      return unique_members(std::move(members));
    }
    case ondemand::json_type::string: {
      std::string_view text;
      if (auto error = value.get_string().get(text)) return broken(error);
      return Json(text);
    }
    case ondemand::json_type::boolean:
    case ondemand::json_type::null: {
      const std::string_view token = token_of(value);
      if (token == "true") return Json(true);
      if (token == "false") return Json(false);
      if (token == "null") return Json();
      return fail(ErrorCode::kInvalid, "malformed JSON: invalid literal");
    }
    case ondemand::json_type::number:
      break;
  }
  return number_of(token_of(value), reading);
}

}  // namespace

Result<Json> parse_json(std::string_view text, DecimalReading reading) {
  // On-Demand does not look at what it skips, and a scalar alone is no value to it: the scanner
  // refuses what is malformed, and the text is parsed as the only element of an array.
  if (!is_utf8(text)) return fail(ErrorCode::kInvalid, "malformed JSON: invalid UTF-8");
  JsonScanner scanner(text);
  MIROIR_TRY(const std::string_view whole, scanner.value());
  scanner.skip_space();
  if (!scanner.at_end()) return scanner.error("trailing text");

  std::string wrapped;
  wrapped.reserve(whole.size() + 2 + simdjson::SIMDJSON_PADDING);
  wrapped += '[';
  wrapped += whole;
  wrapped += ']';
  // A parser keeps its memory for the next text; what a large one needs is given back.
  constexpr std::size_t kKeptBytesMax = std::size_t{1} << 20;
  thread_local ondemand::parser kept;
  ondemand::parser fresh;
  ondemand::parser& parser = wrapped.size() <= kKeptBytesMax ? kept : fresh;
  ondemand::document document;
  if (auto error = parser.iterate(wrapped).get(document)) return broken(error);
  ondemand::array array;
  if (auto error = document.get_array().get(array)) return broken(error);
  for (auto element : array) {
    ondemand::value value;
    if (auto error = element.get(value)) return broken(error);
    return convert(value, reading);
  }
  return fail(ErrorCode::kInvalid, "malformed JSON: no value");
}

}  // namespace miroir
