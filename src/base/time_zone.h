#pragma once

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace miroir {

// A place's time, by the tables of the system's time zone database: they reach to the year 2037, and
// the last offset counts from then on.
class TimeZone {
 public:
  // "Europe/Paris", "UTC"; kInvalid: there is no such place, or no database.
  static Result<TimeZone> find(const std::string& name);
  // What its clocks are ahead of UTC then.
  Seconds offset(WallTime time) const;

 private:
  explicit TimeZone(const void* zone) : zone_(zone) {}
  const void* zone_;  // the library's; lives as long as the process
};

}  // namespace miroir
