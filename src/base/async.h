#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace miroir {

// Every suspending function of ours returns Async<T>, takes its parameters by value and runs on one
// io_context thread; nothing of ours is shared between threads but posted values and snapshots.
template <class T>
using Async = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

// Owns the coroutines that a long-lived object runs beside its caller. Every spawned coroutine ends
// before the group is destroyed: call stop(), which cancels them all, and await it. A coroutine
// that throws aborts the process, naming itself: failures are values here. Single-threaded.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  ~TaskGroup();  // asserts that nothing is left running, unless the io_context itself is gone
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void spawn(std::string name, Async<void> coroutine);
  bool stopping() const;
  std::size_t size() const;
  // Cancels what runs and returns once all of it has ended.
  Async<void> stop();
  // Returns once all of it has ended by itself.
  Async<void> join();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Wakes every coroutine that waits. A waiter must check its condition itself, before and after.
class Signal {
 public:
  explicit Signal(Executor executor);
  ~Signal();
  void notify_all();
  Async<void> wait();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// At most `permits` holders at a time; waiters are served in order. A permit returns itself.
class Semaphore {
 public:
  Semaphore(Executor executor, std::size_t permits);
  ~Semaphore();
  class Permit {
   public:
    Permit() = default;
    explicit Permit(std::function<void()> release) : release_(std::move(release)) {}
    Permit(Permit&& other) noexcept : release_(std::exchange(other.release_, nullptr)) {}
    Permit& operator=(Permit&& other) noexcept;
    ~Permit();

   private:
    std::function<void()> release_;
  };
  Async<Permit> acquire();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Runs all at the same time and returns their results in order.
template <class T>
Async<std::vector<T>> gather(std::vector<Async<T>> coroutines);

}  // namespace miroir

#include "base/async_gather.h"
