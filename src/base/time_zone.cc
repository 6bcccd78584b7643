#include "base/time_zone.h"

#include <date/tz.h>

#include <exception>

namespace miroir {

Result<TimeZone> TimeZone::find(const std::string& name) {
  try {
    return TimeZone(date::locate_zone(name));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalid, "no time zone `" + name + "`: " + error.what());
  }
}

Seconds TimeZone::offset(WallTime time) const {
  const auto* zone = static_cast<const date::time_zone*>(zone_);
  return zone->get_info(std::chrono::floor<Seconds>(time)).offset;
}

}  // namespace miroir
