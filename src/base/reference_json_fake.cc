#include "base/reference_json_fake.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/document.h"

namespace miroir {
namespace {

using Type = ReferenceValue::Type;

constexpr int kDepthMax = 2'000;  // of this parser

// By recursive descent, one byte at a time. `failed_` ends everything.
class Parser {
 public:
  Parser(std::string_view text, DecimalReading reading) : text_(text), reading_(reading) {}

  std::optional<ReferenceText> parse() {
    ReferenceText all;
    all.value = value(1);
    space();
    if (failed_ || at_ != text_.size()) return std::nullopt;
    all.depth = depth_;
    all.infinite = infinite_;
    return all;
  }

 private:
  int next() const { return at_ < text_.size() ? static_cast<unsigned char>(text_[at_]) : -1; }
  bool take(char c) {
    if (next() != static_cast<unsigned char>(c)) return false;
    ++at_;
    return true;
  }
  void need(char c) { failed_ = failed_ || !take(c); }
  void space() {
    while (take(' ') || take('\t') || take('\r') || take('\n')) {
    }
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  ReferenceValue value(int depth) {
    ReferenceValue result;
    space();
    if (failed_ || depth > kDepthMax) failed_ = true;
    if (failed_) return result;
    if (next() == '{' || next() == '[') depth_ = std::max(depth_, depth);
    if (next() == '"') {
      result.type = Type::kString;
      result.string = string();
    } else if (take('[')) {
      result.type = Type::kArray;
      space();
      if (take(']')) return result;
      do {
        result.elements.push_back(value(depth + 1));
        space();
      } while (!failed_ && take(','));
      need(']');
    } else if (take('{')) {
      result.type = Type::kObject;
      space();
      if (take('}')) return result;
      do {
        space();
        std::string key = string();
        space();
        need(':');
        result.members.insert_or_assign(std::move(key), value(depth + 1));
        space();
      } while (!failed_ && take(','));
      need('}');
    } else if (word("true")) {
      result.type = Type::kBoolean;
      result.boolean = true;
    } else if (word("false")) {
      result.type = Type::kBoolean;
    } else if (!word("null")) {
      number(result);
    }
    return result;
  }

  void digits(std::string& out) {
    const std::size_t before = out.size();
    while (next() >= '0' && next() <= '9') out += text_[at_++];
    failed_ = failed_ || out.size() == before;
  }

  void number(ReferenceValue& result) {
    std::string text;
    bool whole = true;
    if (take('-')) text += '-';
    if (take('0')) {
      text += '0';
    } else {
      digits(text);
    }
    if (take('.')) {
      whole = false;
      text += '.';
      digits(text);
    }
    if (take('e') || take('E')) {
      whole = false;
      text += 'e';
      if (take('-')) {
        text += '-';
      } else {
        take('+');
      }
      digits(text);
    }
    if (failed_) return;
    result.negative = text[0] == '-';
    result.type = Type::kInteger;
    if (whole && integer(text, result)) return;
    const double decimal =
        reading_ == DecimalReading::kNode ? read_as_node(text) : std::strtod(text.c_str(), nullptr);
    infinite_ = infinite_ || std::isinf(decimal);
    char exact[400];
    std::snprintf(exact, sizeof exact, "%.0f", decimal);
    if (decimal == std::trunc(decimal) && std::isfinite(decimal) && integer(exact, result)) return;
    result.type = Type::kDecimal;
    result.decimal = decimal;
  }

  // Whether it is within i64/u64.
  static bool integer(const std::string& text, ReferenceValue& result) {
    const bool negative = text[0] == '-';
    const std::string size = text.substr(negative ? 1 : 0);
    const std::string limit = negative ? "9223372036854775808" : "18446744073709551615";
    if (size.size() > limit.size() || (size.size() == limit.size() && size > limit)) return false;
    result.magnitude = std::strtoull(size.c_str(), nullptr, 10);
    result.negative = negative && result.magnitude > 0;
    return true;
  }

  // Four hexadecimal digits.
  unsigned unit() {
    unsigned result = 0;
    for (int i = 0; i < 4; ++i) {
      static constexpr std::string_view kDigits = "0123456789abcdef0123456789ABCDEF";
      const int digit = next();
      const std::size_t place = digit < 0 ? kDigits.npos : kDigits.find(static_cast<char>(digit));
      if (place == kDigits.npos) {
        failed_ = true;
        return 0;
      }
      result = result * 16 + static_cast<unsigned>(place % 16);
      ++at_;
    }
    return result;
  }

  void character(std::string& out) {
    unsigned point = unit();
    if (point >= 0xDC00 && point < 0xE000) failed_ = true;
    if (point >= 0xD800 && point < 0xDC00) {
      need('\\');
      need('u');
      const unsigned low = failed_ ? 0 : unit();
      if (low < 0xDC00 || low >= 0xE000) failed_ = true;
      point = 0x10000 + (point - 0xD800) * 0x400 + (low - 0xDC00);
    }
    if (failed_) return;
    auto byte = [&](unsigned value) { out += static_cast<char>(value); };
    if (point < 0x80) return byte(point);
    if (point < 0x800) return byte(0xC0 + point / 64), byte(0x80 + point % 64);
    if (point < 0x10000) {
      return byte(0xE0 + point / 4096), byte(0x80 + point / 64 % 64), byte(0x80 + point % 64);
    }
    byte(0xF0 + point / 262144);
    byte(0x80 + point / 4096 % 64);
    byte(0x80 + point / 64 % 64);
    byte(0x80 + point % 64);
  }

  std::string string() {
    std::string out;
    need('"');
    while (!failed_ && !take('"')) {
      const int c = next();
      if (c < 0x20) {
        failed_ = true;
      } else if (c != '\\') {
        out += text_[at_++];
      } else {
        ++at_;
        static constexpr std::string_view kNames = "\"\\/bfnrt";
        static constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
        if (take('u')) {
          character(out);
          continue;
        }
        const std::size_t known = next() < 0 ? kNames.npos : kNames.find(static_cast<char>(next()));
        if (known == kNames.npos) {
          failed_ = true;
        } else {
          out += kMeanings[known];
          ++at_;
        }
      }
    }
    return out;
  }

  std::string_view text_;
  DecimalReading reading_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool infinite_ = false;
  bool failed_ = false;
};

struct Character {
  std::size_t bytes = 1;
  std::optional<unsigned> point;  // none: no UTF-8
};

Character character_at(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(at);
  if (first < 0x80) return {1, first};
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  static constexpr unsigned kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  unsigned point = first & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xC0U) != 0x80) return {};
    point = point * 64 + (byte(at + i) & 0x3FU);
  }
  if (first < 0xC0 || first >= 0xF8 || point < kLowest[bytes] || point > 0x10FFFF ||
      (point >= 0xD800 && point < 0xE000)) {
    return {};
  }
  return {bytes, point};
}

