#include "base/simulated_clock_fake.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/assert.h"

namespace miroir {

namespace asio = boost::asio;

namespace {
constexpr Instant kStart{Seconds(1'000'000)};
constexpr WallTime kWallStart = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
}  // namespace

// Lives in the sleeping coroutine's frame and dies with it. Its timer only carries the wake-up.
struct SimulatedClock::Sleeper {
  SimulatedClock& clock;
  asio::steady_timer timer;
  std::multimap<Instant, Sleeper*>::iterator place;

  Sleeper(SimulatedClock& its_clock, const Executor& executor, Instant when)
      : clock(its_clock),
        timer(executor, when > clock.now_ ? asio::steady_timer::time_point::max()
                                          : asio::steady_timer::time_point::min()),
        place(when > clock.now_ ? clock.sleeping_.emplace(when, this) : clock.sleeping_.end()) {}
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;
  ~Sleeper() {
    if (place != clock.sleeping_.end()) clock.sleeping_.erase(place);
  }
};

SimulatedClock::SimulatedClock() : now_(kStart) {}

SimulatedClock::~SimulatedClock() { MIROIR_ASSERT(sleeping_.empty()); }

WallTime SimulatedClock::wall_now() const { return kWallStart + (now_ - kStart) + wall_offset_; }

Async<void> SimulatedClock::sleep_until(Instant when) {
  Sleeper sleeper(*this, co_await asio::this_coro::executor, when);
  boost::system::error_code woken;
  co_await sleeper.timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void SimulatedClock::advance_to(Instant when) {
  if (when > now_) now_ = when;
  while (!sleeping_.empty() && sleeping_.begin()->first <= now_) {
    Sleeper& sleeper = *sleeping_.begin()->second;
    sleeping_.erase(sleeper.place);
    sleeper.place = sleeping_.end();
    sleeper.timer.cancel();
  }
}

std::optional<Instant> SimulatedClock::next_wake() const {
  if (sleeping_.empty()) return std::nullopt;
  return sleeping_.begin()->first;
}

}  // namespace miroir
