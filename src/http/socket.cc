#include "http/socket.h"

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/chunked.h"

namespace miroir::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kBodyReadBytes = 256 * 1024;
constexpr std::size_t kWriteBytes = 1024 * 1024;
constexpr std::size_t kSmallBodyBytes = 1024 * 1024;
// Memory asked for at once. What no byte has touched costs nothing, while growing by doubling would
// copy the body and hold it twice.
constexpr std::uint64_t kReservedBytesMax = 128 * 1024 * 1024;
constexpr Milliseconds kLingerTime{1'000};
constexpr std::size_t kLingerBytes = 4 * 1024 * 1024;

}  // namespace

Socket::Socket(asio::ip::tcp::socket socket, Clock& clock)
    : socket_(std::move(socket)),
      clock_(clock),
      watchdog_(socket_.get_executor(), clock, [this] { close(); }) {}

Socket::~Socket() { close(); }

void Socket::close() {
  error_code ignored;
  socket_.close(ignored);
}

void Socket::send_at_once() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

bool Socket::is_quiet() {
  if (!is_open() || !buffer_.empty()) return false;
  error_code error;
  socket_.non_blocking(true, error);
  if (error) return false;
  char unasked = 0;
  socket_.receive(asio::buffer(&unasked, 1), asio::ip::tcp::socket::message_peek, error);
  return error == asio::error::would_block;
}

std::unexpected<Error> Socket::failure(const error_code& error) const {
  if (timed_out()) return fail(ErrorCode::kTimeout, "the deadline passed");
  if (error == asio::error::eof) return fail(ErrorCode::kUnavailable, "the connection was closed");
  return fail(ErrorCode::kUnavailable, error.message());
}

void Socket::extend(Milliseconds progress) {
  if (progress.count() > 0) watchdog_.arm(clock_.now() + progress);
}

Async<Result<void>> Socket::read_more() {
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  error_code error;
  const std::size_t got =
      co_await socket_.async_read_some(asio::buffer(buffer_.data() + before, kReadBytes),
                                       asio::redirect_error(asio::use_awaitable, error));
  buffer_.resize(before + got);
  if (error) {
    close();
    co_return failure(error);
  }
  co_return Result<void>();
}

Async<Result<void>> Socket::read_body(std::string& body, std::uint64_t size,
                                      Milliseconds progress) {
  body.reserve(std::min(size, kReservedBytesMax));
  const std::size_t buffered = std::min<std::uint64_t>(size, buffer_.size());
  body.append(buffer_, 0, buffered);
  buffer_.erase(0, buffered);
  while (body.size() < size) {
    extend(progress);
    const std::size_t before = body.size();
    const std::size_t want = std::min<std::uint64_t>(kBodyReadBytes, size - before);
    body.resize(before + want);
    error_code error;
    const std::size_t got = co_await socket_.async_read_some(
        asio::buffer(body.data() + before, want), asio::redirect_error(asio::use_awaitable, error));
    body.resize(before + got);
    if (error) {
      close();
      co_return failure(error);
    }
  }
  co_return Result<void>();
}

Async<Result<void>> Socket::read_chunked(std::string& body, std::uint64_t size_max,
                                         Milliseconds progress) {
  ChunkedDecoder decoder(size_max);
  while (true) {
    auto taken = decoder.feed(buffer_, body);
    if (!taken) co_return std::unexpected(std::move(taken).error());
    buffer_.erase(0, *taken);
    if (decoder.done()) co_return Result<void>();
    if (body.size() > kSmallBodyBytes) body.reserve(std::min(size_max, kReservedBytesMax));
    extend(progress);
    MIROIR_CO_CHECK(co_await read_more());
  }
}

Async<Result<void>> Socket::write(std::string head, std::string_view body, Milliseconds progress) {
  std::size_t sent = 0;
  const std::size_t total = head.size() + body.size();
  while (sent < total) {
    extend(progress);
    std::array<asio::const_buffer, 2> buffers;
    if (sent < head.size()) {
      buffers[0] = asio::buffer(head.data() + sent, head.size() - sent);
      buffers[1] = asio::buffer(body.data(), std::min(body.size(), kWriteBytes));
    } else {
      const std::size_t at = sent - head.size();
      buffers[0] = asio::buffer(body.data() + at, std::min(body.size() - at, kWriteBytes));
    }
    error_code error;
    sent += co_await socket_.async_write_some(buffers,
                                              asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return failure(error);
  }
  co_return Result<void>();
}

Async<void> Socket::linger() {
  error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  watchdog_.arm(clock_.now() + kLingerTime);
  std::size_t drained = buffer_.size();
  buffer_.clear();
  while (drained < kLingerBytes) {
    if (!co_await read_more()) break;
    drained += buffer_.size();
    buffer_.clear();
  }
  close();
}

}  // namespace miroir::http
