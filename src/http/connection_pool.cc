#include "http/connection_pool.h"

#include "base/watchdog.h"

namespace miroir::http {

// A waiter's place in the queue. A lease that it was given and did not take goes to the next.
struct ConnectionPool::Turn {
  ConnectionPool& pool;
  Signal come;
  bool given = false;

  explicit Turn(ConnectionPool& its_pool) : pool(its_pool), come(pool.executor_) {
    pool.waiting_.push_back(this);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    pool.waiting_.remove(this);
    if (given) pool.release();
  }
};

ConnectionPool::ConnectionPool(Executor executor, Clock& clock, std::size_t connections_max,
                               Milliseconds idle_timeout)
    : executor_(std::move(executor)),
      clock_(clock),
      idle_timeout_(idle_timeout),
      free_(connections_max) {}

Async<std::optional<ConnectionPool::Lease>> ConnectionPool::lease(Instant deadline) {
  if (free_ > 0) {
    --free_;
    co_return std::optional<Lease>(std::in_place, *this);
  }
  Turn turn(*this);
  Watchdog expiry(executor_, clock_, [&turn] { turn.come.notify_all(); });
  expiry.arm(deadline);
  while (!turn.given && !expiry.has_bitten()) co_await turn.come.wait();
  if (!turn.given) co_return std::nullopt;
  turn.given = false;
  co_return std::optional<Lease>(std::in_place, *this);
}

void ConnectionPool::release() {
  if (waiting_.empty()) {
    ++free_;
    return;
  }
  Turn* next = waiting_.front();
  waiting_.pop_front();
  next->given = true;
  next->come.notify_all();
}

std::unique_ptr<Socket> ConnectionPool::take_idle() {
  const Instant oldest = clock_.now() - idle_timeout_;
  while (!idle_.empty()) {
    Idle newest = std::move(idle_.back());
    idle_.pop_back();
    if (newest.since > oldest && newest.socket->is_quiet()) return std::move(newest.socket);
  }
  return nullptr;
}

void ConnectionPool::give_back(std::unique_ptr<Socket> socket) {
  const Instant now = clock_.now();
  while (!idle_.empty() && idle_.front().since <= now - idle_timeout_) idle_.pop_front();
  idle_.push_back({std::move(socket), now});
}

}  // namespace miroir::http
