#include "http/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "base/logging.h"
#include "base/watchdog.h"
#include "http/head_parser.h"
#include "http/head_writer.h"
#include "http/socket.h"

namespace miroir::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// A refused request's body is read and thrown away up to this size, to keep the connection.
constexpr std::uint64_t kDiscardedBytesMax = 64 * 1024;
constexpr Milliseconds kAcceptPause{100};

// Counts for as long as it lives, and tells who waits for the end.
class Counted {
 public:
  Counted(std::size_t& count, Signal& changed) : count_(count), changed_(changed) { ++count_; }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    --count_;
    changed_.notify_all();
  }

 private:
  std::size_t& count_;
  Signal& changed_;
};

// A body of at most this many bytes always has room.
constexpr std::uint64_t kSmallBody = 64 * 1024;

bool has_body(const Framing& framing) {
  return framing.chunked || framing.content_length.value_or(0) > 0;
}

}  // namespace

struct Server::State {
  State(Executor e, Clock& c, ServerOptions o, Handler& h, tcp::acceptor a)
      : executor(e),
        clock(c),
        options(std::move(o)),
        handler(h),
        acceptor(std::move(a)),
        connections(e),
        ended(e) {}

  Executor executor;
  Clock& clock;
  ServerOptions options;
  Handler& handler;
  tcp::acceptor acceptor;
  TaskGroup connections;
  Signal ended;            // a request, or run()
  std::set<Socket*> idle;  // connections between requests: closed at once by stop()
  std::uint64_t bodies_bytes = 0;
  std::size_t requests = 0;
  std::size_t running = 0;  // run()s
  bool stopping = false;
  std::uint16_t port = 0;

