#pragma once

#include <string>
#include <vector>

#include "node_api/read_journal_fake.h"
#include "node_api/simulated_node_fake.h"

namespace miroir {

// What the network between a process and a node does; probabilities for each call.
struct SimulatedNetwork {
  Microseconds latency_min{200};
  Microseconds latency_max{5'000};
  double lose_request = 0;   // never arrives: kTimeout
  double lose_answer = 0;    // done, and kTimeout
  double delay_request = 0;  // arrives after the caller gave up: kTimeout
  double duplicate = 0;      // a write arrives twice, the second time later
  double refuse = 0;         // kUnavailable
  Microseconds late_max{5'000'000};
  bool cut = false;  // nothing arrives: kUnavailable
};

// One process's way to a simulated node. Node, clock, randomness, network and journal outlive it.
class SimulatedNodeClient : public NodeClient {
 public:
  SimulatedNodeClient(SimulatedNode& node, Clock& clock, Random& random,
                      const SimulatedNetwork& network, ReadJournal* journal = nullptr);

  Async<Result<Enqueued>> enqueue(NodeWrite write, TaskUid uid, std::string metadata,
                                  Instant deadline) override;
  Async<Result<void>> put_key(Json key, Instant deadline) override;
  Async<Result<void>> delete_key(std::string uid, Instant deadline) override;
  Async<Result<std::optional<NodeTask>>> newest_task(Instant deadline) override;
  Async<Result<std::optional<NodeTask>>> task(TaskUid uid, Instant deadline) override;
  Async<Result<std::vector<NodeTask>>> tasks(TaskUid first, TaskUid last, std::size_t limit,
                                             Instant deadline) override;
  Async<Result<std::vector<NodeIndex>>> indexes(Instant deadline) override;
  Async<Result<NodeIndex>> index(std::string uid, Instant deadline) override;
  Async<Result<Json>> settings(std::string index_uid, Instant deadline) override;
  Async<Result<std::vector<Json>>> keys(Instant deadline) override;
  Async<Result<DocumentPage>> documents(DocumentQuery query, Instant deadline) override;
  Async<Result<std::vector<DigestCounts>>> digests(std::string index_uid,
                                                   std::vector<SlotRange> ranges,
                                                   Instant deadline) override;
  Async<Result<void>> probe(Instant deadline) override;
  // Accepts everything: what a node refuses at the door is not simulated.
  Async<Result<http::Response>> dry_run(http::ClientRequest request, Instant deadline) override;
  // Answers GET of one document; anything else is a 404.
  Async<Result<http::Response>> read(http::ClientRequest request, Instant deadline) override;
  std::uint64_t connections() const override { return connections_; }

 private:
  enum class Fate { kDelivered, kAnswerLost };
  // The way there: an error where nothing arrived.
  Async<Result<Fate>> travel(Instant deadline);
  // The way back: an error where the answer does not come in time.
  Async<Result<void>> come_back(Fate fate, Instant deadline);
  Async<Error> lost(Instant deadline);
  // Asks the node when the request arrives, and brings its answer back.
  template <class T, class Ask>
  Async<Result<T>> call(Instant deadline, Ask ask);
  Microseconds draw(Microseconds min, Microseconds max);

  SimulatedNode& node_;
  Clock& clock_;
  Random& random_;
  const SimulatedNetwork& network_;
  ReadJournal* journal_;
  std::uint64_t connections_ = 1;
  std::uint64_t restarts_;  // of the node, before the newest connection to it
};

}  // namespace miroir
