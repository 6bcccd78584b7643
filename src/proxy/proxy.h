#pragma once

#include <memory>
#include <string>

#include "anti_entropy/reconciler.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/random.h"
#include "cluster/cluster.h"
#include "forward/forwarders.h"
#include "http/server.h"
#include "log/log.h"
#include "proxy/authorization.h"
#include "proxy/routes.h"
#include "search/searcher.h"
#include "write/write_context.h"

namespace miroir {

class ChangeStream;
class Sweeper;

// What the proxy composes; all of it outlives it.
struct ProxyParts {
  Log& log;
  Cluster& cluster;
  Forwarders& forwarders;
  Reconciler& reconciler;
  Clock& clock;
  Random& random;
  Metrics& metrics;
  ChangeStream* changes = nullptr;  // nullptr: there is none
  Sweeper* sweeper = nullptr;       // nullptr: nothing expires
};

// The client API and /_miroir: finds the route, judges the key before the body is read, and gives
// the request to the room that answers it. Reads carry the client's own key to the nodes; the
// master key never travels.
class Proxy final : public http::Handler {
 public:
  Proxy(ProxyParts parts, Secrets secrets, WriteOptions write, SearchOptions search);
  ~Proxy() override;

  Async<std::optional<http::Response>> admit(const http::RequestHead& head) override;
  Async<http::Response> handle(http::Request request) override;
  http::Response refuse(int status, std::string message) override;

  // What a new cluster begins with: the default keys. Once, before serving.
  Async<Result<void>> prepare();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

// GET /metrics, and nothing else; no key.
class MetricsHandler final : public http::Handler {
 public:
  explicit MetricsHandler(const Metrics& metrics) : metrics_(metrics) {}
  Async<std::optional<http::Response>> admit(const http::RequestHead& head) override;
  Async<http::Response> handle(http::Request request) override;
  http::Response refuse(int status, std::string message) override;

 private:
  const Metrics& metrics_;
};

}  // namespace miroir
