#include "meili/task.h"

#include <algorithm>
#include <charconv>

namespace miroir::meili {
namespace {

constexpr std::array<std::string_view, kTaskStatusCount> kStatuses = {
    "enqueued", "processing", "succeeded", "failed", "canceled"};
constexpr std::array<std::string_view, kTaskKindCount> kKinds = {"documentAdditionOrUpdate",
                                                                 "documentEdition",
                                                                 "documentDeletion",
                                                                 "settingsUpdate",
                                                                 "indexCreation",
                                                                 "indexDeletion",
                                                                 "indexUpdate",
                                                                 "indexSwap",
                                                                 "taskCancelation",
                                                                 "taskDeletion",
                                                                 "dumpCreation",
                                                                 "snapshotCreation",
                                                                 "export",
                                                                 "upgradeDatabase",
                                                                 "indexCompaction",
                                                                 "networkTopologyChange"};

bool same_letters(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

// Reads exactly `digits` digits at `at` and what must follow them.
bool read_number(std::string_view text, std::size_t& at, std::size_t digits, char after,
                 int& value) {
  if (at + digits > text.size()) return false;
  const char* first = text.data() + at;
  const auto [end, error] = std::from_chars(first, first + digits, value);
  if (error != std::errc() || end != first + digits || *first == '-') return false;
  at += digits;
  if (after == '\0') return true;
  if (at >= text.size() || text[at] != after) return false;
  ++at;
  return true;
}

// "Z" or "+02:00", to the end of the text.
std::optional<std::chrono::minutes> read_offset(std::string_view text, std::size_t at) {
  if (at >= text.size()) return std::nullopt;
  if (text.substr(at) == "Z" || text.substr(at) == "z") return std::chrono::minutes(0);
  const char sign = text[at++];
  int hours = 0;
  int minutes = 0;
  if ((sign != '+' && sign != '-') || !read_number(text, at, 2, ':', hours) ||
      !read_number(text, at, 2, '\0', minutes) || at != text.size() || hours > 23 || minutes > 59) {
    return std::nullopt;
  }
  const auto offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
  return sign == '-' ? -offset : offset;
}

}  // namespace

std::string_view name(TaskStatus status) { return kStatuses[static_cast<std::size_t>(status)]; }

std::string_view name(TaskKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::optional<TaskStatus> parse_task_status(std::string_view name) {
  const auto found =
      std::ranges::find_if(kStatuses, [&](std::string_view s) { return same_letters(s, name); });
  if (found == kStatuses.end()) return std::nullopt;
  return static_cast<TaskStatus>(found - kStatuses.begin());
}

std::optional<TaskKind> parse_task_kind(std::string_view name) {
  const auto found =
      std::ranges::find_if(kKinds, [&](std::string_view s) { return same_letters(s, name); });
  if (found == kKinds.end()) return std::nullopt;
  return static_cast<TaskKind>(found - kKinds.begin());
}

std::string iso8601_duration(Microseconds duration) {
  std::string digits = std::to_string(duration.count() % 1'000'000);
  digits.insert(0, 6 - digits.size(), '0');
  return "PT" + std::to_string(duration.count() / 1'000'000) + "." + digits + "S";
}

std::optional<WallTime> parse_date_time(std::string_view text, bool end_of_day) {
  using namespace std::chrono;
  std::size_t at = 0;
  int year_number = 0;
  int month_number = 0;
  int day_number = 0;
  if (!read_number(text, at, 4, '-', year_number) || !read_number(text, at, 2, '-', month_number) ||
      !read_number(text, at, 2, '\0', day_number)) {
    return std::nullopt;
  }
  const year_month_day date{year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!date.ok()) return std::nullopt;
  if (at == text.size()) return WallTime(sys_days(date)) + (end_of_day ? days(1) : days(0));
  int hour = 0;
  int minute = 0;
  int second = 0;
  const char separator = text[at++];
  if ((separator != 'T' && separator != 't' && separator != ' ') ||
      !read_number(text, at, 2, ':', hour) || !read_number(text, at, 2, ':', minute) ||
      !read_number(text, at, 2, '\0', second) || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  std::int64_t fraction = 0;  // microseconds; further digits are dropped
  if (at < text.size() && text[at] == '.') {
    const std::size_t first = ++at;
    for (std::int64_t unit = 100'000; at < text.size() && text[at] >= '0' && text[at] <= '9';
         ++at, unit /= 10) {
      fraction += unit * (text[at] - '0');
    }
    if (at == first) return std::nullopt;
  }
  const auto offset = read_offset(text, at);
  if (!offset) return std::nullopt;
  return WallTime(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) +
         Microseconds(fraction) - *offset;
}

}  // namespace miroir::meili
