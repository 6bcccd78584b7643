// The node's reading of decimals: serde_json without `float_roundtrip` (its src/de.rs:
// parse_integer, parse_decimal, parse_exponent, f64_from_parts), which FACTS.md found to predict
// every answer of a real node.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "base/assert.h"
#include "base/document.h"
#include "base/json_scan.h"

namespace miroir {
namespace {

constexpr int kPowers = 309;

const std::array<double, kPowers>& powers_of_ten() {
  static const std::array<double, kPowers> powers = [] {
    std::array<double, kPowers> made{};
    for (int i = 0; i < kPowers; ++i) {
      const std::string text = "1e" + std::to_string(i);
      std::from_chars(text.data(), text.data() + text.size(), made[static_cast<std::size_t>(i)]);
    }
    return made;
  }();
  return powers;
}

double from_parts(std::uint64_t significand, std::int64_t exponent) {
  double value = static_cast<double>(significand);
  while (true) {
    const std::uint64_t size = static_cast<std::uint64_t>(exponent < 0 ? -exponent : exponent);
    if (size < kPowers) {
      const double power = powers_of_ten()[size];
      return exponent >= 0 ? value * power : value / power;
    }
    if (value == 0) return 0;
    if (exponent >= 0) return std::numeric_limits<double>::infinity();
    value /= 1e308;
    exponent += 308;
  }
}

bool would_overflow(std::uint64_t significand, std::uint64_t digit) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  return significand >= kMax / 10 && (significand > kMax / 10 || digit > kMax % 10);
}

// The exponent's digits; nullopt where they exceed an i32, as serde_json counts.
std::optional<std::int64_t> exponent_of(std::string_view digits) {
  std::int64_t exponent = 0;
  for (const char c : digits) {
    exponent = exponent * 10 + (c - '0');
    if (exponent > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  }
  return exponent;
}

double magnitude(std::string_view text) {
  std::uint64_t significand = 0;
  std::int64_t exponent = 0;
  std::size_t at = 0;
  bool full = false;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    const auto digit = static_cast<std::uint64_t>(text[at] - '0');
    full = full || would_overflow(significand, digit);
    if (full) {
      ++exponent;
    } else {
      significand = significand * 10 + digit;
    }
  }
  if (at < text.size() && text[at] == '.') {
    bool dropping = false;
    for (++at; at < text.size() && is_digit(text[at]); ++at) {
      const auto digit = static_cast<std::uint64_t>(text[at] - '0');
      dropping = dropping || would_overflow(significand, digit);
      if (dropping) continue;
      significand = significand * 10 + digit;
      --exponent;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    bool negative = false;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) negative = text[at++] == '-';
    const auto given = exponent_of(text.substr(at));
    if (!given) {
      return significand == 0 || negative ? 0.0 : std::numeric_limits<double>::infinity();
    }
    exponent += negative ? -*given : *given;
  }
  return from_parts(significand, exponent);
}

// A number near `around` that fits a u64, `steps` of its own spacing away: the node turns it into a
// double first, so beyond 2^53 only those that are doubles matter.
std::optional<std::uint64_t> significand_near(double around, int steps) {
  if (around < 0x1p53) {
    const double whole = std::round(around) + steps;
    if (whole < 1) return std::nullopt;
    return static_cast<std::uint64_t>(whole);
  }
  for (int i = 0; i < std::abs(steps); ++i)
    around = std::nextafter(around, steps < 0 ? 0 : HUGE_VAL);
  if (around >= 0x1p64) return std::nullopt;
  return static_cast<std::uint64_t>(around);
}

}  // namespace

double read_as_node(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const double value = magnitude(number);
  return negative ? -value : value;
}

std::string text_for_node(double value) {
  MIROIR_ASSERT(std::isfinite(value));
  std::string shortest = to_text(Json(value));
  if (read_as_node(shortest) == value) return shortest;
  // What a node read came from some significand and power of ten, each rounded to a double, and one
  // rounded operation: the significand is within a few steps of the exact quotient.
  constexpr int kStepsMax = 8;
  constexpr int kDigitsMax = 20;      // of a u64
  constexpr int kDigitsTypical = 15;  // tried first: nearly always enough
  const double size = std::abs(value);
  const int magnitude = static_cast<int>(std::floor(std::log10(size)));
  for (int i = 0; i < kDigitsMax; ++i) {
    const int exponent = magnitude - (i + kDigitsTypical) % kDigitsMax;
    const auto around = static_cast<double>(size * std::pow(10.0L, -exponent));
    for (int j = 0; j <= 2 * kStepsMax; ++j) {
      const auto significand = significand_near(around, j % 2 == 0 ? j / 2 : -(j + 1) / 2);
      if (!significand) continue;
      std::string text = std::to_string(*significand) + "e" + std::to_string(exponent);
      if (value < 0) text.insert(0, 1, '-');
      if (read_as_node(text) == value) return text;
    }
  }
  return shortest;  // no node holds it
}

}  // namespace miroir
