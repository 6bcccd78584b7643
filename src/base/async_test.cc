#include "base/async.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>

#include "base/simulated_clock_fake.h"

namespace miroir {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;

// One simulated process, and a clock that outlives it.
class AsyncTest : public testing::Test {
 protected:
  Executor executor() { return context_->get_executor(); }

  // Runs what can run now, then jumps from sleeper to sleeper until nobody sleeps.
  void run() {
    poll();
    while (const auto wake = clock_.next_wake()) {
      clock_.advance_to(*wake);
      poll();
    }
  }
  void poll() {
    context_->restart();
    while (context_->poll_one() > 0) {
    }
  }
  void start(Async<void> coroutine) {
    asio::co_spawn(executor(), std::move(coroutine), asio::detached);
  }

  SimulatedClock clock_;
  std::unique_ptr<asio::io_context> context_ = std::make_unique<asio::io_context>(1);
  std::vector<std::string> seen_;

  Async<void> say_after(std::string word, Microseconds delay) {
    co_await clock_.sleep_for(delay);
    seen_.push_back(word);
  }
  Async<int> answer_after(int answer, Microseconds delay) {
    Unwinding unwinding(*this, "answer " + std::to_string(answer));
    co_await clock_.sleep_for(delay);
    co_await asio::post(asio::use_awaitable);
    unwinding.reached_the_end();
    co_return answer;
  }
  Async<void> say_forever(std::string word) {
    while (true) {
      co_await clock_.sleep_for(Seconds(1));
      seen_.push_back(word);
    }
  }

  // Notes that a coroutine's frame ended before its last line.
  class Unwinding {
   public:
    Unwinding(AsyncTest& test, std::string name) : test_(test), name_(std::move(name)) {}
    ~Unwinding() {
      if (!ended_) test_.seen_.push_back("unwound " + name_);
    }
    void reached_the_end() { ended_ = true; }

