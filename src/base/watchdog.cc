#include "base/watchdog.h"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>

namespace miroir {

struct Watchdog::State {
  State(const Executor& executor, Clock& its_clock, std::function<void()> its_bite)
      : timer(executor), clock(its_clock), bite(std::move(its_bite)) {}
  boost::asio::steady_timer timer;
  Clock& clock;
  std::function<void()> bite;  // empty once the owner is gone
  std::uint64_t round = 0;     // an expiry of an earlier round does not count
  bool bitten = false;
};

Watchdog::Watchdog(Executor executor, Clock& clock, std::function<void()> bite)
    : state_(std::make_shared<State>(executor, clock, std::move(bite))) {}

Watchdog::~Watchdog() {
  state_->bite = nullptr;
  disarm();
}

void Watchdog::arm(Instant when) {
  const std::uint64_t round = ++state_->round;
  state_->bitten = false;
  // Asio counts nanoseconds: a deadline meant as "never" would overflow.
  constexpr Microseconds kLongest = std::chrono::days(365);
  const Instant now = state_->clock.now();
  const Microseconds left =
      when > now ? std::min<Microseconds>(when - now, kLongest) : Microseconds(0);
  state_->timer.expires_after(left);
  state_->timer.async_wait([state = state_, round](const boost::system::error_code& error) {
    if (error || state->round != round || !state->bite) return;
    state->bitten = true;
    state->bite();
  });
}

void Watchdog::disarm() {
  ++state_->round;
  state_->timer.cancel();
}

bool Watchdog::has_bitten() const { return state_->bitten; }

}  // namespace miroir
