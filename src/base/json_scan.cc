#include "base/json_scan.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/document.h"
#include "base/json.h"

namespace miroir {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The code unit of four hexadecimal digits, or -1.
int code_unit(std::string_view digits) {
  if (digits.size() < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(digits[static_cast<std::size_t>(i)]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool is_lead(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_trail(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

void append_utf8(std::string& out, int point) {
  auto byte = [&](int value) { out += static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 | (point >> 6));
    byte(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    byte(0xE0 | (point >> 12));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  } else {
    byte(0xF0 | (point >> 18));
    byte(0x80 | ((point >> 12) & 0x3F));
    byte(0x80 | ((point >> 6) & 0x3F));
    byte(0x80 | (point & 0x3F));
  }
}

bool is_plain(char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; }

// How many bytes of a string begin the text before a quote, a backslash or a control character.
// Eight at a time: a byte of a word is below n where subtracting n from it borrows.
std::size_t plain_bytes(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::size_t at = 0;
  for (; at + sizeof(std::uint64_t) <= text.size(); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    const std::uint64_t quotes = word ^ (kOnes * '"');
    const std::uint64_t backslashes = word ^ (kOnes * '\\');
    const std::uint64_t special = ((quotes - kOnes) & ~quotes) |
                                  ((backslashes - kOnes) & ~backslashes) |
                                  ((word - kOnes * 0x20) & ~word);
    if ((special & kHighs) != 0) break;
  }
  while (at < text.size() && is_plain(text[at])) ++at;
  return at;
}

}  // namespace

void JsonScanner::skip_space() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return;
    ++at_;
  }
}

bool JsonScanner::take(char expected) {
  if (peek() != expected || at_end()) return false;
  ++at_;
  return true;
}

std::unexpected<Error> JsonScanner::error(std::string_view what) const {
  return fail(ErrorCode::kInvalid,
              "malformed JSON: " + std::string(what) + " at byte " + std::to_string(at_));
}

Result<void> JsonScanner::literal(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) return error("expected a value");
  at_ += word.size();
  return {};
}

Result<void> JsonScanner::number() {
  const std::size_t start = at_;
  while (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '+' || text_[at_] == '-' ||
                                text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) {
    ++at_;
  }
  const std::string_view text = text_.substr(start, at_ - start);
  if (!is_number_text(text)) {
    at_ = start;
    return error("expected a value");
  }
  // Without an exponent it takes 309 digits to leave the range.
  const bool may_be_infinite = text.size() > 300 || text.find_first_of("eE") != text.npos;
  if (rules_ == ScanRules::kNodeDocument && may_be_infinite && !std::isfinite(read_as_node(text))) {
    at_ = start;
    return error("number out of range");
  }
  return {};
}

Result<void> JsonScanner::escape() {
  ++at_;  // the backslash
  const char kind = peek();
  if (kind != 'u') {
    if (at_end() || std::string_view("\"\\/bfnrt").find(kind) == std::string_view::npos) {
      return error("invalid escape");
    }
    ++at_;
    return {};
  }
  const int unit = code_unit(text_.substr(at_ + 1));
  if (unit < 0) return error("invalid \\u escape");
  if (is_trail(unit)) return error("lone surrogate");
  at_ += 5;
  if (!is_lead(unit)) return {};
  if (text_.substr(at_, 2) != "\\u" || !is_trail(code_unit(text_.substr(at_ + 2)))) {
    return error("lone surrogate");
  }
  at_ += 6;
  return {};
}

Result<std::string_view> JsonScanner::string() {
  const std::size_t start = at_;
  if (!take('"')) return error("expected a string");
  while (true) {
    at_ += plain_bytes(text_.substr(at_));
    if (at_end()) return error("end of text in a string");
    const char c = text_[at_];
    if (c == '"') {
      ++at_;
      return text_.substr(start, at_ - start);
    }
    if (c != '\\') return error("control character in a string");
    MIROIR_CHECK(escape());
  }
}

Result<std::string_view> JsonScanner::scalar() {
  const std::size_t start = at_;
  const char c = peek();
  if (c == '"') return string();
  if (c == 't') {
    MIROIR_CHECK(literal("true"));
  } else if (c == 'f') {
    MIROIR_CHECK(literal("false"));
  } else if (c == 'n') {
    MIROIR_CHECK(literal("null"));
  } else if (at_end()) {
    return error("end of text where a value was expected");
  } else {
    MIROIR_CHECK(number());
  }
  return text_.substr(start, at_ - start);
}

Result<std::string_view> JsonScanner::value() {
  skip_space();
  const std::size_t start = at_;
  std::string open;  // the brackets that wait to be closed
  const std::size_t depth_max = rules_ == ScanRules::kJson ? kJsonDepthMax : kDocumentDepthMax;
  while (true) {
    // Here a value begins.
    skip_space();
    const char c = peek();
    if (c == '{' || c == '[') {
      if (open.size() >= depth_max) return error("nested too deeply");
      ++at_;
      skip_space();
      if (!take(c == '{' ? '}' : ']')) {
        open += c;
        if (c == '{') {
          MIROIR_CHECK(string());
          skip_space();
          if (!take(':')) return error("expected `:`");
        }
        continue;
      }
    } else {
      MIROIR_CHECK(scalar());
    }
    // Here a value has ended.
    while (true) {
      if (open.empty()) return text_.substr(start, at_ - start);
      skip_space();
      if (take(',')) {
        if (open.back() == '{') {
          skip_space();
          MIROIR_CHECK(string());
          skip_space();
          if (!take(':')) return error("expected `:`");
        }
        break;
      }
      if (!take(open.back() == '{' ? '}' : ']')) {
        return error(open.back() == '{' ? "expected `,` or `}`" : "expected `,` or `]`");
      }
      open.pop_back();
    }
  }
}

bool is_utf8(std::string_view text) { return simdjson::validate_utf8(text.data(), text.size()); }

std::string unescape_string(std::string_view quoted) {
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (const char kind = text[++i]) {
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u': {
        int point = code_unit(text.substr(i + 1));
        i += 4;
        if (is_lead(point)) {
          point = 0x10000 + ((point - 0xD800) << 10) + (code_unit(text.substr(i + 3)) - 0xDC00);
          i += 6;
        }
        append_utf8(out, point);
        break;
      }
      default:
        out += kind;
    }
  }
  return out;
}

bool is_integer_text(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return false;
  for (const char c : text) {
    if (!is_digit(c)) return false;
  }
  return true;
}

bool is_number_text(std::string_view text) {
  std::size_t at = text.starts_with('-') ? 1 : 0;
  auto digits = [&] {
    const std::size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - start;
  };
  const bool zero = at < text.size() && text[at] == '0';
  const std::size_t whole = digits();
  if (whole == 0 || (zero && whole > 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

double nearest_double(std::string_view text) {
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc::result_out_of_range) return value;
  // Too large, or too small to be told from zero: the exponent's sign says which.
  const std::size_t e = text.find_first_of("eE");
  const bool tiny = e != std::string_view::npos && text[e + 1] == '-';
  const double size = tiny ? 0.0 : std::numeric_limits<double>::infinity();
  return text.starts_with('-') ? -size : size;
}

}  // namespace miroir
