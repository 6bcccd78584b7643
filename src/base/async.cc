#include "base/async.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <utility>

#include "base/assert.h"

namespace miroir {

namespace asio = boost::asio;

namespace {

// Tells whether an io_context is being destroyed, and with it the frames of its coroutines.
class ContextEnd final : public asio::execution_context::service {
 public:
  using key_type = ContextEnd;
  static inline asio::execution_context::id id;

  explicit ContextEnd(asio::execution_context& context) : service(context) {}
  static std::shared_ptr<const bool> of(const Executor& executor) {
    return asio::use_service<ContextEnd>(asio::query(executor, asio::execution::context)).begun_;
  }

 private:
  void shutdown() override { *begun_ = true; }

  std::shared_ptr<bool> begun_ = std::make_shared<bool>(false);
};

}  // namespace

// Each waiter's timer lives in the waiter's own frame and dies with it, so a signal may outlive the
// io_context. The timers never expire by themselves: they only carry the wake-up.
struct Signal::State {
  Executor executor;
  std::list<asio::steady_timer*> waiting;
};

Signal::Signal(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Signal::~Signal() {
  if (state_) notify_all();
}

void Signal::notify_all() {
  for (asio::steady_timer* timer : std::exchange(state_->waiting, {})) timer->cancel();
}

Async<void> Signal::wait() {
  struct Waiter {
    std::shared_ptr<State> state;
    asio::steady_timer timer;
    explicit Waiter(std::shared_ptr<State> its_state)
        : state(std::move(its_state)),
          timer(state->executor, asio::steady_timer::time_point::max()) {
      state->waiting.push_back(&timer);
    }
    ~Waiter() { state->waiting.remove(&timer); }
  } waiter(state_);
  boost::system::error_code woken;
  co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

struct TaskGroup::Running {
  std::string name;
  asio::cancellation_signal cancel;
};

struct TaskGroup::State {
  explicit State(const Executor& its_executor)
      : executor(its_executor), ended(its_executor), context_end(ContextEnd::of(its_executor)) {}

  Executor executor;
  Signal ended;
  std::shared_ptr<const bool> context_end;
  std::list<Running> running;
  bool stopping = false;

  void cancel_all();
};

void TaskGroup::State::cancel_all() {
  stopping = true;
  // Cancelled, a coroutine may end at once and leave the list.
  for (auto next = running.begin(); next != running.end();) {
    auto current = next++;
    current->cancel.emit(asio::cancellation_type::terminal);
  }
}

namespace {

[[noreturn]] void coroutine_threw(const std::string& name, const char* what) {
  std::fprintf(stderr, "coroutine %s threw: %s\n", name.c_str(), what);
  std::abort();
}

void expect_cancelled(const std::string& name, const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& thrown) {
    if (thrown.code() != asio::error::operation_aborted) coroutine_threw(name, thrown.what());
  } catch (const std::exception& thrown) {
    coroutine_threw(name, thrown.what());
  } catch (...) {
    coroutine_threw(name, "something that is no std::exception");
  }
}

}  // namespace

TaskGroup::TaskGroup(Executor executor) : state_(std::make_shared<State>(executor)) {}

TaskGroup::~TaskGroup() { MIROIR_ASSERT(state_->running.empty() || *state_->context_end); }

void TaskGroup::spawn(std::string name, Async<void> coroutine) {
  if (state_->stopping) return;
  // Leaves the list when the coroutine ends, also where it ends with its io_context.
  struct Place {
    std::shared_ptr<State> state;
    std::list<Running>::iterator running;
    Place(std::shared_ptr<State> its_state, std::string its_name)
        : state(std::move(its_state)), running(state->running.emplace(state->running.end())) {
      running->name = std::move(its_name);
    }
    Place(Place&& other) noexcept = default;
    ~Place() {
      if (!state) return;
      state->running.erase(running);
      state->ended.notify_all();
    }
  };
  Place place(state_, std::move(name));
  auto slot = place.running->cancel.slot();
  asio::co_spawn(state_->executor, std::move(coroutine),
                 asio::bind_cancellation_slot(
                     slot, [place = std::move(place)](const std::exception_ptr& error) {
                       if (error) expect_cancelled(place.running->name, error);
                     }));
}

bool TaskGroup::stopping() const { return state_->stopping; }
std::size_t TaskGroup::size() const { return state_->running.size(); }

Async<void> TaskGroup::stop() {
  auto state = state_;
  state->cancel_all();
  // Holds out even when cancelled itself.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!state->running.empty()) co_await state->ended.wait();
  co_await asio::this_coro::throw_if_cancelled(throws);
}

Async<void> TaskGroup::join() {
  auto state = state_;
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  bool cancelled = false;
  while (!state->running.empty()) {
    co_await state->ended.wait();
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancelled || cancellation.cancelled() == asio::cancellation_type::none) continue;
    cancelled = true;
    state->cancel_all();
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (cancelled) throw boost::system::system_error(asio::error::operation_aborted);
}

struct Semaphore::State {
  State(Executor its_executor, std::size_t count)
      : executor(std::move(its_executor)), permits(count) {}

  // A waiter's place in the queue. A permit that it was given and did not take goes to the next.
  struct Turn {
    std::shared_ptr<State> state;
    Signal come;
    bool given = false;
    explicit Turn(std::shared_ptr<State> its_state)
        : state(std::move(its_state)), come(state->executor) {
      state->waiting.push_back(this);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      state->waiting.remove(this);
      if (given) state->release();
    }
  };

  Executor executor;
  std::size_t permits;
  std::list<Turn*> waiting;

  void release() {
    if (waiting.empty()) {
      ++permits;
      return;
    }
    Turn* next = waiting.front();
    waiting.pop_front();
    next->given = true;
    next->come.notify_all();
  }
};

Semaphore::Semaphore(Executor executor, std::size_t permits)
    : state_(std::make_shared<State>(std::move(executor), permits)) {}
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
  if (state->permits > 0) {
    --state->permits;
  } else {
    State::Turn turn(state);
    while (!turn.given) co_await turn.come.wait();
    turn.given = false;
  }
  co_return Permit([state] { state->release(); });
}

}  // namespace miroir
