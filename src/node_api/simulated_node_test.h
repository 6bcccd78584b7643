#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>

#include "base/simulated_clock_fake.h"
#include "node_api/simulated_node_client_fake.h"

namespace miroir {

// One simulated node, and a client of it, on simulated time.
class SimulatedNodeFixture : public ::testing::Test {
 protected:
  // Runs a call to its end, moving time as far as it sleeps.
  template <class T>
  T run(Async<T> call) {
    std::optional<T> result;
    boost::asio::co_spawn(io_, std::move(call), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    while (!result) {
      io_.restart();
      io_.poll();
      if (!result) clock_.advance_to(clock_.next_wake().value());
    }
    return std::move(*result);
  }
  Instant soon() { return clock_.now() + Seconds(1); }

  SimulatedClock clock_;
  boost::asio::io_context io_;
  Random random_{1};
  SimulatedNetwork network_;
  SimulatedNode node_{clock_, 2, {.automatic = false}};
  SimulatedNodeClient client_{node_, clock_, random_, network_};
};

}  // namespace miroir
