// A node on a free port, until its standard input ends:  node_conformance_server DATA_DIR
// MASTER_KEY [--faults]
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>

#include "node/node.h"

namespace {

namespace asio = boost::asio;
using namespace miroir;

Async<void> until_input_ends(node::Node& node) {
  asio::posix::stream_descriptor input(co_await asio::this_coro::executor, ::dup(STDIN_FILENO));
  char byte = 0;
  boost::system::error_code error;
  while (!error)
    co_await asio::async_read(input, asio::buffer(&byte, 1),
                              asio::redirect_error(asio::use_awaitable, error));
  co_await node.stop(Milliseconds(1000));
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return 2;
  asio::io_context context;
  SystemClock clock;
  auto node =
      node::Node::open(context.get_executor(), clock,
                       {.data_dir = arguments[1], .master_key = arguments[2], .faults = count > 3});
  if (!node) {
    std::fprintf(stderr, "%s\n", node.error().message.c_str());
    return 1;
  }
  TaskGroup tasks(context.get_executor());
  tasks.spawn("node", (*node)->run());
  tasks.spawn("input", until_input_ends(**node));
  std::printf("listening on %s\n", (*node)->url().c_str());
  std::fflush(stdout);
  context.run();
  return 0;
}
