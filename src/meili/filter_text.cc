#include "meili/filter_text.h"

#include <utf8proc.h>

#include <array>
#include <charconv>

namespace miroir::meili {
namespace {

bool is_word_character(utf8proc_int32_t character) {
  if (character == '_' || character == '-' || character == '.') return true;
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

// The digits of an escape that begin at `at`; moves behind them.
std::optional<std::int32_t> code_point(std::string_view text, std::size_t& at, std::size_t digits,
                                       int base) {
  std::int32_t value = 0;
  const std::string_view part = text.substr(at, digits);
  const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), value, base);
  if (part.size() != digits || error != std::errc() || stop != part.data() + part.size())
    return std::nullopt;
  at += digits;
  return value;
}

// What follows `\u`: {1F980} or four digits.
std::optional<std::int32_t> unicode_escape(std::string_view text, std::size_t& at) {
  if (at >= text.size() || text[at] != '{') return code_point(text, at, 4, 16);
  const std::size_t close = text.find('}', at);
  if (close == std::string_view::npos) return std::nullopt;
  const std::size_t digits = close - ++at;
  const auto value = code_point(text, at, digits, 16);
  ++at;
  return value;
}

}  // namespace

std::size_t word_size(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    utf8proc_int32_t character = 0;
    const auto size = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + at),
                                       static_cast<utf8proc_ssize_t>(text.size() - at), &character);
    if (size <= 0 || !is_word_character(character)) break;
    at += static_cast<std::size_t>(size);
  }
  return at;
}

std::optional<std::size_t> find_closing_quote(std::string_view text, std::size_t open) {
  for (std::size_t at = open + 1; at < text.size(); ++at) {
    if (text[at] == text[open]) return at;
    if (text[at] == '\\') ++at;
  }
  return std::nullopt;
}

std::optional<std::string> unescape(std::string_view text, char quote) {
  if (text.find('\\') == std::string_view::npos) return std::string(text);
  static constexpr std::string_view kNames = "bfnrtv'\"\\/0";
  static constexpr std::string_view kMeanings("\b\f\n\r\t\v'\"\\/\0", 11);
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      out += text[at++];
      continue;
    }
    if (++at == text.size()) return std::nullopt;
    const char escape = text[at++];
    std::optional<std::int32_t> point;
    if (escape == quote && quote != '\0') {
      point = escape;
    } else if (const std::size_t known = kNames.find(escape); known != std::string_view::npos) {
      point = kMeanings[known];
    } else if (escape == 'u') {
      point = unicode_escape(text, at);
    } else if (escape == 'x') {
      point = code_point(text, at, 2, 16);
    }
    if (!point || !utf8proc_codepoint_valid(*point)) return std::nullopt;
    std::array<utf8proc_uint8_t, 4> bytes;
    const auto size = utf8proc_encode_char(*point, bytes.data());
    out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\'':
      case '"':
      case '\\':
        out += '\\';
        [[fallthrough]];
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace miroir::meili
