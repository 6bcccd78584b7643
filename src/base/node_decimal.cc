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

bool is_digit(char c) { return c >= '0' && c <= '9'; }

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

template <class... Precision>
std::string printed(double value, Precision... precision) {
  char buffer[400];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                                 std::chars_format::scientific, precision...);
  MIROIR_ASSERT(end.ec == std::errc());
  return std::string(buffer, end.ptr);
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
  if (std::string shortest = to_text(Json(value)); read_as_node(shortest) == value) return shortest;
  for (int digits = 15; digits <= 20; ++digits) {
    if (std::string longer = printed(value, digits); read_as_node(longer) == value) return longer;
  }
  // Neighbours: the node's error is below a few units in the last place.
  double above = value;
  double below = value;
  for (int step = 0; step < 64; ++step) {
    above = std::nextafter(above, std::numeric_limits<double>::infinity());
    below = std::nextafter(below, -std::numeric_limits<double>::infinity());
    for (const double neighbour : {above, below}) {
      if (!std::isfinite(neighbour)) continue;
      if (std::string text = to_text(Json(neighbour)); read_as_node(text) == value) return text;
      for (int digits = 15; digits <= 20; ++digits) {
        if (std::string text = printed(neighbour, digits); read_as_node(text) == value) return text;
      }
    }
  }
  return to_text(Json(value));
}

}  // namespace miroir
