#pragma once

#include <functional>
#include <list>

#include "base/logging.h"
#include "forward/forwarders.h"

namespace miroir {

// No lane hands over what comes after the position, until then or until it is over.
struct Standstill {
  Position position = 0;
  Instant until;
};

// What every part of the room works with; all of it outlives them.
struct ForwardContext {
  Log& log;
  Cluster& cluster;
  Clock& clock;
  Random& random;
  Executor executor;
  ForwardOptions options;
  // Raised when an entry was appended, sent, resolved or ended, and when a node's status changed.
  Signal& stirred;
  // The clients' tasks up to here have ended; TaskEnds moves it. Nodes' rows tell, so that after a
  // crash the tasks that are open can be found, and do not all go beyond: those are not trimmed.
  Position& settled;
  Signal& settling;  // raised when it moves
  // The newest of the clients' entries that ended: every node that was there had done it. At first
  // no older than that.
  Position& newest_ended;
  // The log's head at the start: earlier entries are of other processes too, with other nodes.
  Position began_with;
  // Whether `settled` tells: what was in the log at the start has been looked at.
  bool& backlog_read;
  const std::list<Standstill>& standstills;

  // Whether a client may not have been told yet what became of it. What a node failed once it has
  // failed until then, though its disk was put back and it could do it now: others go by that.
  bool is_open(const Entry& entry) const {
    return !entry.task_type.empty() && entry.task > settled;
  }
};

// Between two attempts of what must succeed before anything else may happen.
inline constexpr Milliseconds kInsistDelay{200};

// Repeats what the store must do until it does: an outcome that is not durable may not be passed.
inline Async<void> insist(Clock& clock, std::string what,
                          std::function<Async<Result<void>>()> attempt) {
  for (;;) {
    auto done = co_await attempt();
    if (done) co_return;
    log_error("cannot record", {{"what", what}, {"error", done.error().message}});
    co_await clock.sleep_for(kInsistDelay);
  }
}

}  // namespace miroir
