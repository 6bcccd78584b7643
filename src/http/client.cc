#include "http/client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>

#include "http/head_parser.h"
#include "http/socket.h"

namespace miroir::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

struct Address {
  std::string host;
  std::string port;
};

Result<Address> parse_address(const std::string& address) {
  constexpr std::string_view kScheme = "http://";
  auto refuse = [&] {
    return fail(ErrorCode::kInvalid,
                "expected an address like \"http://10.0.0.1:7700\", got \"" + address + "\"");
  };
  if (!address.starts_with(kScheme)) return refuse();
  std::string rest = address.substr(kScheme.size());
  while (rest.ends_with('/')) rest.pop_back();
  if (rest.empty() || rest.find('/') != std::string::npos) return refuse();
  const std::size_t colon = rest.rfind(':');
  const bool has_port = colon != std::string::npos && rest.find(']', colon) == std::string::npos;
  Address parsed{has_port ? rest.substr(0, colon) : rest, has_port ? rest.substr(colon + 1) : "80"};
  if (parsed.host.starts_with('[') && parsed.host.ends_with(']')) {
    parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
  }
  const bool digits =
      parsed.port.find_first_not_of("0123456789") == std::string::npos && !parsed.port.empty();
  if (parsed.host.empty() || !digits) return refuse();
  return parsed;
}

bool is_safe(const std::string& method) { return method == "GET" || method == "HEAD"; }

std::unexpected<ClientError> client_error(Error error, Sent sent) {
  return std::unexpected(ClientError{std::move(error), sent});
}

}  // namespace

struct Client::State {
  State(Executor e, Clock& c, ClientOptions o, Address a)
      : executor(e),
        clock(c),
        options(std::move(o)),
        address(std::move(a)),
        slots(e, options.connections_max) {}

  struct Idle {
    std::unique_ptr<Socket> socket;
    Instant since;
  };
  using Answered = std::expected<Response, ClientError>;

  Executor executor;
  Clock& clock;
  ClientOptions options;
  Address address;
  Semaphore slots;
  std::deque<Idle> idle;

