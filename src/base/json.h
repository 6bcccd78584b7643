#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace miroir {

// How the text of a decimal becomes a double (FACTS.md).
enum class DecimalReading {
  kNearest,  // as every correct parser does: for what a node, or Miroir itself, printed
  kNode,     // as Meilisearch's parser does: for what a client wrote and a node will read
};

// A JSON value for the control plane: settings, filters, errors, tasks, search answers. Objects
// keep the order of their keys; of a key given twice the last wins. Integers within i64/u64 are
// exact; others are doubles. Documents are not handled with this (base/document.h).
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;  // null
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(std::int64_t{value}) {}
  Json(std::uint32_t value) : value_(std::int64_t{value}) {}
  Json(std::int64_t value) : value_(value) {}
  Json(std::uint64_t value);  // kept as i64 where it fits
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  static Json array(std::initializer_list<Json> elements = {}) { return Json(Array(elements)); }
  static Json object(std::initializer_list<Member> members = {}) { return Json(Object(members)); }

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_integer() const { return is_int64() || std::holds_alternative<std::uint64_t>(value_); }
  bool is_int64() const { return std::holds_alternative<std::int64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_integer() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<Array>(value_); }
  bool is_object() const { return std::holds_alternative<Object>(value_); }
  // "null", "boolean", "integer", "float", "string", "array", "object"
  std::string_view type_name() const;

  // The value as that type; asserts that it is one.
  bool as_bool() const;
  std::int64_t as_int64() const;
  std::uint64_t as_uint64() const;  // asserts that it is an integer ≥ 0
  double as_double() const;         // any number
  const std::string& as_string() const;
  const Array& as_array() const;
  Array& as_array();
  const Object& as_object() const;
  Object& as_object();

  // Objects: the member of that name, or nullptr (also where this is no object).
  const Json* find(std::string_view key) const;
  Json* find(std::string_view key);
  const std::string* find_text(std::string_view key) const;  // nullptr for other values, too
  // Objects (null becomes one): sets or replaces, keeping the place of an existing key.
  Json& set(std::string_view key, Json value);
  // Objects: the member of that name, made null if missing.
  Json& operator[](std::string_view key);
  bool erase(std::string_view key);
  void push_back(Json value);  // arrays (null becomes one)
  std::size_t size() const;    // elements or members; 0 for anything else

  // Equal values: objects whatever the order of their keys, numbers by value.
  friend bool operator==(const Json& a, const Json& b);

 private:
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value_;
};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

// Refuses what is not exactly one JSON value in valid UTF-8, nesting beyond kJsonDepthMax, and
// trailing text.
inline constexpr int kJsonDepthMax = 512;
Result<Json> parse_json(std::string_view text, DecimalReading reading = DecimalReading::kNearest);

// Compact text, numbers as Meilisearch prints them: doubles in the shortest form that reads back,
// always with a point or exponent ("1.0", "1e+16"); what is not finite as null.
std::string to_text(const Json& value);
void append_text(std::string& out, const Json& value);
// The string with its quotes and escapes.
void append_quoted(std::string& out, std::string_view text);

}  // namespace miroir
