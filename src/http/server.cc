#include "http/server.h"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "base/logging.h"
#include "http/head_parser.h"
#include "http/socket.h"

namespace miroir::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// A refused request's body is read and thrown away up to this size, to keep the connection.
constexpr std::uint64_t kDiscardedBytesMax = 64 * 1024;

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Status";
  }
}

std::string head_of(const Response& response, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head += reason_of(response.status);
  head += "\r\n";
  for (const auto& [name, value] : response.headers.all()) {
    // A value that would end the line is left out rather than sent.
    if (!is_token(name) || !is_field_value(value)) continue;
    head += name + ": " + value + "\r\n";
  }
  if (response.status != 204 && response.status != 304) {
    head += "Content-Length: " + std::to_string(response.body.size()) + "\r\n";
  }
  if (!keep_alive) head += "Connection: close\r\n";
  return head + "\r\n";
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
  Signal ended;
  std::set<Socket*> idle;  // connections between requests: closed at once by stop()
  std::size_t open = 0;
  std::size_t requests = 0;
  bool stopping = false;
  std::uint16_t port = 0;

  Async<void> serve(tcp::socket raw);
  Async<bool> serve_one(Socket& socket);
  Async<bool> answer(Socket& socket, Response response, bool keep_alive, bool head_only);
  Async<bool> refuse(Socket& socket, int status, std::string message);
  Async<Result<void>> read_body(Socket& socket, const ParsedRequest& parsed, std::string& body);
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;
std::uint16_t Server::port() const { return state_->port; }
std::string Server::url() const {
  const std::string& bind = state_->options.bind;
  const std::string host = bind == "0.0.0.0" || bind == "::" ? "127.0.0.1" : bind;
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
  while (!state.stopping) {
    error_code error;
    tcp::socket socket(state.executor);
    co_await state.acceptor.async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (state.stopping) break;
    if (error) {
      // Out of file descriptors, most likely: wait instead of spinning.
      log_warning("cannot accept a connection", {{"error", error.message()}});
      co_await state.clock.sleep_for(Milliseconds(100));
      continue;
    }
    if (state.open >= state.options.connections_max) continue;  // closes it
    ++state.open;
    state.connections.spawn("connection", state.serve(std::move(socket)));
  }
}

Async<void> Server::stop(Milliseconds grace) {
  State& state = *state_;
  state.stopping = true;
  error_code ignored;
  state.acceptor.close(ignored);
  for (Socket* socket : state.idle) socket->close();
  const Instant until = state.clock.now() + grace;
  while (state.requests > 0 && state.clock.now() < until)
    co_await state.clock.sleep_for(Milliseconds(5));
  co_await state.connections.stop();
}

Async<void> Server::State::serve(tcp::socket raw) {
  struct Leaving {
    State& state;
    ~Leaving() { --state.open; }
  } leaving{*this};
  Socket socket(std::move(raw), clock);
  while (!stopping && co_await serve_one(socket)) {
  }
}

Async<bool> Server::State::answer(Socket& socket, Response response, bool keep_alive,
                                  bool head_only) {
  if (response.status == kNoAnswer) co_return false;
  if (stopping) keep_alive = false;
  std::string head = head_of(response, keep_alive);
  if (head_only) response.body.clear();
  const auto written = co_await socket.write(std::move(head), response.body, options.write_timeout);
  co_return written.has_value() && keep_alive;
}

Async<bool> Server::State::refuse(Socket& socket, int status, std::string message) {
  co_await answer(socket, handler.refuse(status, std::move(message)), false, false);
  co_await socket.linger();
  co_return false;
}

Async<Result<void>> Server::State::read_body(Socket& socket, const ParsedRequest& parsed,
                                             std::string& body) {
  if (parsed.expects_continue && socket.buffer().empty()) {
    static const std::string kNothing;
    MIROIR_CO_CHECK(
        co_await socket.write("HTTP/1.1 100 Continue\r\n\r\n", kNothing, options.write_timeout));
  }
  if (parsed.framing.chunked) {
    co_return co_await socket.read_chunked(body, options.body_bytes_max, options.body_timeout);
  }
  co_return co_await socket.read_body(body, parsed.framing.content_length.value_or(0),
                                      options.body_timeout);
}

// One request and its answer; whether the connection goes on.
Async<bool> Server::State::serve_one(Socket& socket) {
  if (socket.buffer().empty()) {
    idle.insert(&socket);
    socket.deadline(clock.now() + options.idle_timeout);
    const auto first = co_await socket.read_more();
    idle.erase(&socket);
    if (!first) co_return false;
  }
  socket.deadline(clock.now() + options.head_timeout);
  std::size_t size = 0;
  while (true) {
    const auto found = head_size(socket.buffer());
    if (!found) co_return co_await refuse(socket, found.error().status, found.error().message);
    size = *found;
    if (size > options.head_bytes_max ||
        (size == 0 && socket.buffer().size() > options.head_bytes_max)) {
      co_return co_await refuse(socket, 431, "the request's head is too large");
    }
    if (size > 0) break;
    if (!co_await socket.read_more()) co_return false;
  }
  auto parsed = parse_request_head(std::string_view(socket.buffer()).substr(0, size));
  if (!parsed) co_return co_await refuse(socket, parsed.error().status, parsed.error().message);
  socket.buffer().erase(0, size);
  socket.no_deadline();

  const bool head_only = parsed->head.method == "HEAD";
  const std::uint64_t announced = parsed->framing.content_length.value_or(0);
  auto refusal = co_await handler.admit(parsed->head);
  if (!refusal && requests >= options.requests_max) {
    refusal = handler.refuse(503, "too many requests are under way");
    refusal->headers.set("Retry-After", "1");
  }
  if (!refusal && announced > options.body_bytes_max) {
    refusal = handler.refuse(
        413, "the body is larger than " + std::to_string(options.body_bytes_max) + " bytes");
  }
  if (refusal) {
    std::string discarded;
    const bool small =
        !parsed->framing.chunked && announced <= kDiscardedBytesMax && !parsed->expects_continue;
    const bool keep =
        small && parsed->keep_alive &&
        (co_await socket.read_body(discarded, announced, options.body_timeout)).has_value();
    const bool goes_on = co_await answer(socket, std::move(*refusal), keep, head_only);
    if (!goes_on) co_await socket.linger();
    co_return goes_on;
  }

  struct UnderWay {
    std::size_t& count;
    explicit UnderWay(std::size_t& c) : count(++c) {}
    ~UnderWay() { --count; }
  } under_way(requests);
  Request request{std::move(parsed->head), {}};
  auto body = co_await read_body(socket, *parsed, request.body);
  if (!body) {
    if (body.error().code == ErrorCode::kTooLarge)
      co_return co_await refuse(socket, 413, body.error().message);
    if (body.error().code == ErrorCode::kInvalid)
      co_return co_await refuse(socket, 400, body.error().message);
    co_return false;
  }
  socket.no_deadline();
  const bool keep_alive = parsed->keep_alive;
  Response response = co_await handler.handle(std::move(request));
  co_return co_await answer(socket, std::move(response), keep_alive, head_only);
}

}  // namespace miroir::http
