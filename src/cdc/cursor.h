#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/entry.h"

namespace miroir::cdc {

// A place in the stream: all events of the entries before `position`, and the first `given` of the
// entry there, lie behind it. Written "12" where that is the whole entry, else "12-0", "12-1", …:
// the event of that number and all before it. `given` is never 0.
struct Cursor {
  static constexpr std::uint64_t kWhole = std::numeric_limits<std::uint64_t>::max();
  Position position = 0;
  std::uint64_t given = kWhole;
  bool operator==(const Cursor&) const = default;

  // The first entry of which events may lie ahead.
  Position next() const { return given == kWhole ? position + 1 : position; }
};

std::string to_string(const Cursor& cursor);
Result<Cursor> parse_cursor(std::string_view text);

}  // namespace miroir::cdc
