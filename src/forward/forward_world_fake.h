#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

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
    ForwardOptions forward;
    SimulatedNetwork network;
    Microseconds task_delay_max{200'000};
  };
  ForwardWorld(std::uint64_t seed, Options options);
  ~ForwardWorld();

  void start();
  void crash();
  // Runs until `until` holds, at most for so long; whether it holds.
  bool run_until(const std::function<bool()>& until, Microseconds at_most = Seconds(600));
  void run_for(Microseconds time);
  // Runs one coroutine to its end.
  template <class T>
  T await(Async<T> coroutine);

  // Appends what a client's request would become; asserts that it is taken.
  Position create_index(const std::string& uid);
  Position write(const std::string& uid, const std::vector<std::string>& ids,
                 const std::string& value, EntryKind kind = EntryKind::kWriteDocuments);
  Position remove(const std::string& uid, const std::vector<std::string>& ids);
  Position remove_by_filter(const std::string& uid, Json filter);
  Position append(Entry entry);
  Position append_records(Entry entry, std::vector<BodyRecord> records);

  // Every node is in sync with the log's head, or has done it at least.
  bool all_done() const;
  std::optional<TaskEnd> task_end(Position task);
  bool await_task(Position task);
  // Every replica of an index holds the same: id → text, over the nodes of each group.
  std::map<std::string, std::string> documents_of_group(int group, const std::string& uid) const;

  SimulatedClock clock;
  Random random;
  Options options;
  std::map<std::string, std::unique_ptr<SimulatedNode>> nodes;
  std::map<std::string, SimulatedNetwork> networks;
  MemoryDisk disk;

  struct Process;
  std::unique_ptr<Process> process;
  Log& log();
  Cluster& cluster();
  Forwarders& forwarders();
  Metrics& metrics();
  Topology topology() const;

 private:
  bool step();  // whether anything could run
};

}  // namespace miroir