   private:
    AsyncTest& test_;
    std::string name_;
    bool ended_ = false;
  };
};

TEST_F(AsyncTest, GroupJoinsWhatItSpawned) {
  TaskGroup group(executor());
  group.spawn("b", say_after("b", Seconds(2)));
  group.spawn("a", say_after("a", Seconds(1)));
  EXPECT_EQ(group.size(), 2u);
  start([](AsyncTest& test, TaskGroup& joined, std::vector<std::string>& seen) -> Async<void> {
    (void)test;
    co_await joined.join();
    seen.push_back("joined");
  }(*this, group, seen_));
  run();
  EXPECT_THAT(seen_, ElementsAre("a", "b", "joined"));
  EXPECT_EQ(group.size(), 0u);
}

TEST_F(AsyncTest, StopEndsLoopsThatNeverCheck) {
  TaskGroup group(executor());
  group.spawn("loop", say_forever("tick"));
  poll();
  clock_.advance(Seconds(1));
  poll();
  bool stopped = false;
  start([](TaskGroup& stopping, bool& done) -> Async<void> {
    co_await stopping.stop();
    done = true;
  }(group, stopped));
  poll();
  EXPECT_TRUE(stopped);
  EXPECT_TRUE(group.stopping());
  EXPECT_EQ(group.size(), 0u);
  EXPECT_EQ(clock_.sleepers(), 0u);
  // "tick" twice: the cancelled sleep returns, the next co_await throws.
  EXPECT_THAT(seen_, ElementsAre("tick", "tick"));
}

TEST_F(AsyncTest, StoppingGroupStartsNothing) {
  TaskGroup group(executor());
  start(group.stop());
  poll();
  group.spawn("late", say_after("late", Seconds(0)));
  run();
  EXPECT_THAT(seen_, ElementsAre());
}

TEST_F(AsyncTest, ThrowingCoroutineAbortsWithItsName) {
  EXPECT_DEATH(
      {
        TaskGroup group(executor());
        group.spawn("reader of things", []() -> Async<void> {
          throw std::runtime_error("no such thing");
          co_return;
        }());
        poll();
      },
      "coroutine reader of things threw: no such thing");
}

TEST_F(AsyncTest, GroupDestroyedWhileRunningAborts) {
  EXPECT_DEATH(
      {
        TaskGroup group(executor());
        group.spawn("forgotten", say_forever("x"));
        poll();
      },
      "broken invariant");
}

TEST_F(AsyncTest, SignalWakesAllInOrderOfComing) {
  Signal signal(executor());
  for (const char* name : {"first", "second", "third"}) {
    start([](Signal& waited, std::string its_name, std::vector<std::string>& seen) -> Async<void> {
      co_await waited.wait();
      seen.push_back(its_name);
    }(signal, name, seen_));
  }
  poll();
  EXPECT_THAT(seen_, ElementsAre());
  signal.notify_all();
  poll();
  EXPECT_THAT(seen_, ElementsAre("first", "second", "third"));
}

TEST_F(AsyncTest, SignalDoesNotRememberNotifications) {
  Signal signal(executor());
  signal.notify_all();
  bool woken = false;
  start([](Signal& waited, bool& done) -> Async<void> {
    co_await waited.wait();
    done = true;
  }(signal, woken));
  poll();
  EXPECT_FALSE(woken);
  signal.notify_all();
  poll();
  EXPECT_TRUE(woken);
}

Async<void> hold(Semaphore& semaphore, Clock& clock, std::string name,
                 std::vector<std::string>& seen) {
  Semaphore::Permit permit = co_await semaphore.acquire();
  seen.push_back(name);
  co_await clock.sleep_for(Seconds(1));
  co_await asio::post(asio::use_awaitable);
  seen.push_back("/" + name);
}

TEST_F(AsyncTest, SemaphoreServesInOrder) {
  Semaphore semaphore(executor(), 2);
  for (const char* name : {"a", "b", "c", "d"}) start(hold(semaphore, clock_, name, seen_));
  poll();
  EXPECT_THAT(seen_, ElementsAre("a", "b"));
  run();
  EXPECT_THAT(seen_, ElementsAre("a", "b", "/a", "/b", "c", "d", "/c", "/d"));
}

TEST_F(AsyncTest, CancelledWaiterGivesItsTurnToTheNext) {
  Semaphore semaphore(executor(), 1);
  TaskGroup group(executor());
  start(hold(semaphore, clock_, "a", seen_));
  poll();
  group.spawn("b", hold(semaphore, clock_, "b", seen_));
  start(hold(semaphore, clock_, "c", seen_));
  poll();
  start(group.stop());
  run();
  EXPECT_THAT(seen_, ElementsAre("a", "/a", "c", "/c"));
}

TEST_F(AsyncTest, PermitGivenToACancelledWaiterIsNotLost) {
  Semaphore semaphore(executor(), 1);
  TaskGroup group(executor());
  auto held = std::make_shared<Semaphore::Permit>();
  start([](Semaphore& s, std::shared_ptr<Semaphore::Permit> into) -> Async<void> {
    *into = co_await s.acquire();
  }(semaphore, held));
  poll();
  group.spawn("b", hold(semaphore, clock_, "b", seen_));
  poll();
  // The permit is b's, but b is cancelled before it runs.
  start(group.stop());
  *held = Semaphore::Permit();
  run();
  start(hold(semaphore, clock_, "c", seen_));
  run();
  EXPECT_EQ(group.size(), 0u);
  EXPECT_THAT(std::vector<std::string>(seen_.end() - 2, seen_.end()), ElementsAre("c", "/c"));
}

TEST_F(AsyncTest, GatherReturnsResultsInOrder) {
  std::vector<int> answers;
  start([](AsyncTest&, std::vector<Async<int>> calls,
           std::vector<int>& out) -> Async<void> {
    out = co_await gather(std::move(calls));
  }(
                                      *this,
                                      [&] {
                                        std::vector<Async<int>> calls;
                                        calls.push_back(answer_after(1, Seconds(3)));
                                        calls.push_back(answer_after(2, Seconds(1)));
                                        calls.push_back(answer_after(3, Seconds(2)));
                                        return calls;
                                      }(),
                                      answers));
  const Instant begin = clock_.now();
  run();
  EXPECT_THAT(answers, ElementsAre(1, 2, 3));
  EXPECT_EQ(clock_.now() - begin, Seconds(3));
}

TEST_F(AsyncTest, GatherOfNothingIsEmpty) {
  bool done = false;
  start([](bool& out) -> Async<void> {
    out = (co_await gather(std::vector<Async<int>>())).empty();
  }(done));
  run();
  EXPECT_TRUE(done);
}

TEST_F(AsyncTest, CancelledGatherOutlivesItsChildren) {
  TaskGroup group(executor());
  group.spawn("parent",
              [](AsyncTest& test, std::vector<Async<int>> calls,
                 std::vector<std::string>& seen) -> Async<void> {
                Unwinding parent(test, "parent");
                co_await gather(std::move(calls));
                parent.reached_the_end();
                seen.push_back("went on");
              }(
                                                     *this,
                                                     [&] {
                                                       std::vector<Async<int>> calls;
                                                       calls.push_back(answer_after(1, Seconds(3)));
                                                       calls.push_back(answer_after(2, Seconds(1)));
                                                       return calls;
                                                     }(),
                                                     seen_));
  poll();
  start(group.stop());
  poll();
  EXPECT_EQ(group.size(), 0u);
  EXPECT_THAT(seen_, ElementsAre("unwound answer 1", "unwound answer 2", "unwound parent"));
}

TEST_F(AsyncTest, DestroyedContextTakesItsCoroutinesWithIt) {
  auto group = std::make_unique<TaskGroup>(executor());
  auto signal = std::make_unique<Signal>(executor());
  auto semaphore = std::make_unique<Semaphore>(executor(), 1);
  group->spawn("sleeper", say_forever("x"));
  group->spawn("waiter", [](Signal& waited) -> Async<void> { co_await waited.wait(); }(*signal));
  group->spawn("holder", hold(*semaphore, clock_, "holder", seen_));
  group->spawn("queued", hold(*semaphore, clock_, "queued", seen_));
  std::vector<Async<int>> calls;
  calls.push_back(answer_after(1, Seconds(3)));
  calls.push_back(answer_after(2, Seconds(1)));
  group->spawn("gatherer", [](std::vector<Async<int>> its_calls) -> Async<void> {
    co_await gather(std::move(its_calls));
  }(std::move(calls)));
  start(group->join());
  poll();
  EXPECT_EQ(clock_.sleepers(), 4u);
  context_.reset();
  EXPECT_EQ(clock_.sleepers(), 0u);
  EXPECT_EQ(group->size(), 0u);
  semaphore.reset();
  signal.reset();
  group.reset();
}

}  // namespace
}  // namespace miroir
