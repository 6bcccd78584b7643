#pragma once

#include <map>
#include <optional>

#include "base/clock.h"

namespace miroir {

// Time moved by hand, for tests and the simulation: one thread, any number of io_contexts. Sleepers
// are woken in the order of their times, and of their coming where those are equal; each goes on
// when its own io_context is polled next. A scheduler jumps: advance_to(*next_wake()).
class SimulatedClock final : public Clock {
 public:
  // 2026-01-01, and an instant that is not 0.
  SimulatedClock();
  ~SimulatedClock() override;

  WallTime wall_now() const override;
  Instant now() const override { return now_; }
  Async<void> sleep_until(Instant when) override;

  // Never goes back: an earlier time moves nothing.
  void advance_to(Instant when);
  void advance(Microseconds by) { advance_to(now_ + by); }
  // When the first sleeper wakes; none where nobody sleeps.
  std::optional<Instant> next_wake() const;
  std::size_t sleepers() const { return sleeping_.size(); }
  // What the wall clock shows beyond the true time: a person or NTP set it. May be negative.
  void set_wall_offset(Microseconds offset) { wall_offset_ = offset; }

 private:
  struct Sleeper;

  Instant now_;
  Microseconds wall_offset_{0};
  std::multimap<Instant, Sleeper*> sleeping_;  // they live in the frames of those that sleep
};

}  // namespace miroir
