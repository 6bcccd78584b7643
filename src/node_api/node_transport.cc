#include "node_api/node_transport.h"

#include <algorithm>
#include <chrono>

#include "node_api/node_answer.h"

namespace miroir {
namespace {

constexpr std::array<const char*, kNodeOperations> kOperationNames = {
    "write", "key", "tasks", "state", "documents", "digests", "search", "dry_run", "probe"};
constexpr std::array kErrorCodes = {
    ErrorCode::kInvalid,   ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kUnavailable,
    ErrorCode::kTimeout,   ErrorCode::kTooLarge, ErrorCode::kCorrupt,  ErrorCode::kUnsupported,
    ErrorCode::kCancelled, ErrorCode::kInternal};
const std::vector<double> kDurationBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                              0.25,  0.5,    1,     2.5,  5,     10,   30};

bool passes_by_itself(int status) {
  return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

// A client's question may be wrong, and a probe is meant to be refused: the node is well.
bool is_ordinary(NodeOperation operation, int status) {
  const bool may_be_refused = operation == NodeOperation::kSearch ||
                              operation == NodeOperation::kDryRun ||
                              operation == NodeOperation::kProbe;
  return may_be_refused && (status == 400 || status == 404 || status == 415);
}

}  // namespace

HttpNodeClient::Transport::Transport(std::unique_ptr<http::Client> clients_reads,
                                     std::unique_ptr<http::Client> own, Clock& clock,
                                     Random& random, HttpNodeOptions options, Metrics& metrics)
    : reads_(std::move(clients_reads)),
      own_(std::move(own)),
      clock_(clock),
      random_(random),
      options_(std::move(options)) {
  for (const char* operation : kOperationNames) {
    durations_.push_back(metrics.histogram("miroir_node_request_duration_seconds",
                                           "How long requests to nodes took", kDurationBuckets,
                                           {{"node_id", options_.id}, {"operation", operation}}));
  }
  for (const ErrorCode code : kErrorCodes) {
    errors_[code] =
        metrics.counter("miroir_node_errors_total", "Requests to nodes that failed",
                        {{"node_id", options_.id}, {"error_type", std::string(name(code))}});
  }
}

Result<http::Response> HttpNodeClient::Transport::failed(Error error) {
  errors_[error.code].increment();
  return std::unexpected(std::move(error).with_context("node " + options_.id));
}

Async<Result<http::Response>> HttpNodeClient::Transport::send(http::ClientRequest request,
                                                              NodeOperation operation,
                                                              Instant deadline) {
  if (request.headers.find("Authorization") == nullptr && !options_.master_key.empty())
    request.headers.set("Authorization", "Bearer " + options_.master_key);
  const Instant start = clock_.now();
  if (start >= deadline) co_return failed({ErrorCode::kTimeout, "no time left"});
  http::Client& client = operation == NodeOperation::kSearch ? *reads_ : *own_;
  auto answer = co_await client.send(std::move(request), deadline);
  durations_[static_cast<std::size_t>(operation)].observe(
      std::chrono::duration<double>(clock_.now() - start).count());
  if (!answer) co_return failed(std::move(answer.error().error));
  if (answer->status >= 400 && !is_ordinary(operation, answer->status))
    errors_[error_of(*answer).code].increment();
  co_return std::move(*answer);
}

Async<Result<http::Response>> HttpNodeClient::Transport::send_read(http::ClientRequest request,
                                                                   NodeOperation operation,
                                                                   Instant deadline) {
  for (int attempt = 1;; ++attempt) {
    Result<http::Response> answer = co_await send(request, operation, deadline);
    const bool away =
        answer ? passes_by_itself(answer->status) : answer.error().code == ErrorCode::kUnavailable;
    if (!away || attempt >= options_.read_attempts_max) co_return answer;
    const Microseconds longest = Microseconds(options_.retry_delay) * (1 << (attempt - 1));
    const auto delay = Microseconds(
        static_cast<std::int64_t>(random_.unit() * static_cast<double>(longest.count())));
    if (clock_.now() + delay >= deadline) co_return answer;
    co_await clock_.sleep_for(delay);
  }
}

Async<Result<Json>> HttpNodeClient::Transport::get(std::string target, NodeOperation operation,
                                                   Instant deadline) {
  http::ClientRequest request{"GET", std::move(target), {}, {}};
  MIROIR_CO_TRY(const http::Response answer,
                co_await send_read(std::move(request), operation, deadline));
  auto body = json_of(answer);
  if (!body) co_return std::unexpected(std::move(body).error().with_context("node " + options_.id));
  co_return body;
}

}  // namespace miroir
