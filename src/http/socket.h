#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/async.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/watchdog.h"
#include "http/pace.h"

namespace miroir::http {

// A connected socket whose every wait has an end: when the watchdog bites the socket is closed, so
// that no late byte meets a later request. Private to this room. Reads go through one buffer, so
// that bytes behind a message are kept. A read that fails closes it, unless the peer was only too
// slow (`pace`): it can still be told so then. After a write that failed it may still be read,
// never written: Asio would wait for an event that does not come.
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
  // Reads into `body` until it has `size` bytes, buffered bytes first. Without a pace the deadline
  // counts; kTimeout: the peer was too slow.
  Async<Result<void>> read_body(std::string& body, std::uint64_t size, std::optional<Pace> pace);
  Async<Result<void>> read_chunked(std::string& body, std::uint64_t size_max,
                                   std::optional<Pace> pace);
  // `body` outlives the call, and is not copied.
  Async<Result<void>> write(std::string head, std::string_view body, std::optional<Pace> pace);
  // Ends our side and reads what the peer still sends for a short while, so that it can read our
  // last answer.
  Async<void> linger();

  boost::asio::ip::tcp::socket& raw() { return socket_; }

 private:
  // Holds a transfer to its pace.
  class Progress;

  std::unexpected<Error> failure(const boost::system::error_code& error) const;
  // Reads at most so many bytes more.
  Async<Result<void>> read_onto(std::string& text, std::size_t size, bool paced);
  void expire();

  boost::asio::ip::tcp::socket socket_;
  Clock& clock_;
  Watchdog watchdog_;
  std::string buffer_;
  bool reads_paced_ = false;  // and may be told that it is too slow
};

}  // namespace miroir::http
