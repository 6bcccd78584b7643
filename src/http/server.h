#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "http/message.h"
#include "http/pace.h"

namespace miroir::http {

struct ServerOptions {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 0;  // 0 takes a free one
  std::uint64_t body_bytes_max = 104'857'600;
  // Of all requests together; beyond it 503 with Retry-After, but for small bodies. One that does
  // not say its size counts as the largest.
  std::uint64_t bodies_bytes_max = 8 * 104'857'600ULL;
  std::size_t head_bytes_max = 64 * 1024;
  std::size_t connections_max = 1024;
  std::size_t requests_max = 500;     // in handlers at a time; beyond it 503 with Retry-After
  Milliseconds head_timeout{10'000};  // from its first byte to its last
  Pace pace = {};                     // of bodies and of answers
  Milliseconds idle_timeout{75'000};
};

// Answers requests. Outlives the server. Called on the server's thread.
class Handler {
 public:
  virtual ~Handler() = default;
  // After the head, before the body: an answer refuses the request (the connection is closed unless
  // the body is small enough to skip). Where authentication belongs.
  virtual Async<std::optional<Response>> admit(const RequestHead& head) = 0;
  virtual Async<Response> handle(Request request) = 0;
  // The answer to what is no valid request (400), too large a head or body (431, 413), too slow a
  // body (408), too much load (503): the handler gives it its own error shape.
  virtual Response refuse(int status, std::string message) = 0;
};

// A hardened HTTP/1.1 server: keep-alive, Expect: 100-continue, chunked and Content-Length bodies.
// Refuses what two parsers could read differently (head_parser.h): Transfer-Encoding other than
// exactly `chunked`, TE with CL, repeated CL or Host, no Host (1.1), obsolete folding, control
// characters in values; trailers are dropped. Never writes a header value with CR, LF or NUL, nor
// framing that the handler gave. One thread: that of the io_context, which outlives it. Once run()
// has begun, stop() is awaited before the server is destroyed.
class Server {
 public:
  // Binds and listens at once, so port() is known; serves from run() on.
  static Result<std::unique_ptr<Server>> listen(Executor executor, Clock& clock,
                                                ServerOptions options, Handler& handler);
  ~Server();
  std::uint16_t port() const;
  std::string url() const;  // "http://127.0.0.1:7700"
  // Accepts until stop().
  Async<void> run();
  // Stops accepting, lets running requests end within `grace`, closes everything; run() has
  // returned then. Never from a handler.
  Async<void> stop(Milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace miroir::http
