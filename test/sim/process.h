#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "anti_entropy/reconciler.h"
#include "base/simulated_clock_fake.h"
#include "cdc/change_stream.h"
#include "cluster/cluster.h"
#include "forward/forwarders.h"
#include "http/message.h"
#include "node_api/simulated_node_client_fake.h"
#include "recovery/recovery.h"
#include "sim/plan.h"
#include "sim/subscriber.h"
#include "sim/witness.h"
#include "store/memory_store_fake.h"
#include "ttl/sweeper.h"
#include "write/write_context.h"

namespace miroir::sim {

// What outlives a Miroir process: its disk, the nodes, the network, and time.
struct Surroundings {
  const Plan& plan;
  const Topology& topology;
  SimulatedClock& clock;
  MemoryStore& store;
  std::map<std::string, std::unique_ptr<SimulatedNode>>& nodes;
  std::map<std::string, SimulatedNetwork>& networks;
  Journals& journals;
  Subscriber& subscriber;
};

FieldNames names_of(const Plan& plan);

// One Miroir, up to its writers, on an io_context of its own. Destroyed it is a crash: nothing is
// stopped, saved or said.
class Process {
 public:
  Process(Surroundings around, std::uint64_t seed);
  ~Process();

  // Runs one handler; false where none is ready.
  bool step();
  // Opened, and every part of it runs.
  bool ready() const { return ready_; }
  // Its log could not be read: it would exit.
  bool failed() const { return failed_; }

  // A client's request; `answer` is never called if the process dies before.
  void serve(Request request, int number, std::function<void(http::Response)> answer);
  // A client's too: those of the tasks of which nothing was sent yet shall not happen.
  void cancel(std::vector<Position> tasks);
  // And that an index is swept like this; `answer` says whether that holds.
  void set_policy(std::string index, TtlOverride change, std::function<void(bool)> answer);
  void set_paused(bool paused, std::function<void(bool)> answer);
  void spawn(Async<void> coroutine);

  Log& log() { return *log_; }
  Cluster& cluster() { return *cluster_; }
  Reconciler& reconciler() { return *reconciler_; }
  const Sweeper& sweeper() { return *sweeper_; }
  // The log's head when it began.
  Position opened_at() const { return opened_at_; }
  // Changes that its stream has left out because of their origin.
  double suppressed(const std::string& origin);

 private:
  Async<void> open();
  Async<bool> open_stream();
  Async<bool> open_sweeper();
  Async<http::Response> handle(Request request, int number);
  Async<http::Response> handle_key(WriteContext context, Request request, http::Request message);

  Surroundings around_;
  std::unique_ptr<boost::asio::io_context> io_;
  Random random_;
  Metrics metrics_;
  std::unique_ptr<Log> log_;
  Position opened_at_ = 0;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<Forwarders> forwarders_;
  std::unique_ptr<HealthMonitor> health_;
  std::unique_ptr<Reconciler> reconciler_;
  std::unique_ptr<Recovery> recovery_;
  std::unique_ptr<ChangeStream> stream_;
  std::unique_ptr<Sweeper> sweeper_;
  bool ready_ = false;
  bool failed_ = false;
};

}  // namespace miroir::sim
