#pragma once

#include <deque>
#include <list>
#include <memory>
#include <optional>

#include "base/async.h"
#include "base/clock.h"
#include "http/socket.h"

namespace miroir::http {

// Bounds the connections to one server and keeps those that may be used again. Outlives its leases;
// single-threaded.
class ConnectionPool {
 public:
  ConnectionPool(Executor executor, Clock& clock, std::size_t connections_max,
                 Milliseconds idle_timeout);

  // The right to use one connection, old or new.
  class Lease {
   public:
    explicit Lease(ConnectionPool& pool) : pool_(&pool) {}
    Lease(Lease&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_) pool_->release();
    }

   private:
    ConnectionPool* pool_;
  };
  // Waits for its turn, in the order of coming; nothing if the deadline passes first.
  Async<std::optional<Lease>> lease(Instant deadline);

  // The connection used last, if it is young and its peer has neither closed it nor spoken
  // unasked; null if there is none.
  std::unique_ptr<Socket> take_idle();
  // After a complete exchange.
  void give_back(std::unique_ptr<Socket> socket);

 private:
  struct Idle {
    std::unique_ptr<Socket> socket;
    Instant since;
  };
  struct Turn;

  void release();

  Executor executor_;
  Clock& clock_;
  Milliseconds idle_timeout_;
  std::size_t free_;
  std::list<Turn*> waiting_;
  std::deque<Idle> idle_;  // oldest first
};

}  // namespace miroir::http
