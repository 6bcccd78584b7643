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
      watchdog_(socket_.get_executor(), clock, [this] { expire(); }) {}

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

// A read that waits is cancelled cleanly; nothing else is under way then.
void Socket::expire() {
  error_code ignored;
  if (reads_paced_) {
    socket_.cancel(ignored);
  } else {
    close();
  }
}

class Socket::Progress {
 public:
  Progress(Socket& socket, std::optional<Pace> pace)
      : socket_(socket), pace_(pace), start_(socket.clock_.now()) {}

  // Lets the next bytes take their time, after so many; kTimeout where these took too long.
  Result<void> next(std::uint64_t bytes) {
    if (!pace_) return {};
    const Instant now = socket_.clock_.now();
    const Instant due =
        start_ + pace_->pause + Microseconds(bytes * 1'000'000 / pace_->bytes_per_second);
    if (now >= due) {
      return fail(ErrorCode::kTimeout,
                  "slower than " + std::to_string(pace_->bytes_per_second) + " bytes a second");
    }
    socket_.watchdog_.arm(std::min<Instant>(now + pace_->pause, due));
    return {};
  }

 private:
  Socket& socket_;
  std::optional<Pace> pace_;
  Instant start_;
};

Async<Result<void>> Socket::read_onto(std::string& text, std::size_t size, bool paced) {
  const std::size_t before = text.size();
  text.resize(before + size);
  error_code error;
  reads_paced_ = paced;
  const std::size_t got = co_await socket_.async_read_some(
      asio::buffer(text.data() + before, size), asio::redirect_error(asio::use_awaitable, error));
  reads_paced_ = false;
  text.resize(before + got);
  if (!error) co_return Result<void>();
  if (!paced || !timed_out()) close();
  co_return failure(error);
}

Async<Result<void>> Socket::read_more() { return read_onto(buffer_, kReadBytes, false); }

Async<Result<void>> Socket::read_body(std::string& body, std::uint64_t size,
                                      std::optional<Pace> pace) {
  Progress progress(*this, pace);
  body.reserve(std::min(size, kReservedBytesMax));
  const std::size_t buffered = std::min<std::uint64_t>(size, buffer_.size());
  body.append(buffer_, 0, buffered);
  buffer_.erase(0, buffered);
  while (body.size() < size) {
    MIROIR_CO_CHECK(progress.next(body.size()));
    const std::size_t want = std::min<std::uint64_t>(kBodyReadBytes, size - body.size());
    MIROIR_CO_CHECK(co_await read_onto(body, want, pace.has_value()));
  }
  co_return Result<void>();
}

Async<Result<void>> Socket::read_chunked(std::string& body, std::uint64_t size_max,
                                         std::optional<Pace> pace) {
  Progress progress(*this, pace);
  ChunkedDecoder decoder(size_max);
  while (true) {
    auto taken = decoder.feed(buffer_, body);
    if (!taken) co_return std::unexpected(std::move(taken).error());
    buffer_.erase(0, *taken);
    if (decoder.done()) co_return Result<void>();
    if (body.size() > kSmallBodyBytes) body.reserve(std::min(size_max, kReservedBytesMax));
    MIROIR_CO_CHECK(progress.next(body.size()));
    MIROIR_CO_CHECK(co_await read_onto(buffer_, kReadBytes, pace.has_value()));
  }
}

Async<Result<void>> Socket::write(std::string head, std::string_view body,
                                  std::optional<Pace> pace) {
  Progress progress(*this, pace);
  std::size_t sent = 0;
  const std::size_t total = head.size() + body.size();
  while (sent < total) {
    MIROIR_CO_CHECK(progress.next(sent));
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
