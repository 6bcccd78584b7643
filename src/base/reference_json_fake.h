#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"

namespace miroir {

// The slow and obvious reference for what base does with JSON: a tree of values, its canonical
// text, and many ways to write it. Shares no code with the scanner, the parser and the hash.
struct ReferenceValue {
  enum class Type { kNull, kBoolean, kInteger, kDecimal, kString, kArray, kObject };
  Type type = Type::kNull;
  bool boolean = false;
  bool negative = false;
  std::uint64_t magnitude = 0;  // of an integer within i64/u64
  double decimal = 0;           // of any other number
  std::string string;
  std::vector<ReferenceValue> elements;
  std::map<std::string, ReferenceValue> members;
};

// How many objects and arrays stand in one another, and whether a number is infinite, where that
// decides.
struct ReferenceText {
  ReferenceValue value;
  int depth = 0;
  bool infinite = false;
};
// RFC 8259 and no lone surrogates; the bytes of strings are taken as they are. A decimal counts as
// the integer that it equals; of a key given twice the last counts.
std::optional<ReferenceText> reference_parse(std::string_view text, DecimalReading reading);

// Equal exactly where the values are.
std::string canonical(const ReferenceValue& value);

// Any of the texts of a value, as `reading` understands it.
class ReferenceWriter {
 public:
  ReferenceWriter(Random& random, DecimalReading reading) : random_(random), reading_(reading) {}
  std::string text(const ReferenceValue& value);

 private:
  std::string space();
  std::string integer(const ReferenceValue& value);
  std::string decimal(double value);
  std::string string(const std::string& value);
  std::string object(const ReferenceValue& value);

  Random& random_;
  DecimalReading reading_;
};

}  // namespace miroir