  Async<void> serve(tcp::socket raw);
  Async<bool> wait_for_request(Socket& socket);
  Async<std::optional<ParsedRequest>> read_head(Socket& socket);
  Async<bool> serve_one(Socket& socket);
  std::optional<Response> over_a_limit(const ParsedRequest& parsed);
  std::uint64_t room_for(const ParsedRequest& parsed) const;
  Async<bool> turn_away(Socket& socket, ParsedRequest parsed, Response refusal);
  Async<bool> answer(Socket& socket, Response response, bool keep_alive, bool head_only);
  Async<void> refuse(Socket& socket, int status, std::string message);
  Async<Result<void>> read_body(Socket& socket, const ParsedRequest& parsed, std::string& body);
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;
std::uint16_t Server::port() const { return state_->port; }
std::string Server::url() const {
  const std::string& bind = state_->options.bind;
  std::string host = bind == "0.0.0.0" || bind == "::" ? "127.0.0.1" : bind;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return "http://" + host + ":" + std::to_string(state_->port);
}

Result<std::unique_ptr<Server>> Server::listen(Executor executor, Clock& clock,
                                               ServerOptions options, Handler& handler) {
  error_code error;
  const auto address = asio::ip::make_address(options.bind, error);
  if (error)
    return fail(ErrorCode::kInvalid, "bind: expected an IP address, got `" + options.bind + "`");
  const tcp::endpoint endpoint(address, options.port);
  tcp::acceptor acceptor(executor);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return fail(ErrorCode::kUnavailable, "cannot listen on " + options.bind + ":" +
                                             std::to_string(options.port) + ": " + error.message());
  }
  const std::uint16_t port = acceptor.local_endpoint().port();
  auto state =
      std::make_unique<State>(executor, clock, std::move(options), handler, std::move(acceptor));
  state->port = port;
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Async<void> Server::run() {
  State& state = *state_;
  const Counted running(state.running, state.ended);
  while (!state.stopping) {
    error_code error;
    tcp::socket socket(state.executor);
    co_await state.acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (state.stopping) break;
    if (error) {
      // Out of file descriptors, most likely: wait instead of spinning.
      if (error != asio::error::operation_aborted) {
        log_warning("cannot accept a connection", {{"error", error.message()}});
      }
      co_await state.clock.sleep_for(kAcceptPause);
      continue;
    }
    if (state.connections.size() >= state.options.connections_max) continue;  // closes it
    state.connections.spawn("connection", state.serve(std::move(socket)));
  }
}

Async<void> Server::stop(Milliseconds grace) {
  State& state = *state_;
  state.stopping = true;
  error_code ignored;
  state.acceptor.close(ignored);
  for (Socket* socket : state.idle) socket->close();
  Watchdog patience(state.executor, state.clock, [&state] { state.ended.notify_all(); });
  patience.arm(state.clock.now() + grace);
  while (state.requests > 0 && !patience.has_bitten()) co_await state.ended.wait();
  co_await state.connections.stop();
  while (state.running > 0) co_await state.ended.wait();
}

Async<void> Server::State::serve(tcp::socket raw) {
  Socket socket(std::move(raw), clock);
  socket.send_at_once();
  while (!stopping && co_await serve_one(socket)) {
  }
  // Closing on bytes that were not read would reset the connection, and take the answer with it.
  if (socket.is_open()) co_await socket.linger();
}

// Whether the connection goes on.
Async<bool> Server::State::answer(Socket& socket, Response response, bool keep_alive,
                                  bool head_only) {
  if (response.status == kNoAnswer) {
    socket.close();
    co_return false;
  }
  if (stopping) keep_alive = false;
  std::string head = response_head(response, keep_alive);
  if (head_only || is_bodiless(response.status)) response.body.clear();
  const auto written = co_await socket.write(std::move(head), response.body, options.pace);
  if (!written) socket.close();
  co_return written.has_value() && keep_alive;
}

Async<void> Server::State::refuse(Socket& socket, int status, std::string message) {
  co_await answer(socket, handler.refuse(status, std::move(message)), false, false);
}

Async<Result<void>> Server::State::read_body(Socket& socket, const ParsedRequest& parsed,
                                             std::string& body) {
  const bool waits = parsed.expects_continue && has_body(parsed.framing) && socket.buffer().empty();
  if (waits) {
    MIROIR_CO_CHECK(co_await socket.write("HTTP/1.1 100 Continue\r\n\r\n", {}, options.pace));
  }
  if (parsed.framing.chunked) {
    co_return co_await socket.read_chunked(body, options.body_bytes_max, options.pace);
  }
  co_return co_await socket.read_body(body, parsed.framing.content_length.value_or(0),
                                      options.pace);
}

// Until the first byte of a request is there; whether it came.
Async<bool> Server::State::wait_for_request(Socket& socket) {
  if (!socket.buffer().empty()) co_return true;
  struct Idle {
    std::set<Socket*>& idle;
    Socket* socket;
    Idle(std::set<Socket*>& i, Socket* s) : idle(i), socket(s) { idle.insert(socket); }
    ~Idle() { idle.erase(socket); }
  } in_idle(idle, &socket);
  socket.deadline(clock.now() + options.idle_timeout);
  co_return (co_await socket.read_more()).has_value();
}

// Nothing if the connection ends here; what was malformed has been refused then.
Async<std::optional<ParsedRequest>> Server::State::read_head(Socket& socket) {
  socket.deadline(clock.now() + options.head_timeout);
  while (true) {
    const std::string_view bytes = socket.buffer();
    const auto size = head_size(bytes);
    std::optional<HeadError> error;
    if (!size) {
      error = size.error();
    } else if ((*size > 0 ? *size : bytes.size()) > options.head_bytes_max) {
      error = HeadError{431, "the request's head is too large"};
    } else if (*size > 0) {
      auto parsed = parse_request_head(bytes.substr(0, *size));
      socket.buffer().erase(0, *size);
      socket.no_deadline();
      if (parsed) co_return std::move(*parsed);
      error = parsed.error();
    }
    if (error) {
      co_await refuse(socket, error->status, error->message);
      co_return std::nullopt;
    }
    if (!co_await socket.read_more()) co_return std::nullopt;
  }
}

// What the request's body takes of the room for bodies.
std::uint64_t Server::State::room_for(const ParsedRequest& parsed) const {
  if (parsed.framing.chunked) return options.body_bytes_max;
  const std::uint64_t bytes = parsed.framing.content_length.value_or(0);
  return bytes <= kSmallBody ? 0 : bytes;
}

std::optional<Response> Server::State::over_a_limit(const ParsedRequest& parsed) {
  if (requests >= options.requests_max) {
    Response busy = handler.refuse(503, "too many requests are under way");
    busy.headers.set("Retry-After", "1");
    return busy;
  }
  if (bodies_bytes > 0 && bodies_bytes + room_for(parsed) > options.bodies_bytes_max) {
    Response busy = handler.refuse(503, "too many large bodies are under way");
    busy.headers.set("Retry-After", "1");
    return busy;
  }
  if (parsed.framing.content_length.value_or(0) > options.body_bytes_max) {
    return handler.refuse(
        413, "the body is larger than " + std::to_string(options.body_bytes_max) + " bytes");
  }
  return std::nullopt;
}

// Answers before the body; whether the connection goes on.
Async<bool> Server::State::turn_away(Socket& socket, ParsedRequest parsed, Response refusal) {
  const std::uint64_t announced = parsed.framing.content_length.value_or(0);
  bool keep = parsed.keep_alive && !parsed.framing.chunked && announced <= kDiscardedBytesMax &&
              !(parsed.expects_continue && announced > 0);
  if (keep) {
    std::string discarded;
    keep = (co_await socket.read_body(discarded, announced, options.pace)).has_value();
  }
  co_return co_await answer(socket, std::move(refusal), keep, parsed.head.method == "HEAD");
}

// One request and its answer; whether the connection goes on.
Async<bool> Server::State::serve_one(Socket& socket) {
  if (!co_await wait_for_request(socket)) co_return false;
  auto parsed = co_await read_head(socket);
  if (!parsed) co_return false;
  auto refusal = co_await handler.admit(parsed->head);
  if (!refusal) refusal = over_a_limit(*parsed);
  if (refusal) co_return co_await turn_away(socket, std::move(*parsed), std::move(*refusal));

  const Counted under_way(requests, ended);
  struct Room {
    std::uint64_t& all;
    std::uint64_t bytes;
    Room(std::uint64_t& a, std::uint64_t b) : all(a), bytes(b) { all += bytes; }
    ~Room() { all -= bytes; }
  } const room(bodies_bytes, room_for(*parsed));
  const bool head_only = parsed->head.method == "HEAD";
  Request request{std::move(parsed->head), {}};
  auto body = co_await read_body(socket, *parsed, request.body);
  if (!body) {
    if (body.error().code == ErrorCode::kTooLarge) {
      co_await refuse(socket, 413, body.error().message);
    } else if (body.error().code == ErrorCode::kInvalid) {
      co_await refuse(socket, 400, body.error().message);
    } else if (body.error().code == ErrorCode::kTimeout && socket.is_open()) {
      co_await refuse(socket, 408, "the body came too slowly");
    }
    co_return false;
  }
  socket.no_deadline();
  Response response = co_await handler.handle(std::move(request));
  co_return co_await answer(socket, std::move(response), parsed->keep_alive, head_only);
}

}  // namespace miroir::http
