#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/time_zone.h"

namespace miroir {

// A stretch of every day by a place's wall clock: "01:00-05:00 Europe/Paris"; without a place UTC.
// An end not after the beginning is the next day's.
class Window {
 public:
  static Result<Window> parse(std::string_view text);
  bool contains(WallTime time) const;

 private:
  Window(TimeZone zone, Seconds first, Seconds end) : zone_(zone), first_(first), end_(end) {}

  TimeZone zone_;
  Seconds first_;  // since midnight
  Seconds end_;
};

// Without a window: always.
bool open(const std::vector<Window>& windows, WallTime time);
// The first moment from `time` on, to the minute, at which one is open; `time` itself where one is.
WallTime next_opening(const std::vector<Window>& windows, WallTime time);

}  // namespace miroir
