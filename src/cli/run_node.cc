#include "cli/run_node.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>

#include "base/async.h"

namespace miroir {

namespace asio = boost::asio;

namespace {

constexpr Milliseconds kNodeStopGrace{2'000};

Async<Result<void>> run(node::NodeOptions options, Executor executor) {
  SystemClock clock;
  MIROIR_CO_TRY(auto node, node::Node::open(executor, clock, std::move(options)));
  TaskGroup tasks(executor);
  tasks.spawn("node", node->run());
  std::printf("listening on %s\n", node->url().c_str());
  std::fflush(stdout);
  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::use_awaitable);
  co_await node->stop(kNodeStopGrace);
  co_await tasks.stop();
  co_return Result<void>();
}

}  // namespace

Result<void> run_node(const node::NodeOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context context(1);
  Result<void> result;
  asio::co_spawn(context, run(options, context.get_executor()),
                 [&](std::exception_ptr error, Result<void> ended) {
                   if (error) std::rethrow_exception(error);
                   result = std::move(ended);
                 });
  context.run();
  return result;
}

}  // namespace miroir
