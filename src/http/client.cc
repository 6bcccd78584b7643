#include "http/client.h"

#include <algorithm>

#include "http/connect.h"
#include "http/connection_pool.h"
#include "http/head_parser.h"
#include "http/head_writer.h"
#include "http/socket.h"

namespace miroir::http {

namespace {

constexpr std::optional<Pace> kOnlyTheDeadline;
constexpr int kInterimAnswersMax = 8;

using Answered = std::expected<Response, ClientError>;

bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD"; }

std::unexpected<ClientError> client_error(Error error, Sent sent) {
  return std::unexpected(ClientError{std::move(error), sent});
}

// One request and its answer on one connection.
class Exchange {
 public:
  Exchange(Socket& socket, const ClientOptions& options) : socket_(socket), options_(options) {}

  Async<Result<Response>> run(std::string head, const ClientRequest& request);
  // Whether a byte of an answer came.
  bool answered() const { return answered_; }
  // Whether the connection stands where the next request may begin.
  bool reusable() const { return reusable_ && socket_.is_open() && socket_.buffer().empty(); }

 private:
  Async<Result<ParsedResponse>> read_head();
  Async<Result<ParsedResponse>> read_one_head();
  Async<Result<void>> read_body(Framing framing, std::string& body);

  Socket& socket_;
  const ClientOptions& options_;
  bool answered_ = false;
  bool reusable_ = false;
};

Async<Result<ParsedResponse>> Exchange::read_one_head() {
  constexpr std::string_view kStart = "HTTP/";
  while (true) {
    const std::string_view bytes = socket_.buffer();
    // What does not begin like an answer never becomes one: do not wait for the deadline.
    if (!bytes.starts_with(kStart.substr(0, bytes.size()))) {
      co_return fail(ErrorCode::kCorrupt, "an answer that is no HTTP");
    }
    const auto size = head_size(bytes);
    if (!size) co_return fail(ErrorCode::kCorrupt, size.error().message);
    if ((*size > 0 ? *size : bytes.size()) > options_.head_bytes_max)
      co_return fail(ErrorCode::kCorrupt, "an answer with an endless head");
    if (*size > 0) {
      auto parsed = parse_response_head(bytes.substr(0, *size));
      if (!parsed) co_return fail(ErrorCode::kCorrupt, parsed.error().message);
      socket_.buffer().erase(0, *size);
      co_return std::move(*parsed);
    }
    MIROIR_CO_CHECK(co_await socket_.read_more());
    answered_ = true;
  }
}

Async<Result<ParsedResponse>> Exchange::read_head() {
  for (int interim = 0; interim <= kInterimAnswersMax; ++interim) {
    MIROIR_CO_TRY(ParsedResponse parsed, co_await read_one_head());
    if (parsed.status >= 200) co_return parsed;
    // Nobody asked for another protocol.
    if (parsed.status == 101) break;
  }
  co_return fail(ErrorCode::kCorrupt, "interim answers and no end of them");
}

Async<Result<void>> Exchange::read_body(Framing framing, std::string& body) {
  if (framing.chunked) {
    auto read = co_await socket_.read_chunked(body, options_.response_bytes_max, kOnlyTheDeadline);
    if (!read && read.error().code == ErrorCode::kInvalid) read.error().code = ErrorCode::kCorrupt;
    co_return read;
  }
  // Without a length, an answer cut short would look complete.
  if (!framing.content_length) {
    co_return fail(ErrorCode::kCorrupt, "an answer of unknown length");
  }
  if (*framing.content_length > options_.response_bytes_max) {
    co_return fail(ErrorCode::kTooLarge,
                   "an answer of " + std::to_string(*framing.content_length) + " bytes");
  }
  co_return co_await socket_.read_body(body, *framing.content_length, kOnlyTheDeadline);
}

Async<Result<Response>> Exchange::run(std::string head, const ClientRequest& request) {
  auto written = co_await socket_.write(std::move(head), request.body, kOnlyTheDeadline);
  // A peer may answer (413) and close before it has read all: look for the answer all the same.
  auto parsed = co_await read_head();
  if (!parsed && !written && !answered_) co_return std::unexpected(std::move(written).error());
  if (!parsed) co_return std::unexpected(std::move(parsed).error());
  Response response{parsed->status, std::move(parsed->headers), {}};
  const bool bodiless = request.method == "HEAD" || is_bodiless(response.status);
  if (!bodiless) MIROIR_CO_CHECK(co_await read_body(parsed->framing, response.body));
  // A 204 that announces a body may be followed by one.
  const bool framed = response.status != 204 ||
                      (!parsed->framing.chunked && parsed->framing.content_length.value_or(0) == 0);
  reusable_ = parsed->keep_alive && written.has_value() && framed;
  co_return response;
}

}  // namespace

struct Client::State {
  State(Executor e, Clock& c, ClientOptions o, Address a)
      : executor(e),
        clock(c),
        options(std::move(o)),
        address(std::move(a)),
        pool(e, c, options.connections_max, options.idle_timeout) {}

  Executor executor;
  Clock& clock;
  ClientOptions options;
  Address address;
  ConnectionPool pool;
  std::uint64_t connections = 0;
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(Executor executor, Clock& clock,
                                               ClientOptions options) {
  MIROIR_TRY(Address address, parse_address(options.address));
  return std::unique_ptr<Client>(
      new Client(std::make_unique<State>(executor, clock, std::move(options), std::move(address))));
}

Async<Answered> Client::send(ClientRequest request, Instant deadline) {
  State& state = *state_;
  auto head = request_head(request, state.address.authority);
  if (!head) co_return client_error(std::move(head).error(), Sent::kNothing);
  const auto lease = co_await state.pool.lease(deadline);
  if (!lease || state.clock.now() >= deadline) {
    co_return client_error(
        {ErrorCode::kTimeout, "the deadline passed before a connection was free"}, Sent::kNothing);
  }
  std::unique_ptr<Socket> socket = state.pool.take_idle();
  bool pooled = socket != nullptr;
  while (true) {
    if (!socket) {
      const Instant until =
          std::min<Instant>(deadline, state.clock.now() + state.options.connect_timeout);
      auto connected = co_await connect(state.executor, state.clock, state.address, until);
      if (!connected) co_return client_error(std::move(connected).error(), Sent::kNothing);
      socket = std::move(*connected);
      ++state.connections;
    }
    socket->deadline(deadline);
    Exchange exchange(*socket, state.options);
    auto response = co_await exchange.run(*head, request);
    socket->no_deadline();
    if (response) {
      if (exchange.reusable()) state.pool.give_back(std::move(socket));
      co_return std::move(*response);
    }
    const bool stale =
        pooled && !exchange.answered() && response.error().code == ErrorCode::kUnavailable;
    if (!stale || !is_safe(request.method)) {
      co_return client_error(std::move(response).error(), Sent::kMaybe);
    }
    socket = nullptr;
    pooled = false;
  }
}

std::uint64_t Client::connections() const { return state_->connections; }

}  // namespace miroir::http
