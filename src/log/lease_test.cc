#include "log/lease.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "log/log_process_fake.h"

namespace miroir {
namespace {

class LeaseTest : public testing::Test {
 protected:
  bool acquire(Lease& lease) { return process_.run(lease.acquire()).value(); }

  MemoryStore store_;
  SimulatedClock clock_;
  LogProcess process_{store_, clock_};
  Lease a_{store_, clock_, "leader", "a"};
  Lease b_{store_, clock_, "leader", "b"};
};

TEST_F(LeaseTest, OneHolderAtATime) {
  EXPECT_TRUE(acquire(a_));
  EXPECT_FALSE(acquire(b_));
  EXPECT_TRUE(a_.held());
  EXPECT_FALSE(b_.held());
  Lease other(store_, clock_, "another", "b");
  EXPECT_TRUE(acquire(other));
}

TEST_F(LeaseTest, RenewedItLastsAndKeepsItsToken) {
  ASSERT_TRUE(acquire(a_));
  const std::uint64_t token = a_.token();
  for (int i = 0; i < 10; ++i) {
    clock_.advance(Seconds(3));
    EXPECT_FALSE(acquire(b_));
    EXPECT_TRUE(acquire(a_));
  }
  EXPECT_EQ(a_.token(), token);
}

TEST_F(LeaseTest, ExpiredItGoesToAnotherWithAGreaterToken) {
  ASSERT_TRUE(acquire(a_));
  clock_.advance(Seconds(10));
  EXPECT_FALSE(a_.held());
  EXPECT_TRUE(acquire(b_));
  EXPECT_GT(b_.token(), a_.token());
  EXPECT_FALSE(acquire(a_));
  EXPECT_FALSE(a_.held());
}

TEST_F(LeaseTest, InAStoreOfOneProcessADeadHolderIsFollowedAtOnce) {
  ASSERT_TRUE(acquire(a_));
  store_.be_exclusive();
  EXPECT_TRUE(acquire(b_));
  EXPECT_GT(b_.token(), a_.token());
}

TEST_F(LeaseTest, ReleasedItIsFreeAtOnce) {
  ASSERT_TRUE(acquire(a_));
  ASSERT_TRUE(process_.run(a_.release()));
  EXPECT_FALSE(a_.held());
  EXPECT_TRUE(acquire(b_));
  // Who does not hold it takes it from nobody.
  ASSERT_TRUE(process_.run(a_.release()));
  EXPECT_FALSE(acquire(a_));
}

TEST_F(LeaseTest, LostRaceIsNoLease) {
  ASSERT_TRUE(acquire(a_));
  clock_.advance(Seconds(11));
  const auto both = [&]() -> Async<std::vector<Result<bool>>> {
    std::vector<Async<Result<bool>>> tries;
    tries.push_back(a_.acquire());
    tries.push_back(b_.acquire());
    co_return co_await gather(std::move(tries));
  };
  const auto results = process_.run(both());
  EXPECT_NE(*results[0], *results[1]);
  EXPECT_NE(a_.held(), b_.held());
}

TEST_F(LeaseTest, FullDiskIsAnErrorAndNoLease) {
  store_.fill_disk(true);
  EXPECT_FALSE(process_.run(a_.acquire()));
  EXPECT_FALSE(a_.held());
}

TEST_F(LeaseTest, StoreThatAnswersAgainIsAskedLongBeforeTheNextRenewal) {
  const auto story = [&]() -> Async<bool> {
    const auto let_it_run = [&]() -> Async<void> {
      for (int i = 0; i < 20; ++i)
        co_await boost::asio::post(process_.io(), boost::asio::use_awaitable);
    };
    store_.fill_disk(true);
    TaskGroup group(process_.io().get_executor());
    group.spawn("lease", a_.run());
    co_await let_it_run();
    EXPECT_FALSE(a_.held());
    store_.fill_disk(false);
    clock_.advance(Milliseconds(500));
    co_await let_it_run();
    const bool held = a_.held();
    co_await group.stop();
    co_return held;
  };
  EXPECT_TRUE(process_.run(story()));
}

}  // namespace
}  // namespace miroir
