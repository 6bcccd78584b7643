#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/metrics.h"
#include "base/random.h"
#include "node_api/http_node_client.h"

namespace miroir {

// What a request is for, in metrics.
enum class NodeOperation {
  kWrite,
  kKey,
  kTasks,
  kState,
  kDocuments,
  kDigests,
  kSearch,
  kDryRun,
  kProbe
};
inline constexpr std::size_t kNodeOperations = 9;

// Sends a node's requests with its key, measures them, and repeats those that only read.
class HttpNodeClient::Transport {
 public:
  Transport(std::unique_ptr<http::Client> clients_reads, std::unique_ptr<http::Client> own,
            Clock& clock, Random& random, HttpNodeOptions options, Metrics& metrics);

  const HttpNodeOptions& options() const { return options_; }
  std::uint64_t connections() const { return reads_->connections() + own_->connections(); }

  // Once. Any status is an answer.
  Async<Result<http::Response>> send(http::ClientRequest request, NodeOperation operation,
                                     Instant deadline);
  // Of what only reads: repeated with jitter while the node is away and the deadline allows it.
  Async<Result<http::Response>> send_read(http::ClientRequest request, NodeOperation operation,
                                          Instant deadline);
  // The same, and the body of a 2xx answer.
  Async<Result<Json>> get(std::string target, NodeOperation operation, Instant deadline);

 private:
  Result<http::Response> failed(Error error);

  std::unique_ptr<http::Client> reads_;  // kSearch
  std::unique_ptr<http::Client> own_;
  Clock& clock_;
  Random& random_;
  HttpNodeOptions options_;
  std::vector<Histogram> durations_;
  std::map<ErrorCode, Counter> errors_;
};

}  // namespace miroir