std::string escape(unsigned unit, bool capitals) {
  char text[8];
  std::snprintf(text, sizeof text, capitals ? "\\u%04X" : "\\u%04x", unit);
  return text;
}

}  // namespace

std::optional<ReferenceText> reference_parse(std::string_view text, DecimalReading reading) {
  return Parser(text, reading).parse();
}

std::string canonical(const ReferenceValue& value) {
  switch (value.type) {
    case Type::kNull:
      return "n";
    case Type::kBoolean:
      return value.boolean ? "t" : "f";
    case Type::kInteger:
      return "i" + std::string(value.negative && value.magnitude > 0 ? "-" : "") +
             std::to_string(value.magnitude) + ";";
    case Type::kDecimal: {
      char text[64];
      std::snprintf(text, sizeof text, "d%a;", value.decimal);
      return text;
    }
    case Type::kString:
      return "s" + std::to_string(value.string.size()) + ":" + value.string;
    case Type::kArray: {
      std::string text = "[";
      for (const ReferenceValue& element : value.elements) text += canonical(element);
      return text + "]";
    }
    case Type::kObject: {
      std::string text = "{";
      for (const auto& [key, member] : value.members) {
        text += std::to_string(key.size()) + ":" + key + canonical(member);
      }
      return text + "}";
    }
  }
  return "";
}

