#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/watchdog.h"

namespace miroir::http {

// A connected socket whose every wait has an end: when the watchdog bites the socket is closed, so
// that no late byte meets a later request. Private to this room. Reads go through one buffer, so
// that bytes behind a message are kept. A read that fails closes it; after a write that failed it
// may still be read, never written: Asio would wait for an event that does not come.
class Socket {
 public:
  Socket(boost::asio::ip::tcp::socket socket, Clock& clock);
  ~Socket();

  void deadline(Instant when) { watchdog_.arm(when); }
  void no_deadline() { watchdog_.disarm(); }
  bool timed_out() const { return watchdog_.has_bitten(); }
  bool is_open() const { return socket_.is_open(); }
  // Open, and the peer has neither closed nor said anything that was not read.
  bool is_quiet();
  void send_at_once();  // TCP_NODELAY, once connected
  void close();

  // Bytes read and not yet taken.
  std::string& buffer() { return buffer_; }
  // Reads some more bytes into the buffer. kUnavailable: the peer closed; kTimeout: the deadline
  // passed.
  Async<Result<void>> read_more();
  // Reads into `body` until it has `size` bytes, buffered bytes first. `progress` is how long a
  // pause may be; 0: until the deadline.
  Async<Result<void>> read_body(std::string& body, std::uint64_t size, Milliseconds progress);
  Async<Result<void>> read_chunked(std::string& body, std::uint64_t size_max,
                                   Milliseconds progress);
  // `body` outlives the call, and is not copied.
  Async<Result<void>> write(std::string head, std::string_view body, Milliseconds progress);
  // Ends our side and reads what the peer still sends for a short while, so that it can read our
  // last answer.
  Async<void> linger();

  boost::asio::ip::tcp::socket& raw() { return socket_; }

 private:
  std::unexpected<Error> failure(const boost::system::error_code& error) const;
  void extend(Milliseconds progress);

  boost::asio::ip::tcp::socket socket_;
  Clock& clock_;
  Watchdog watchdog_;
  std::string buffer_;
};

}  // namespace miroir::http
