#include "base/duration.h"

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

namespace miroir {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t size;
};

constexpr std::array<Unit, 6> kTimeUnits = {{{"us", 1},
                                             {"ms", 1'000},
                                             {"s", 1'000'000},
                                             {"m", 60'000'000},
                                             {"h", 3'600'000'000},
                                             {"d", 86'400'000'000}}};
constexpr std::array<Unit, 5> kByteUnits = {
    {{"", 1}, {"KiB", 1LL << 10}, {"MiB", 1LL << 20}, {"GiB", 1LL << 30}, {"TiB", 1LL << 40}}};

// Far beyond what anybody means, and far below what a clock, or a sum of them, can hold.
constexpr std::int64_t kDurationMax = 36'500 * kTimeUnits.back().size;
constexpr std::int64_t kBytesMax = 1'024 * kByteUnits.back().size;

// The number and its unit as a product of at most `max`, or nullopt.
template <std::size_t N>
std::optional<std::int64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units,
                                           std::int64_t max) {
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number <= 0) return std::nullopt;
  if (text.front() == '-' || text.front() == '+') return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& each : units) {
    if (each.name != unit) continue;
    if (number > max / each.size) return std::nullopt;
    return number * each.size;
  }
  return std::nullopt;
}

}  // namespace

Result<Microseconds> parse_duration(std::string_view text) {
  const auto value = text.empty() ? std::nullopt : parse_quantity(text, kTimeUnits, kDurationMax);
  if (!value) {
    return fail(ErrorCode::kInvalid,
                "expected a duration like \"500ms\", \"60s\", \"5m\", \"6h\" or \"7d\", got \"" +
                    std::string(text) + "\"");
  }
  return Microseconds(*value);
}

Result<Microseconds> parse_schedule(std::string_view text) {
  constexpr std::string_view kEvery = "every ";
  if (text.starts_with(kEvery)) {
    if (auto duration = parse_duration(text.substr(kEvery.size()))) return *duration;
  }
  return fail(ErrorCode::kInvalid,
              "expected a schedule like \"every 6h\", got \"" + std::string(text) + "\"");
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const auto value = text.empty() ? std::nullopt : parse_quantity(text, kByteUnits, kBytesMax);
  if (!value) {
    return fail(ErrorCode::kInvalid,
                "expected a number of bytes like \"104857600\", \"512KiB\" or \"20GiB\", got \"" +
                    std::string(text) + "\"");
  }
  return static_cast<std::uint64_t>(*value);
}

std::string to_text(Microseconds duration) {
  const std::int64_t count = duration.count();
  for (std::size_t i = kTimeUnits.size(); i-- > 0;) {
    if (count != 0 && count % kTimeUnits[i].size == 0) {
      return std::to_string(count / kTimeUnits[i].size) + std::string(kTimeUnits[i].name);
    }
  }
  return std::to_string(count) + "us";
}

}  // namespace miroir
