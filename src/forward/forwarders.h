#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cluster/cluster.h"
#include "cluster/history.h"
#include "log/log.h"

namespace miroir {

struct ForwardOptions {
  FieldNames names;
  std::uint64_t request_bytes_max = 90ULL << 20;
  std::size_t tasks_in_flight_max = 256;  // enqueued on a node and not yet ended
  Milliseconds request_timeout{60'000};
  Milliseconds retry_delay_min{50};
  Milliseconds retry_delay_max{5'000};
  int refusals_in_a_row_max = 5;  // then the lane stops and alerts
  // Finished tasks of ours that a node keeps: its queue holds a million, and then takes no more.
  std::uint64_t node_tasks_kept = 100'000;
  TaskUid tasks_forgotten_at_once = kForgottenTasksMax;  // no more than that
  Microseconds trim_interval = Seconds(10);
};

// One forwarder per node, the only thing that changes a node (DESIGN.md, "Writing" 3-8): sends it
// the entries that concern it in the log's order, watches its tasks, records outcomes and taints,
// ends the clients' tasks, resolves deletes by filter, and trims the log. Survives a kill -9 of
// either side at any moment: the node's newest task says where to go on.
class Forwarders {
 public:
  Forwarders(Log& log, Cluster& cluster, Clock& clock, Random& random, Metrics& metrics,
             Executor executor, ForwardOptions options);
  ~Forwarders();
  Async<void> run();
  Async<void> stop();
  // Waits until every lane has looked at its node once, or until the deadline: before that a log
  // that went back is not noticed, and what it is given anew may carry old numbers.
  Async<void> look_at_all(Instant deadline);
  // Whether a node has begun on this client's task (for the tasks view).
  bool processing(Position task) const;
  // Cancels those of the tasks whose documents no node was sent yet: they end as canceled, by the
  // task that `announce` appends, with what is void by it. Tasks of indexes, settings and keys are
  // not cancelled: what was judged after them counts on them.
  using Announce = std::function<Async<Result<Position>>(std::size_t canceled, Voided voided)>;
  Async<Result<void>> cancel(std::vector<Position> tasks, Announce announce);
  // What became of the clients' entries up to here is known. Lower after a restart, until it is
  // known again. The signal is raised when it moves.
  Position settled() const;
  Signal& settling();
  // The newest of the clients' entries that they may have been told to have ended. Whoever is in
  // sync, and lacks something up to here, was not there when it ended.
  Position newest_ended() const;
  // While the permit lives, or so long at the most, no node is sent what is appended from now on:
  // once all have done the log's head they stand still there, and documents that are written all
  // the time can be compared.
  Semaphore::Permit stand_still(Milliseconds at_most);
  // Look at the node's history again now (the reconciler asks in each pass).
  Async<Result<History>> recheck(std::string node, Instant deadline);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace miroir
