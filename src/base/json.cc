#include "base/json.h"

#include <charconv>
#include <cmath>

#include "base/assert.h"

namespace miroir {

Json::Json(std::uint64_t value) {
  if (value <= static_cast<std::uint64_t>(INT64_MAX)) {
    value_ = static_cast<std::int64_t>(value);
  } else {
    value_ = value;
  }
}

std::string_view Json::type_name() const {
  if (is_null()) return "null";
  if (is_bool()) return "boolean";
  if (is_integer()) return "integer";
  if (is_double()) return "float";
  if (is_string()) return "string";
  return is_array() ? "array" : "object";
}

bool Json::as_bool() const {
  MIROIR_ASSERT(is_bool());
  return std::get<bool>(value_);
}

std::int64_t Json::as_int64() const {
  MIROIR_ASSERT(is_int64());
  return std::get<std::int64_t>(value_);
}

std::uint64_t Json::as_uint64() const {
  if (const auto* big = std::get_if<std::uint64_t>(&value_)) return *big;
  MIROIR_ASSERT(is_int64() && std::get<std::int64_t>(value_) >= 0);
  return static_cast<std::uint64_t>(std::get<std::int64_t>(value_));
}

double Json::as_double() const {
  MIROIR_ASSERT(is_number());
  if (const auto* small = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*small);
  if (const auto* big = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*big);
  return std::get<double>(value_);
}

const std::string& Json::as_string() const {
  MIROIR_ASSERT(is_string());
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const {
  MIROIR_ASSERT(is_array());
  return std::get<Array>(value_);
}

Json::Array& Json::as_array() {
  MIROIR_ASSERT(is_array());
  return std::get<Array>(value_);
}

const Json::Object& Json::as_object() const {
  MIROIR_ASSERT(is_object());
  return std::get<Object>(value_);
}

Json::Object& Json::as_object() {
  MIROIR_ASSERT(is_object());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const {
  const auto* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  for (const Member& member : *members) {
    if (member.first == key) return &member.second;
  }
  return nullptr;
}

Json* Json::find(std::string_view key) { return const_cast<Json*>(std::as_const(*this).find(key)); }

const std::string* Json::find_text(std::string_view key) const {
  const Json* value = find(key);
  return value != nullptr && value->is_string() ? &value->as_string() : nullptr;
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object{};
  if (Json* member = find(key)) return *member;
  auto& members = as_object();
  members.emplace_back(std::string(key), Json());
  return members.back().second;
}

Json& Json::set(std::string_view key, Json value) {
  Json& member = (*this)[key];
  member = std::move(value);
  return member;
}

bool Json::erase(std::string_view key) {
  auto* members = std::get_if<Object>(&value_);
  if (members == nullptr) return false;
  return std::erase_if(*members, [&](const Member& member) { return member.first == key; }) > 0;
}

void Json::push_back(Json value) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(value));
}

std::size_t Json::size() const {
  if (const auto* elements = std::get_if<Array>(&value_)) return elements->size();
  if (const auto* members = std::get_if<Object>(&value_)) return members->size();
  return 0;
}

namespace {

// Exactly: an integer beyond 2^53 is not the decimal that it would be rounded to.
bool same_value(const Json& integer, double decimal) {
  if (integer.as_double() != decimal) return false;
  if (integer.is_int64()) {
    return decimal < 0x1p63 && static_cast<std::int64_t>(decimal) == integer.as_int64();
  }
  return decimal < 0x1p64 && static_cast<std::uint64_t>(decimal) == integer.as_uint64();
}

}  // namespace

bool operator==(const Json& a, const Json& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.value_ == b.value_;
    if (a.is_double() && b.is_double()) return a.as_double() == b.as_double();
    return a.is_integer() ? same_value(a, b.as_double()) : same_value(b, a.as_double());
  }
  if (a.is_object() && b.is_object()) {
    const Json::Object& theirs = b.as_object();
    if (a.size() != theirs.size()) return false;
    std::size_t place = 0;
    for (const auto& [key, value] : a.as_object()) {
      // Mostly the order is the same, and then large objects are compared in one walk.
      const Json::Member& same_place = theirs[place++];
      const Json* other = same_place.first == key ? &same_place.second : b.find(key);
      if (other == nullptr || !(value == *other)) return false;
    }
    return true;
  }
  return a.value_ == b.value_;
}

namespace {

// As Meilisearch prints: the shortest digits that read back; from 1e-5 to below 1e16 plain, with a
// point, beyond with an exponent: "1e+16".
void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char buffer[64];
  const auto shortest =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  std::string_view text(buffer, static_cast<std::size_t>(shortest.ptr - buffer));
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* exponent_start = text.data() + e + 1;
  if (*exponent_start == '+') ++exponent_start;
  std::from_chars(exponent_start, text.data() + text.size(), exponent);
  std::string digits(1, text.front());
  if (e > 2) digits += text.substr(2, e - 2);
  const int point = exponent + 1;  // digits before the point
  const int count = static_cast<int>(digits.size());
  if (value == 0) {
    out += "0.0";
  } else if (count <= point && point <= 16) {
    out += digits;
    out.append(static_cast<std::size_t>(point - count), '0');
    out += ".0";
  } else if (0 < point && point <= 16) {
    out.append(digits, 0, static_cast<std::size_t>(point));
    out += '.';
    out.append(digits, static_cast<std::size_t>(point));
  } else if (-5 < point && point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-point), '0');
    out += digits;
  } else {
    out += digits.front();
    if (count > 1) {
      out += '.';
      out.append(digits, 1);
    }
    out += exponent < 0 ? "e" : "e+";
    out += std::to_string(exponent);
  }
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          out += "\\u00";
          out += kHex[(c >> 4) & 15];
          out += kHex[c & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_text(std::string& out, const Json& value) {
  if (value.is_null()) {
    out += "null";
  } else if (value.is_bool()) {
    out += value.as_bool() ? "true" : "false";
  } else if (value.is_int64()) {
    out += std::to_string(value.as_int64());
  } else if (value.is_integer()) {
    out += std::to_string(value.as_uint64());
  } else if (value.is_double()) {
    append_double(out, value.as_double());
  } else if (value.is_string()) {
    append_quoted(out, value.as_string());
  } else if (value.is_array()) {
    out += '[';
    const char* comma = "";
    for (const Json& element : value.as_array()) {
      out += comma;
      append_text(out, element);
      comma = ",";
    }
    out += ']';
  } else {
    out += '{';
    const char* comma = "";
    for (const auto& [key, member] : value.as_object()) {
      out += comma;
      append_quoted(out, key);
      out += ':';
      append_text(out, member);
      comma = ",";
    }
    out += '}';
  }
}

std::string to_text(const Json& value) {
  std::string out;
  append_text(out, value);
  return out;
}

}  // namespace miroir
