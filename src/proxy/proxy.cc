#include "proxy/proxy.h"

#include "base/logging.h"
#include "proxy/cors.h"
#include "proxy/proxy_state.h"

namespace miroir {
namespace {

const std::vector<double> kSecondsBuckets = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,  0.5,    1,     2.5,  5,     10,   30};

// Statuses are a closed set for the metrics.
std::string status_label(int status) { return std::to_string(status); }

}  // namespace

Proxy::State::State(ProxyParts p, Secrets secrets, WriteOptions write, SearchOptions search)
    : parts(p),
      authorization(std::move(secrets)),
      context{p.log, p.cluster, p.clock, std::move(write)},
      documents(context),
      indexes(context),
      settings(context),
      keys(context, p.random),
      searcher(p.log, p.cluster, p.forwarders, p.clock, p.metrics, std::move(search)),
      in_flight(
          p.metrics.gauge("miroir_requests_in_flight", "Requests that are being answered now")) {
  add_document_routes(routes, *this);
  add_index_routes(routes, *this);
  add_search_routes(routes, *this);
  add_task_routes(routes, *this);
  add_key_routes(routes, *this);
  add_server_routes(routes, *this);
  add_admin_routes(routes, *this);
}

Proxy::Proxy(ProxyParts parts, Secrets secrets, WriteOptions write, SearchOptions search)
    : state_(std::make_unique<State>(parts, std::move(secrets), std::move(write),
                                     std::move(search))) {}
Proxy::~Proxy() = default;

Async<Result<void>> Proxy::prepare() { co_return co_await state_->keys.make_default_keys(); }

std::optional<http::Response> Proxy::State::judge(const http::RequestHead& head) const {
  const Routes::Match match = routes.find(head);
  // As Meilisearch: no body where there is no such path, or no such method on it.
  if (match.route == nullptr) return http::Response{match.path_exists ? 405 : 404, {}, {}};
  auto refusal = authorization.judge(head, match.route->action, match.index_uid,
                                     parts.log.catalogue(), parts.clock.wall_now());
  if (refusal) return error_answer(*refusal);
  // Who needs no key does not fill the memory either.
  const bool has_body = head.content_length.value_or(0) > 0 ||
                        head.headers.find("Transfer-Encoding") != nullptr;
  if (match.route->action == kNoKey && has_body)
    return error_answer(meili::api_error("bad_request", "This route takes no body."));
  return std::nullopt;
}

Async<std::optional<http::Response>> Proxy::admit(const http::RequestHead& head) {
  if (auto answer = answer_preflight(head)) co_return answer;
  if (const std::string* encoding = head.headers.find("Content-Encoding");
      encoding != nullptr && *encoding != "identity") {
    co_return error_answer(meili::api_error(
        "invalid_content_type", "Unsupported `Content-Encoding: " + *encoding +
                                    "`: Miroir takes bodies uncompressed (`identity`)."));
  }
  auto refusal = state_->judge(head);
  if (refusal && is_from_a_page(head)) let_page_read(*refusal);
  co_return refusal;
}

Async<http::Response> Proxy::handle(http::Request request) {
  const Routes::Match match = state_->routes.find(request);
  const Instant start = state_->parts.clock.now();
  state_->in_flight.set(++state_->under_way);
  // The master key never travels: a node is spoken to with its own.
  if (state_->authorization.is_master(request)) request.headers.erase("Authorization");
  const std::string method = request.method;
  const bool from_a_page = is_from_a_page(request);
  http::Response response = co_await match.route->handler(match.values, std::move(request));
  state_->in_flight.set(--state_->under_way);
  if (from_a_page) let_page_read(response);

  const std::string status = status_label(response.status);
  auto [found, fresh] =
      state_->instruments.try_emplace(method + " " + match.route->path + " " + status);
  if (fresh) {
    Metrics& metrics = state_->parts.metrics;
    const Labels labels = {
        {"method", method}, {"path_template", match.route->path}, {"status", status}};
    found->second.requests = metrics.counter("miroir_requests_total", "Answered requests", labels);
    found->second.duration = metrics.histogram("miroir_request_duration_seconds",
                                               "Time from body to answer", kSecondsBuckets, labels);
  }
  found->second.requests.increment();
  found->second.duration.observe(
      std::chrono::duration<double>(state_->parts.clock.now() - start).count());
  co_return response;
}

http::Response Proxy::refuse(int status, std::string message) {
  meili::ApiError error = meili::api_error(
      status == 413 ? "payload_too_large" : "bad_request",
      status == 413 ? "The provided payload reached the size limit: " + message + "." : message);
  error.status = status;
  return error_answer(error);
}

Async<std::optional<http::Response>> MetricsHandler::admit(const http::RequestHead& head) {
  if (head.path != "/metrics") co_return http::Response{404, {}, {}};
  if (head.method != "GET" && head.method != "HEAD") co_return http::Response{405, {}, {}};
  co_return std::nullopt;
}

Async<http::Response> MetricsHandler::handle(http::Request) {
  co_return http::Response{
      200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, metrics_.text()};
}

http::Response MetricsHandler::refuse(int status, std::string message) {
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(message)};
}

}  // namespace miroir
