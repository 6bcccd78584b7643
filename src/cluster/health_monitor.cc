#include "base/logging.h"
#include "cluster/cluster.h"

namespace miroir {
namespace {

Async<void> watch_node(Cluster& cluster, Clock& clock, HealthOptions options, std::string node) {
  int failures = 0;
  int successes = 0;
  bool asked = false;
  for (;;) {
    auto answer = co_await cluster.client(node).probe(clock.now() + options.timeout);
    const bool healthy = cluster.status(node).healthy;
    if (answer) {
      failures = 0;
      ++successes;
      if (!healthy && (!asked || successes >= options.recovery_threshold))
        cluster.report_healthy(node);
    } else {
      successes = 0;
      ++failures;
      if (!healthy || failures >= options.unhealthy_threshold)
        cluster.report_unhealthy(node, answer.error());
    }
    asked = true;
    co_await clock.sleep_for(options.interval);
  }
}

}  // namespace

HealthMonitor::HealthMonitor(Cluster& cluster, Clock& clock, Executor executor,
                             HealthOptions options)
    : cluster_(cluster), clock_(clock), options_(options), tasks_(std::move(executor)) {}

Async<void> HealthMonitor::run() {
  for (const NodeConfig& node : cluster_.topology().nodes()) {
    tasks_.spawn("health of " + node.id, watch_node(cluster_, clock_, options_, node.id));
  }
  co_await tasks_.join();
}

Async<void> HealthMonitor::stop() { co_await tasks_.stop(); }

}  // namespace miroir
