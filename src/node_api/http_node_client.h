#pragma once

#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/random.h"
#include "node_api/node_client.h"

namespace miroir {

struct HttpNodeOptions {
  std::string id;
  std::string address;  // "http://host:port"
  std::string master_key;
  FieldNames names = {};
  std::size_t connections_max = 32;      // for clients' reads…
  std::size_t own_connections_max = 16;  // …and, so that those hold up nothing, for all else
  std::uint64_t response_bytes_max = 1ULL << 30;
  int read_attempts_max = 3;
  Milliseconds retry_delay{50};  // at most, before the first repetition; doubles with each
};

// A Meilisearch over HTTP. Single-threaded; clock, randomness and metrics outlive it, it outlives
// its calls.
class HttpNodeClient final : public NodeClient {
 public:
  class Transport;
  static Result<std::unique_ptr<HttpNodeClient>> create(Executor executor, Clock& clock,
                                                        Random& random, HttpNodeOptions options,
                                                        Metrics& metrics);
  ~HttpNodeClient() override;

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
  Async<Result<http::Response>> dry_run(http::ClientRequest request, Instant deadline) override;
  Async<Result<http::Response>> read(http::ClientRequest request, Instant deadline) override;
  std::uint64_t connections() const override;

 private:
  explicit HttpNodeClient(std::unique_ptr<Transport> transport);
  Async<Result<void>> probe_task_numbers(Instant deadline);
  Async<Result<void>> probe_network_feature(Instant deadline);

  std::unique_ptr<Transport> transport_;
};

}  // namespace miroir
