#include "cli/serve.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "anti_entropy/reconciler.h"
#include "base/logging.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cdc/change_stream.h"
#include "cluster/cluster.h"
#include "cluster/placement_guard.h"
#include "forward/forwarders.h"
#include "http/server.h"
#include "node_api/http_node_client.h"
#include "proxy/proxy.h"
#include "recovery/recovery.h"
#include "store/sqlite_store.h"
#include "ttl/sweeper.h"

namespace miroir {

namespace asio = boost::asio;

namespace {

constexpr Milliseconds kStopGrace{5'000};
constexpr Milliseconds kFirstLook{5'000};
constexpr std::uint64_t kBodiesAtATime = 8;  // of the largest size

Result<std::string> store_path(const Config& config) {
  constexpr std::string_view kSqlite = "sqlite:";
  std::error_code error;
  std::filesystem::create_directories(config.data_dir, error);
  if (error) {
    return fail(ErrorCode::kUnavailable, "cannot make " + config.data_dir + ": " + error.message());
  }
  if (!config.store_url.empty()) return config.store_url.substr(kSqlite.size());
  return (std::filesystem::path(config.data_dir) / "miroir.db").string();
}

Result<std::map<std::string, std::unique_ptr<NodeClient>>> make_clients(
    const Config& config, Executor executor, Clock& clock, Random& random, Metrics& metrics) {
  std::map<std::string, std::unique_ptr<NodeClient>> clients;
  for (const NodeConfig& node : config.nodes) {
    HttpNodeOptions options;
    options.id = node.id;
    options.address = node.address;
    options.master_key = config.secrets.node_master_key;
    options.names = config.anti_entropy.names;
    MIROIR_TRY(clients[node.id],
               HttpNodeClient::create(executor, clock, random, std::move(options), metrics));
  }
  return clients;
}

http::ServerOptions client_server(const Config& config) {
  http::ServerOptions options;
  options.bind = config.proxy.bind;
  options.port = config.proxy.port;
  options.body_bytes_max = config.proxy.body_bytes_max;
  options.bodies_bytes_max = kBodiesAtATime * config.proxy.body_bytes_max;
  options.requests_max = config.proxy.requests_max;
  return options;
}

http::ServerOptions metrics_server(const Config& config) {
  http::ServerOptions options;
  options.bind = config.proxy.metrics_bind;
  options.port = config.proxy.metrics_port;
  options.body_bytes_max = 0;
  return options;
}

// The whole process, on one thread; members in the order of the rooms, destroyed upwards.
Async<Result<void>> run(const Config& config, Store& store, asio::io_context& context) {
  const Executor executor = context.get_executor();
  SystemClock clock;
  Random random = Random::from_system();
  Metrics metrics;

  auto log = co_await Log::open(store, clock, metrics, executor, config.log);
  if (!log) co_return std::unexpected(std::move(log).error().with_context("log"));
  MIROIR_CO_TRY(auto clients, make_clients(config, executor, clock, random, metrics));
  MIROIR_CO_TRY(Topology topology, Topology::make(config.nodes, config.shards));
  MIROIR_CO_CHECK(co_await guard_placement(store, topology, (*log)->head() == 0));
  Cluster cluster(std::move(topology), std::move(clients), **log, clock, metrics, executor);
  HealthMonitor health(cluster, clock, executor, config.health);
  ForwardOptions forward;
  forward.names = config.anti_entropy.names;
  Forwarders forwarders(**log, cluster, clock, random, metrics, executor, forward);
  Reconciler reconciler(**log, store, cluster, forwarders, clock, random, metrics, executor,
                        config.anti_entropy);
  Recovery recovery(**log, cluster, clock, config.anti_entropy.names);
  std::unique_ptr<ChangeStream> changes;
  if (config.cdc.enabled) {
    MIROIR_CO_TRY(changes, co_await ChangeStream::open({**log, store, cluster, forwarders, clock,
                                                        random, metrics, executor},
                                                       config.cdc));
  }
  std::unique_ptr<Sweeper> sweeper;
  if (config.ttl.enabled) {
    MIROIR_CO_TRY(sweeper, co_await Sweeper::open({.log = **log,
                                                   .store = store,
                                                   .cluster = cluster,
                                                   .clock = clock,
                                                   .random = random,
                                                   .metrics = metrics,
                                                   .executor = executor,
                                                   .names = config.anti_entropy.names,
                                                   .reads = reconciler.reads(),
                                                   .paused = [&] { return reconciler.paused(); }},
                                                  config.ttl));
  }
  WriteOptions write;
  write.names = config.anti_entropy.names;
  write.request_timeout = config.proxy.request_timeout;
  Proxy proxy({**log, cluster, forwarders, reconciler, clock, random, metrics, changes.get(),
               sweeper.get()},
              config.secrets, write, config.search);
  MIROIR_CO_CHECK(co_await proxy.prepare());
  MetricsHandler metrics_handler(metrics);
  MIROIR_CO_TRY(auto server, http::Server::listen(executor, clock, client_server(config), proxy));
  MIROIR_CO_TRY(auto metrics_listener,
                http::Server::listen(executor, clock, metrics_server(config), metrics_handler));

  // Nothing fails from here on.
  TaskGroup tasks(executor);
  tasks.spawn("health", health.run());
  tasks.spawn("forwarders", forwarders.run());
  co_await forwarders.look_at_all(clock.now() + kFirstLook);
  tasks.spawn("reconciler", reconciler.run());
  if (changes) tasks.spawn("change stream", changes->run());
  if (sweeper) tasks.spawn("sweeper", sweeper->run());
  tasks.spawn("recovery", recovery.run());
  tasks.spawn("server", server->run());
  tasks.spawn("metrics server", metrics_listener->run());
  std::printf("listening on %s\nmetrics on %s/metrics\n", server->url().c_str(),
              metrics_listener->url().c_str());
  std::fflush(stdout);

  asio::signal_set signals(executor, SIGINT, SIGTERM);
  co_await signals.async_wait(asio::use_awaitable);
  log_info("stopping");
  if (changes) co_await changes->stop();  // its readers would wait out the grace
  co_await server->stop(kStopGrace);
  co_await metrics_listener->stop(Milliseconds(0));
  if (sweeper) co_await sweeper->stop();
  co_await reconciler.stop();
  co_await forwarders.stop();
  co_await health.stop();
  co_await tasks.stop();
  co_return Result<void>();
}

}  // namespace

Result<void> serve(const Config& config) {
  configure_logging(config.log_level, config.log_format);
  std::signal(SIGPIPE, SIG_IGN);
  MIROIR_TRY(const std::string path, store_path(config));
  MIROIR_TRY(auto store, SqliteStore::open(path));
  asio::io_context context(1);
  Result<void> result;
  asio::co_spawn(context, run(config, *store, context),
                 [&](std::exception_ptr error, Result<void> ended) {
                   if (error) std::rethrow_exception(error);
                   result = std::move(ended);
                 });
  context.run();
  return result;
}

}  // namespace miroir