std::string ReferenceWriter::text(const ReferenceValue& value) {
  switch (value.type) {
    case Type::kNull:
      return "null";
    case Type::kBoolean:
      return value.boolean ? "true" : "false";
    case Type::kInteger:
      return integer(value);
    case Type::kDecimal:
      return decimal(value.decimal);
    case Type::kString:
      return string(value.string);
    case Type::kArray: {
      std::string out = "[" + space();
      for (std::size_t i = 0; i < value.elements.size(); ++i) {
        out += (i > 0 ? "," : "") + space() + text(value.elements[i]) + space();
      }
      return out + "]";
    }
    case Type::kObject:
      return object(value);
  }
  return "";
}

std::string ReferenceWriter::space() {
  return random_.chance(0.8) ? "" : std::string(1, " \t\r\n"[random_.below(4)]);
}

std::string ReferenceWriter::integer(const ReferenceValue& value) {
  const std::string digits = (value.negative ? "-" : "") + std::to_string(value.magnitude);
  static constexpr std::string_view kZeros[] = {"0", "-0", "0.0", "-0.0", "0e7", "-0E-3"};
  if (value.magnitude == 0) return std::string(kZeros[random_.below(std::size(kZeros))]);
  // Below 2^53 and with few zeros, every reading of the other forms is exact.
  if (value.magnitude >= std::uint64_t{1} << 40) return digits;
  switch (random_.below(5)) {
    case 0:
      return digits + ".0";
    case 1:
      return digits + "e0";
    case 2:
      return digits + "000E-3";
    case 3:
      return digits + ".00e+00";
    default:
      return digits;
  }
}

std::string ReferenceWriter::decimal(double value) {
  if (std::isinf(value)) return value < 0 ? "-1e400" : "1e400";
  if (reading_ == DecimalReading::kNode) return text_for_node(value);
  char out[64];
  const int precision = random_.chance(0.5) ? 17 : 20;
  const auto end = std::to_chars(out, out + sizeof out, value).ptr;
  if (random_.chance(0.5)) return std::string(out, end);
  std::snprintf(out, sizeof out, "%.*e", precision, value);
  return out;
}

std::string ReferenceWriter::string(const std::string& value) {
  std::string out = "\"";
  for (std::size_t i = 0; i < value.size();) {
    const Character character = character_at(value, i);
    const char byte = value[i];
    const bool must = static_cast<unsigned char>(byte) < 0x20 || byte == '"' || byte == '\\';
    if (character.point && (must || random_.chance(0.3))) {
      const unsigned point = *character.point;
      const bool capitals = random_.chance(0.5);
      if ((byte == '"' || byte == '\\' || byte == '/') && random_.chance(0.5)) {
        out += '\\';
        out += byte;
      } else if (point < 0x10000) {
        out += escape(point, capitals);
      } else {
        out += escape(0xD800 + (point - 0x10000) / 0x400, capitals);
        out += escape(0xDC00 + (point - 0x10000) % 0x400, capitals);
      }
    } else {
      out += value.substr(i, character.bytes);
    }
    i += character.bytes;
  }
  return out + "\"";
}

std::string ReferenceWriter::object(const ReferenceValue& value) {
  std::vector<std::string> members;
  for (const auto& [key, member] : value.members) {
    members.push_back(space() + string(key) + space() + ":" + space() + text(member));
  }
  for (std::size_t i = members.size(); i > 1; --i) {
    std::swap(members[i - 1], members[random_.below(i)]);
  }
  // A key given before what counts.
  if (!value.members.empty() && random_.chance(0.2)) {
    members.insert(members.begin(), string(value.members.begin()->first) + ":[1]");
  }
  std::string out = "{";
  for (std::size_t i = 0; i < members.size(); ++i) out += (i > 0 ? "," : "") + members[i];
  return out + space() + "}";
}

}  // namespace miroir
