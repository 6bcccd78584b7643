#include "http/loopback_fake.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace miroir::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

Async<void> RawPeer::say(std::string bytes) {
  if (!may_say_) co_return;
  error_code error;
  co_await asio::async_write(socket_, asio::buffer(bytes),
                             asio::redirect_error(asio::use_awaitable, error));
  may_say_ = !error;
}

Async<bool> RawPeer::hear_more() {
  if (!may_hear_) co_return false;
  std::string bytes(256 * 1024, '\0');
  error_code error;
  const std::size_t got = co_await socket_.async_read_some(
      asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, error));
  heard_.append(bytes, 0, got);
  may_hear_ = !error;
  co_return may_hear_;
}

Async<std::string> RawPeer::hear(std::string end) {
  while (heard_.find(end) == std::string::npos) {
    if (!co_await hear_more()) co_return std::exchange(heard_, {});
  }
  const std::size_t size = heard_.find(end) + end.size();
  std::string message = heard_.substr(0, size);
  heard_.erase(0, size);
  co_return message;
}

Async<std::string> RawPeer::hear_bytes(std::size_t count) {
  while (heard_.size() < count) {
    if (!co_await hear_more()) break;
  }
  std::string message = heard_.substr(0, count);
  heard_.erase(0, count);
  co_return message;
}

Async<std::string> RawPeer::hear_all() {
  while (co_await hear_more()) {
  }
  co_return std::exchange(heard_, {});
}

void RawPeer::close() {
  error_code ignored;
  socket_.close(ignored);
}

Async<RawPeer> dial(std::uint16_t port) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(tcp::endpoint(asio::ip::address_v4::loopback(), port),
                                asio::use_awaitable);
  co_return RawPeer(std::move(socket));
}

ScriptedServer::ScriptedServer(Executor executor, Script script)
    : acceptor_(executor, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      script_(std::move(script)),
      group_(executor) {
  group_.spawn("scripted server", accept());
}

Async<void> ScriptedServer::accept() {
  while (true) {
    tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
    group_.spawn("script", play(std::move(socket), connections_++));
  }
}

Async<void> ScriptedServer::play(tcp::socket socket, int connection) {
  RawPeer peer(std::move(socket));
  co_await script_(peer, connection);
}

Async<void> ScriptedServer::stop() {
  error_code ignored;
  acceptor_.close(ignored);
  co_await group_.stop();
}

}  // namespace miroir::http
