#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/async.h"
#include "base/clock.h"

namespace miroir::http {

// One end of a TCP connection that says exactly what a test makes it say.
class RawPeer {
 public:
  explicit RawPeer(boost::asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

  Async<void> say(std::string bytes);  // as much as the other end takes before it closes
  // What comes up to and with `end`; all there was if the other end closes first.
  Async<std::string> hear(std::string end);
  Async<std::string> hear_bytes(std::size_t count);
  Async<std::string> hear_all();  // until the other end closes
  void close();

 private:
  Async<bool> hear_more();

  boost::asio::ip::tcp::socket socket_;
  std::string heard_;
  // After a failure Asio would wait for an event that never comes.
  bool may_say_ = true;
  bool may_hear_ = true;
};

Async<RawPeer> dial(std::uint16_t port);

// A TCP server on loopback that plays a script on each connection and closes it at the script's
// end. stop() is awaited before it is destroyed.
class ScriptedServer {
 public:
  // The connections count from 0. The script outlives the server.
  using Script = std::function<Async<void>(RawPeer& peer, int connection)>;
  ScriptedServer(Executor executor, Script script);

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
  int connections() const { return connections_; }
  Async<void> stop();

 private:
  Async<void> accept();
  Async<void> play(boost::asio::ip::tcp::socket socket, int connection);

  boost::asio::ip::tcp::acceptor acceptor_;
  Script script_;
  TaskGroup group_;
  int connections_ = 0;
};

}  // namespace miroir::http
