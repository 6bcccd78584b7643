#pragma once

#include <functional>
#include <memory>

#include "base/async.h"
#include "base/clock.h"

namespace miroir {

// Calls `bite` once, on the executor's thread, when the time it is armed for comes before it is
// disarmed or armed anew. For what cannot be cancelled cleanly: a socket whose peer is mute is
// closed, not abandoned. Uses real time, as sockets do.
class Watchdog {
 public:
  Watchdog(Executor executor, Clock& clock, std::function<void()> bite);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  void arm(Instant when);
  void disarm();
  // Whether it has bitten since it was last armed.
  bool has_bitten() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace miroir
