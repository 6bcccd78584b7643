#include "cdc/cursor.h"

#include <charconv>
#include <optional>

namespace miroir::cdc {
namespace {

// Positions and events are counted in far fewer bits.
constexpr std::uint64_t kNumberMax = std::uint64_t{1} << 62;

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > kNumberMax)
    return std::nullopt;
  return number;
}

}  // namespace

std::string to_string(const Cursor& cursor) {
  if (cursor.given == Cursor::kWhole) return std::to_string(cursor.position);
  return std::to_string(cursor.position) + "-" + std::to_string(cursor.given - 1);
}

Result<Cursor> parse_cursor(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto position = number_of(text.substr(0, dash));
  const auto event = dash == std::string_view::npos ? std::optional<std::uint64_t>(0)
                                                    : number_of(text.substr(dash + 1));
  if (!position || !event) {
    return fail(ErrorCode::kInvalid,
                "expected a place in the stream like \"12\" or \"12-3\", got \"" +
                    std::string(text) + "\"");
  }
  if (dash == std::string_view::npos) return Cursor{*position, Cursor::kWhole};
  return Cursor{*position, *event + 1};
}

}  // namespace miroir::cdc
