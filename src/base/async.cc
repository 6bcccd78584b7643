#include "base/async.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <utility>

#include "base/assert.h"

namespace miroir {

namespace asio = boost::asio;

struct Signal::State {
  explicit State(const Executor& executor)
      : timer(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;  // never expires by itself: a condition variable
};

Signal::Signal(Executor executor) : state_(std::make_shared<State>(executor)) {}
Signal::~Signal() {
  if (state_) state_->timer.cancel();
}

void Signal::notify_all() { state_->timer.cancel(); }

Async<void> Signal::wait() {
  auto state = state_;
  boost::system::error_code ignored;
  co_await state->timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

struct TaskGroup::State {
  explicit State(const Executor& e) : executor(e), ended(e) {}
  struct Running {
    std::string name;
    asio::cancellation_signal cancel;
  };
  Executor executor;
  Signal ended;
  std::list<Running> running;
  bool stopping = false;
};

TaskGroup::TaskGroup(Executor executor) : state_(std::make_shared<State>(executor)) {}

TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(std::string name, Async<void> coroutine) {
  auto state = state_;
  state->running.emplace_back();
  auto running = std::prev(state->running.end());
  running->name = std::move(name);
  auto ended = [state, running](std::exception_ptr error) {
    const std::string what = running->name;
    state->running.erase(running);
    state->ended.notify_all();
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& thrown) {
      if (thrown.code() == asio::error::operation_aborted) return;
      std::fprintf(stderr, "coroutine %s threw: %s\n", what.c_str(), thrown.what());
    } catch (const std::exception& thrown) {
      std::fprintf(stderr, "coroutine %s threw: %s\n", what.c_str(), thrown.what());
    }
    std::abort();
  };
  asio::co_spawn(state->executor, std::move(coroutine),
                 asio::bind_cancellation_slot(running->cancel.slot(), std::move(ended)));
  if (state->stopping) running->cancel.emit(asio::cancellation_type::terminal);
}

bool TaskGroup::stopping() const { return state_->stopping; }
std::size_t TaskGroup::size() const { return state_->running.size(); }

Async<void> TaskGroup::stop() {
  auto state = state_;
  state->stopping = true;
  // A cancelled coroutine may end at once and leave the list.
  for (auto it = state->running.begin(); it != state->running.end();) {
    auto current = it++;
    current->cancel.emit(asio::cancellation_type::terminal);
  }
  while (!state->running.empty()) co_await state->ended.wait();
}

Async<void> TaskGroup::join() {
  auto state = state_;
  while (!state->running.empty()) co_await state->ended.wait();
}

struct Semaphore::State {
  State(const Executor& executor, std::size_t count) : permits(count), freed(executor) {}
  std::size_t permits;
  std::uint64_t next_ticket = 0;
  std::deque<std::uint64_t> waiting;
  Signal freed;
};

Semaphore::Semaphore(Executor executor, std::size_t permits)
    : state_(std::make_shared<State>(executor, permits)) {}
Semaphore::~Semaphore() = default;

Semaphore::Permit& Semaphore::Permit::operator=(Permit&& other) noexcept {
  if (release_) release_();
  release_ = std::exchange(other.release_, nullptr);
  return *this;
}
Semaphore::Permit::~Permit() {
  if (release_) release_();
}

Async<Semaphore::Permit> Semaphore::acquire() {
  auto state = state_;
  const std::uint64_t ticket = state->next_ticket++;
  state->waiting.push_back(ticket);
  // Leaves the queue however the wait ends, cancellation too.
  struct Place {
    std::shared_ptr<State> state;
    std::uint64_t ticket;
    ~Place() {
      std::erase(state->waiting, ticket);
      state->freed.notify_all();
    }
  } place{state, ticket};
  while (state->permits == 0 || state->waiting.front() != ticket) co_await state->freed.wait();
  --state->permits;
  co_return Permit([state] {
    ++state->permits;
    state->freed.notify_all();
  });
}

}  // namespace miroir