  std::unique_ptr<Socket> take_idle();
  Async<Result<std::unique_ptr<Socket>>> connect(Instant deadline);
  Result<std::string> head_of(const ClientRequest& request) const;
  Async<Answered> exchange(Socket& socket, const std::string& head, const ClientRequest& request,
                           bool& keep);
  Async<Result<ParsedResponse>> read_head(Socket& socket, bool& answered);
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(Executor executor, Clock& clock,
                                               ClientOptions options) {
  MIROIR_TRY(Address address, parse_address(options.address));
  return std::unique_ptr<Client>(
      new Client(std::make_unique<State>(executor, clock, std::move(options), std::move(address))));
}

std::unique_ptr<Socket> Client::State::take_idle() {
  while (!idle.empty()) {
    Idle newest = std::move(idle.back());
    idle.pop_back();
    if (newest.socket->is_open() && clock.now() - newest.since < options.idle_timeout)
      return std::move(newest.socket);
  }
  return nullptr;
}

Async<Result<std::unique_ptr<Socket>>> Client::State::connect(Instant deadline) {
  tcp::resolver resolver(executor);
  error_code error;
  tcp::resolver::results_type endpoints;
  const auto literal = asio::ip::make_address(address.host, error);
  if (!error) {
    const auto port = static_cast<std::uint16_t>(std::stoul(address.port));
    endpoints = tcp::resolver::results_type::create(tcp::endpoint(literal, port), address.host,
                                                    address.port);
  } else {
    // The resolver has its own time-outs and cannot be hurried; the watchdog abandons the wait.
    Watchdog watchdog(executor, clock, [&] { resolver.cancel(); });
    watchdog.arm(deadline);
    endpoints = co_await resolver.async_resolve(address.host, address.port,
                                                asio::redirect_error(asio::use_awaitable, error));
    if (error)
      co_return fail(ErrorCode::kUnavailable,
                     "cannot resolve " + address.host + ": " + error.message());
  }
  auto socket = std::make_unique<Socket>(tcp::socket(executor), clock);
  socket->deadline(std::min(deadline, clock.now() + options.connect_timeout));
  co_await asio::async_connect(socket->raw(), endpoints,
                               asio::redirect_error(asio::use_awaitable, error));
  if (socket->timed_out()) co_return fail(ErrorCode::kTimeout, "connecting took too long");
  if (error) co_return fail(ErrorCode::kUnavailable, "cannot connect: " + error.message());
  error_code ignored;
  socket->raw().set_option(tcp::no_delay(true), ignored);
  co_return std::move(socket);
}

Result<std::string> Client::State::head_of(const ClientRequest& request) const {
  const bool target_fine = request.target.starts_with('/') &&
                           request.target.find_first_of(" \r\n\t#") == std::string::npos &&
                           is_field_value(request.target);
  if (!is_token(request.method) || !target_fine) {
    return fail(ErrorCode::kInvalid, "a malformed method or target for " + options.address);
  }
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + address.host +
                     ":" + address.port + "\r\n";
  for (const auto& [name, value] : request.headers.all()) {
    if (!is_token(name) || !is_field_value(value)) {
      return fail(ErrorCode::kInvalid, "a malformed header field `" + name + "`");
    }
    head += name + ": " + value + "\r\n";
  }
  if (!request.body.empty() || !is_safe(request.method)) {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return head + "\r\n";
}

Async<Result<ParsedResponse>> Client::State::read_head(Socket& socket, bool& answered) {
  while (true) {
    const auto size = head_size(socket.buffer());
    if (!size) co_return fail(ErrorCode::kCorrupt, size.error().message);
    if (*size == 0) {
      if (socket.buffer().size() > options.head_bytes_max)
        co_return fail(ErrorCode::kCorrupt, "an endless head");
      // What does not begin like an answer never becomes one: do not wait for the deadline.
      const std::string_view start = std::string_view(socket.buffer()).substr(0, 5);
      if (!std::string_view("HTTP/").starts_with(start))
        co_return fail(ErrorCode::kCorrupt, "an answer that is no HTTP");
      MIROIR_CO_CHECK(co_await socket.read_more());
      answered = true;
      continue;
    }
    auto parsed = parse_response_head(std::string_view(socket.buffer()).substr(0, *size));
    if (!parsed) co_return fail(ErrorCode::kCorrupt, parsed.error().message);
    socket.buffer().erase(0, *size);
    if (parsed->status >= 200) co_return std::move(*parsed);  // 1xx: the real one follows
  }
}

Async<Client::State::Answered> Client::State::exchange(Socket& socket, const std::string& head,
                                                       const ClientRequest& request, bool& keep) {
  const Milliseconds only_the_deadline{0};
  bool answered = false;
  auto written = co_await socket.write(head, request.body, only_the_deadline);
  // A peer may answer (413) and close before it has read all: look for the answer all the same.
  auto parsed = co_await read_head(socket, answered);
  if (!parsed) {
    Error error = !written && !answered ? std::move(written).error() : std::move(parsed).error();
    co_return client_error(std::move(error), Sent::kMaybe);
  }
  Response response{parsed->status, std::move(parsed->headers), {}};
  keep = parsed->keep_alive && written.has_value();
  const bool bodiless =
      request.method == "HEAD" || response.status == 204 || response.status == 304;
  Result<void> body;
  if (!bodiless && parsed->framing.chunked) {
    body =
        co_await socket.read_chunked(response.body, options.response_bytes_max, only_the_deadline);
  } else if (!bodiless && parsed->framing.content_length) {
    const std::uint64_t size = *parsed->framing.content_length;
    if (size > options.response_bytes_max) {
      co_return client_error(
          {ErrorCode::kTooLarge, "an answer of " + std::to_string(size) + " bytes"}, Sent::kMaybe);
    }
    body = co_await socket.read_body(response.body, size, only_the_deadline);
  } else if (!bodiless) {
    co_return client_error({ErrorCode::kCorrupt, "an answer of unknown length"}, Sent::kMaybe);
  }
  if (!body) {
    Error error = std::move(body).error();
    if (error.code == ErrorCode::kInvalid) error.code = ErrorCode::kCorrupt;
    co_return client_error(std::move(error), Sent::kMaybe);
  }
  if (!socket.buffer().empty()) keep = false;  // bytes that nobody asked for
  co_return response;
}

Async<std::expected<Response, ClientError>> Client::send(ClientRequest request, Instant deadline) {
  State& state = *state_;
  auto head = state.head_of(request);
  if (!head) co_return client_error(std::move(head).error(), Sent::kNothing);
  Semaphore::Permit permit = co_await state.slots.acquire();
  for (bool second = false;; second = true) {
    if (state.clock.now() >= deadline) {
      co_return client_error(
          {ErrorCode::kTimeout, "the deadline passed before a connection was free"},
          Sent::kNothing);
    }
    std::unique_ptr<Socket> socket = second ? nullptr : state.take_idle();
    const bool pooled = socket != nullptr;
    if (!pooled) {
      auto connected = co_await state.connect(deadline);
      if (!connected) co_return client_error(std::move(connected).error(), Sent::kNothing);
      socket = std::move(*connected);
    }
    socket->deadline(deadline);
    bool keep = false;
    auto answered = co_await state.exchange(*socket, *head, request, keep);
    socket->no_deadline();
    if (answered && keep) state.idle.push_back({std::move(socket), state.clock.now()});
    const bool stale =
        !answered && pooled && answered.error().error.code == ErrorCode::kUnavailable;
    if (stale && is_safe(request.method)) continue;
    co_return answered;
  }
}

}  // namespace miroir::http
