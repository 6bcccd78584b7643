#include "http/connect.h"

#include <algorithm>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cctype>
#include <charconv>
#include <vector>

#include "base/watchdog.h"

namespace miroir::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

// A look-up cannot be interrupted, only abandoned: it shares its outcome with whoever still waits.
struct Lookup {
  explicit Lookup(const Executor& executor) : resolver(executor), ended(executor) {}
  tcp::resolver resolver;
  Signal ended;
  bool done = false;
  error_code error;
  std::vector<tcp::endpoint> endpoints;
};

Async<Result<std::vector<tcp::endpoint>>> resolve(Executor executor, Clock& clock, Address address,
                                                  Instant deadline) {
  error_code no_literal;
  const auto literal = asio::ip::make_address(address.host, no_literal);
  if (!no_literal) co_return std::vector{tcp::endpoint(literal, address.port)};

  auto lookup = std::make_shared<Lookup>(executor);
  lookup->resolver.async_resolve(
      address.host, std::to_string(address.port), tcp::resolver::numeric_service,
      [lookup](const error_code& error, const tcp::resolver::results_type& results) {
        lookup->done = true;
        lookup->error = error;
        for (const auto& result : results) lookup->endpoints.push_back(result.endpoint());
        lookup->ended.notify_all();
      });
  Watchdog expiry(executor, clock, [&lookup] { lookup->ended.notify_all(); });
  expiry.arm(deadline);
  while (!lookup->done && !expiry.has_bitten()) co_await lookup->ended.wait();
  if (!lookup->done) {
    co_return fail(ErrorCode::kTimeout, "resolving " + address.host + " took too long");
  }
  if (lookup->error) {
    co_return fail(ErrorCode::kUnavailable,
                   "cannot resolve " + address.host + ": " + lookup->error.message());
  }
  co_return std::move(lookup->endpoints);
}

bool is_host_name(std::string_view host) {
  return !host.empty() && std::ranges::all_of(host, [](unsigned char c) {
    return std::isalnum(c) || c == '-' || c == '.' || c == '_';
  });
}

bool is_ipv6(std::string_view host) {
  error_code error;
  asio::ip::make_address_v6(host, error);
  return !error;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  const auto refuse = [&] {
    return fail(ErrorCode::kInvalid, "expected an address like \"http://10.0.0.1:7700\", got \"" +
                                         std::string(text) + "\"");
  };
  if (!text.starts_with(kScheme)) return refuse();
  std::string_view authority = text.substr(kScheme.size());
  if (authority.ends_with('/')) authority.remove_suffix(1);

  Address address;
  address.authority = authority;
  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end =
      bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == std::string_view::npos) return refuse();
  address.host = bracketed ? authority.substr(1, host_end - 1) : authority.substr(0, host_end);
  if (bracketed ? !is_ipv6(address.host) : !is_host_name(address.host)) return refuse();
  const std::string_view rest = authority.substr(host_end + (bracketed ? 1 : 0));
  if (rest.empty()) return address;
  if (!rest.starts_with(':')) return refuse();
  const char* end = rest.data() + rest.size();
  const auto parsed = std::from_chars(rest.data() + 1, end, address.port);
  if (parsed.ec != std::errc() || parsed.ptr != end || address.port == 0) return refuse();
  return address;
}

Async<Result<std::unique_ptr<Socket>>> connect(Executor executor, Clock& clock, Address address,
                                               Instant deadline) {
  MIROIR_CO_TRY(const auto endpoints, co_await resolve(executor, clock, address, deadline));
  auto socket = std::make_unique<Socket>(tcp::socket(executor), clock);
  socket->deadline(deadline);
  error_code error;
  co_await asio::async_connect(socket->raw(), endpoints,
                               asio::redirect_error(asio::use_awaitable, error));
  if (socket->timed_out()) co_return fail(ErrorCode::kTimeout, "connecting took too long");
  if (error) co_return fail(ErrorCode::kUnavailable, "cannot connect: " + error.message());
  socket->send_at_once();
  co_return std::move(socket);
}

}  // namespace miroir::http
