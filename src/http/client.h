#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"

namespace miroir::http {

struct ClientOptions {
  std::string address;  // "http://127.0.0.1:7701"; plain HTTP only
  std::size_t connections_max = 32;
  std::uint64_t response_bytes_max = 1ULL << 30;
  std::size_t head_bytes_max = 64 * 1024;
  Milliseconds connect_timeout{2'000};
  Milliseconds idle_timeout{30'000};  // a pooled connection older than this is not used again
};

struct ClientRequest {
  std::string method;
  std::string target;  // path and query, percent-encoded
  Headers headers;     // checked; Host, framing and Connection are the client's own: if given, they
                       // are left out
  std::string body;
};

// How far a failed request came: what decides whether it may be sent again.
enum class Sent { kNothing, kMaybe };

struct ClientError {
  Error error;  // kTimeout, kUnavailable (refused, reset, closed), kCorrupt (garbage), kTooLarge
  Sent sent = Sent::kNothing;
};

// A keep-alive pool of connections to one server. Never hangs: every request has a deadline, and on
// expiry or cancellation its connection is closed (a late answer must not meet the next request).
// Answers are framed by Content-Length or `chunked`: one that ends with its connection is kCorrupt,
// for it could be cut short. Does not retry,
// except that a request whose pooled connection turned out closed before any byte was answered is
// sent once more if it is safe to repeat (GET, HEAD). Single-threaded; outlives its requests; its
// io_context outlives it.
class Client {
 public:
  static Result<std::unique_ptr<Client>> create(Executor executor, Clock& clock,
                                                ClientOptions options);
  ~Client();
  Async<std::expected<Response, ClientError>> send(ClientRequest request, Instant deadline);
  // Opened so far. While it stays the same, every answer came from the process that gave those
  // before.
  std::uint64_t connections() const;

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace miroir::http
