#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <optional>

#include "http/loopback_fake.h"

namespace miroir::http {

// Runs coroutines on real sockets and real time, and fails where they do not end.
class LoopbackTest : public testing::Test {
 protected:
  static constexpr Seconds kPatience{60};

  Executor executor() { return context_.get_executor(); }
  Instant in(Milliseconds delay) { return clock_.now() + delay; }

  template <class T>
  T run(Async<T> coroutine) {
    std::optional<T> result;
    wait_for([](Async<T> inner, std::optional<T>& out) -> Async<void> {
      out.emplace(co_await std::move(inner));
    }(std::move(coroutine), result));
    return std::move(*result);
  }
  void run(Async<void> coroutine) { wait_for(std::move(coroutine)); }

  boost::asio::io_context context_{1};
  SystemClock clock_;

 private:
  void wait_for(Async<void> coroutine) {
    bool ended = false;
    std::exception_ptr thrown;
    boost::asio::co_spawn(executor(), std::move(coroutine), [&](const std::exception_ptr& error) {
      thrown = error;
      ended = true;
    });
    const Instant until = clock_.now() + kPatience;
    context_.restart();
    while (!ended && clock_.now() < until) context_.run_one_for(Milliseconds(100));
    if (thrown) std::rethrow_exception(thrown);
    if (!ended) {
      std::fprintf(stderr, "a test that hangs\n");
      std::abort();
    }
  }
};

}  // namespace miroir::http
