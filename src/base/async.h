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
//
// Cancellation: the sleep or wait that a cancelled coroutine is in returns, and its next co_await
// throws operation_aborted, which unwinds it into its group, where it is swallowed. So a loop needs
// no check to be stopped, and nothing may be left half done across a co_await.
//
// Destroying an io_context destroys the coroutines suspended on it: a simulated crash. Do it before
// destroying the objects that they use.
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

  // Runs the coroutine up to its first suspension if called from the executor's thread. A group
  // that is stopping starts nothing more.
  void spawn(std::string name, Async<void> coroutine);
  bool stopping() const;
  std::size_t size() const;
  // Cancels what runs and returns once all of it has ended. Never from a coroutine of the group.
  Async<void> stop();
  // Returns once all of it has ended by itself. Cancelled meanwhile, it stops the group and throws
  // operation_aborted only when that is done: what runs may use what the caller owns.
  Async<void> join();

 private:
  struct State;
  struct Running;
  std::shared_ptr<State> state_;
};

// Wakes every coroutine that waits, in the order of their coming. A waiter must check its condition
// itself, before and after: it may also wake because it was cancelled. May outlive its io_context.
class Signal {
 public:
  explicit Signal(Executor executor);
  ~Signal();  // wakes them all
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

// Runs all at the same time and returns their results in order. Cancelled, it cancels them, and
// unwinds when the last has ended.
template <class T>
Async<std::vector<T>> gather(std::vector<Async<T>> coroutines);

}  // namespace miroir

#include "base/async_gather.h"
