#pragma once

#include <chrono>

#include "base/async.h"

namespace miroir {

using Microseconds = std::chrono::microseconds;
using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;

// Time as people know it (UNIX epoch); may jump. Microseconds, like the stamps.
using WallTime = std::chrono::sys_time<Microseconds>;
// Time that only rises, for deadlines and intervals; its zero means nothing.
struct Monotonic {
  using duration = Microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Monotonic>;
  static constexpr bool is_steady = true;
};
using Instant = Monotonic::time_point;

// The only source of time. Owned by the process (or by the simulation, which moves it by hand);
// outlives everything it is given to.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual Instant now() const = 0;
  // Returns at `when`, or earlier if the awaiting coroutine is cancelled.
  virtual Async<void> sleep_until(Instant when) = 0;

  Async<void> sleep_for(Microseconds duration) { return sleep_until(now() + duration); }
};

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  Instant now() const override;
  Async<void> sleep_until(Instant when) override;
};

// RFC 3339, UTC, to the microsecond, in Meilisearch's form: "2026-11-23T01:02:03.123456Z".
std::string to_rfc3339(WallTime time);

}  // namespace miroir
