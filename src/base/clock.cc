#include "base/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace miroir {

namespace asio = boost::asio;

WallTime SystemClock::wall_now() const {
  return std::chrono::time_point_cast<Microseconds>(std::chrono::system_clock::now());
}

Instant SystemClock::now() const {
  return Instant(std::chrono::duration_cast<Microseconds>(
      std::chrono::steady_clock::now().time_since_epoch()));
}

Async<void> SystemClock::sleep_until(Instant when) {
  // Asio counts nanoseconds: a deadline meant as "never" would overflow.
  constexpr Seconds kLongest = std::chrono::days(365);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::clamp<Microseconds>(when - now(), Microseconds(0), kLongest));
  boost::system::error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

std::string to_rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace miroir
