#include "base/result.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <memory>

#include "base/async.h"

namespace miroir {
namespace {

Result<std::unique_ptr<int>> number(bool works) {
  if (!works) return fail(ErrorCode::kNotFound, "no number");
  return std::make_unique<int>(3);
}

Result<void> check(bool works) {
  if (!works) return fail(ErrorCode::kConflict, "no");
  return {};
}

Result<int> doubled(bool first, bool second) {
  MIROIR_CHECK(check(first));
  MIROIR_TRY(const std::unique_ptr<int> value, number(second));
  return *value * 2;
}

Async<Result<int>> doubled_later(bool first, bool second) {
  MIROIR_CO_CHECK(check(first));
  MIROIR_CO_TRY(const std::unique_ptr<int> value, number(second));
  co_return *value * 2;
}

TEST(ResultTest, TryTakesTheValueOrReturnsTheError) {
  EXPECT_EQ(*doubled(true, true), 6);
  EXPECT_EQ(doubled(false, true).error().code, ErrorCode::kConflict);
  EXPECT_EQ(doubled(true, false).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(doubled(true, false).error().message, "no number");
}

TEST(ResultTest, TryWorksInCoroutines) {
  boost::asio::io_context context;
  int seen = 0;
  boost::asio::co_spawn(
      context,
      [](int& out) -> Async<void> {
        out += *co_await doubled_later(true, true);
        if ((co_await doubled_later(false, true)).error().code == ErrorCode::kConflict) out += 10;
        if ((co_await doubled_later(true, false)).error().code == ErrorCode::kNotFound) out += 100;
      }(seen),
      boost::asio::detached);
  context.run();
  EXPECT_EQ(seen, 116);
}

TEST(ResultTest, ContextGoesInFront) {
  EXPECT_EQ((Error{ErrorCode::kTimeout, "too late"}.with_context("node b1").message),
            "node b1: too late");
}

TEST(ResultTest, EveryCodeHasItsOwnName) {
  EXPECT_EQ(name(ErrorCode::kInvalid), "invalid");
  EXPECT_EQ(name(ErrorCode::kTooLarge), "too_large");
  EXPECT_EQ(name(ErrorCode::kInternal), "internal");
}

}  // namespace
}  // namespace miroir
