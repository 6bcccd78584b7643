#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/simulated_clock_fake.h"
#include "forward/forwarders.h"
#include "node_api/simulated_node_client_fake.h"
#include "store/memory_store_fake.h"

namespace miroir {

// A Miroir process up to its forwarders, before simulated nodes, on simulated time and on one
// thread. crash() destroys everything but the store's disk and the nodes; start() opens it again.
class ForwardWorld {
 public:
  struct Options {
    int groups = 2;
    int nodes_per_group = 2;
    std::uint32_t shards = 8;
    ForwardOptions forward = {};
    LogOptions log = {};
    SimulatedNetwork network = {};
    Microseconds task_delay_max{200'000};
  };
  ForwardWorld(std::uint64_t seed, Options options);
  ~ForwardWorld();

  void start();
  void crash();
  // Between the two: the configuration has one group more.
  void add_group();
  void remove_group();  // the last
  // And runs until that is known; whether it is.
  bool set_down(const std::string& node, bool down);
  // Runs until `until` holds, at most for so long; whether it holds.
  bool run_until(const std::function<bool()>& until, Microseconds at_most = Seconds(600));
  void run_for(Microseconds time);
  // Runs one coroutine to its end.
  template <class T>
  T await(Async<T> coroutine);

  // Appends what a client's request would become; asserts that it is taken.
  Position create_index(const std::string& uid);
  Position take_over_index(const std::string& uid);  // as a recovery does
  Position write(const std::string& uid, const std::vector<std::string>& ids,
                 const std::string& value, EntryKind kind = EntryKind::kWriteDocuments);
  Position remove(const std::string& uid, const std::vector<std::string>& ids);
  Position remove_by_filter(const std::string& uid, Json filter);
  Position clear(const std::string& uid);
  Position drop_index(const std::string& uid);
  Position swap_indexes(const std::string& one, const std::string& other);
  // What Forwarders::cancel announces, as by a client's request.
  Async<Result<Position>> append_cancelation(Voided voided);
  Position append(Entry entry);
  Position append_records(Entry entry, std::vector<BodyRecord> records);

  // From here on tasks of these types alone fail on every node, or on the only one.
  void fail_tasks(std::set<std::string> types, std::optional<std::string> only = std::nullopt);

  // Every node has done the log's head.
  bool all_done() const;
  std::optional<TaskEnd> task_end(Position task);
  TaskEnd await_task(Position task);
  // The group's copy of an index: id → text.
  std::map<std::string, std::string> documents_of_group(int group, const std::string& uid) const;
  // Which nodes do not have exactly one task per entry that concerns them, under its own number;
  // empty if all do.
  std::string unlike_the_log();

  SimulatedClock clock;
  Random random;
  Options options;
  std::map<std::string, std::unique_ptr<SimulatedNode>> nodes;
  std::map<std::string, SimulatedNetwork> networks;
  // What a node refuses at its door: asked for every write, an error or nothing.
  std::function<std::optional<Error>(const std::string& node, const NodeWrite&)> refuse;
  // The same where it is asked which indexes it holds.
  std::function<std::optional<Error>(const std::string& node)> refuse_indexes;
  // Answer in the place of a simulated node: to reads, and to dry runs; nothing: the node itself.
  using AnswerRequest = std::function<std::optional<Result<http::Response>>(
      const std::string& node, const http::ClientRequest&)>;
  AnswerRequest answer_read;
  AnswerRequest answer_dry_run;
  // The same for an index too large to be simulated document by document.
  std::function<Result<DocumentPage>(const std::string& node, const DocumentQuery&)>
      answer_documents;
  std::function<Result<std::vector<DigestCounts>>(const std::string& node, const std::string& index,
                                                  const std::vector<SlotRange>&)>
      answer_digests;
  Microseconds answer_time{1'000};  // how long such answers travel
  // Called before a node is asked for documents, or for the digests of an index.
  std::function<void(const std::string& node, const DocumentQuery&)> before_documents;
  std::function<void(const std::string& index)> before_digests;
  // Requests of documents and digests that are under way, and the most that were at once.
  struct Reads {
    std::size_t now = 0;
    std::size_t most = 0;
  };
  Reads reads;
  MemoryStore store;

  struct Process {
    std::unique_ptr<boost::asio::io_context> io = std::make_unique<boost::asio::io_context>();
    Metrics metrics;
    Random random;
    std::unique_ptr<Log> log;
    std::unique_ptr<Cluster> cluster;
    std::unique_ptr<Forwarders> forwarders;
    std::unique_ptr<HealthMonitor> health;
    explicit Process(std::uint64_t seed) : random(seed) {}
  };
  std::unique_ptr<Process> process;
  Log& log() { return *process->log; }
  Cluster& cluster() { return *process->cluster; }
  const Topology& topology() const { return topology_; }

 private:
  // Runs what is ready, then moves the clock to the next that sleeps.
  void step(Instant at_most);
  void spawn(Async<void> coroutine);
  void make_nodes();

  Topology topology_;
};

template <class T>
T ForwardWorld::await(Async<T> coroutine) {
  std::optional<T> result;
  spawn([](Async<T> inner, std::optional<T>& out) -> Async<void> {
    out = co_await std::move(inner);
  }(std::move(coroutine), result));
  const Instant give_up = clock.now() + Seconds(3'600);
  while (!result && clock.now() < give_up) step(give_up);
  MIROIR_ASSERT(result);
  return std::move(*result);
}

}  // namespace miroir
