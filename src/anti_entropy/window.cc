#include "anti_entropy/window.h"

#include <algorithm>
#include <optional>

namespace miroir {
namespace {

constexpr Seconds kDay = std::chrono::hours(24);
// A window opens at least once in two days, whatever the clocks are set to.
constexpr Microseconds kSearched = std::chrono::hours(49);

std::optional<Seconds> time_of_day(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9'; };
  if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
    return std::nullopt;
  const int hours = (text[0] - '0') * 10 + (text[1] - '0');
  const int minutes = (text[3] - '0') * 10 + (text[4] - '0');
  if (hours > 24 || minutes > 59 || (hours == 24 && minutes > 0)) return std::nullopt;
  return std::chrono::hours(hours) + std::chrono::minutes(minutes);
}

}  // namespace

Result<Window> Window::parse(std::string_view text) {
  const auto malformed = [&] {
    return fail(ErrorCode::kInvalid, "not like \"01:00-05:00 Europe/Paris\"");
  };
  const std::size_t space = text.find(' ');
  const std::string_view times = text.substr(0, space);
  const std::size_t dash = times.find('-');
  if (dash == std::string_view::npos) return malformed();
  const auto first = time_of_day(times.substr(0, dash));
  const auto end = time_of_day(times.substr(dash + 1));
  if (!first || !end || *first == kDay) return malformed();
  const std::string_view place =
      space == std::string_view::npos ? std::string_view("UTC") : text.substr(space + 1);
  MIROIR_TRY(const TimeZone zone, TimeZone::find(std::string(place)));
  return Window(zone, *first, *end);
}

bool Window::contains(WallTime time) const {
  const auto local = std::chrono::floor<Seconds>(time + zone_.offset(time));
  const Seconds now = local - std::chrono::floor<std::chrono::days>(local);
  if (first_ < end_) return now >= first_ && now < end_;
  return now >= first_ || now < end_;
}

bool open(const std::vector<Window>& windows, WallTime time) {
  return windows.empty() ||
         std::ranges::any_of(windows, [&](const Window& window) { return window.contains(time); });
}

WallTime next_opening(const std::vector<Window>& windows, WallTime time) {
  if (open(windows, time)) return time;
  const WallTime end = time + kSearched;
  WallTime minute = std::chrono::ceil<std::chrono::minutes>(time);
  while (minute < end && !open(windows, minute)) minute += std::chrono::minutes(1);
  return minute;
}

}  // namespace miroir
