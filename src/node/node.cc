#include "node/node.h"

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/server.h"
#include "meili/payload.h"
#include "node/document_routes.h"
#include "node/engine.h"
#include "node/index_routes.h"
#include "node/keys.h"
#include "node/router.h"
#include "node/search_routes.h"
#include "node/settings_routes.h"
#include "node/task_routes.h"

namespace miroir::node {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kThreads = 4;
constexpr std::string_view kFaultsPath = "/_node/faults";

// Runs the function on the pool and comes back to the coroutine's own executor.
Async<http::Response> on_pool(asio::thread_pool& pool, std::function<http::Response()> function) {
  const auto own =
      asio::prefer(co_await asio::this_coro::executor, asio::execution::outstanding_work.tracked);
  co_return co_await asio::async_initiate<decltype(asio::use_awaitable), void(http::Response)>(
      [&pool, own, function = std::move(function)](auto handler) mutable {
        asio::post(pool, [own, function = std::move(function),
                          handler = std::move(handler)]() mutable {
          http::Response response = function();
          asio::post(own, [handler = std::move(handler), response = std::move(response)]() mutable {
            std::move(handler)(std::move(response));
          });
        });
      },
      asio::use_awaitable);
}

http::Response no_answer() { return {.status = http::kNoAnswer, .headers = {}, .body = {}}; }

// Meilisearch's words for what the server refuses before a route sees it.
meili::ApiError refusal(int status, const std::string& message) {
  meili::ApiError error = status == 413   ? meili::api_error("payload_too_large", message)
                          : status == 503 ? meili::api_error("too_many_search_requests", message)
                                          : meili::api_error("bad_request", message);
  error.status = status;
  return error;
}

}  // namespace

struct Node::State final : http::Handler {
  State(Clock& clock_reference, NodeOptions given)
      : clock(clock_reference), options(std::move(given)) {}
  ~State() override { pool.join(); }

  Async<std::optional<http::Response>> admit(const http::RequestHead& head) override;
  Async<http::Response> handle(http::Request request) override;
  http::Response refuse(int status, std::string message) override {
    return error_reply(refusal(status, message));
  }
  void add_routes();
  http::Response call(const http::Request& request);

  Clock& clock;
  NodeOptions options;
  Faults faults;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Keys> keys;
  Router router;
  asio::thread_pool pool{kThreads};
  std::unique_ptr<http::Server> server;
};

void Node::State::add_routes() {
  add_document_write_routes(router, *engine);
  add_document_read_routes(router, *engine);
  add_index_routes(router, *engine);
  add_system_routes(router, *engine);
  add_task_routes(router, *engine);
  add_settings_routes(router, *engine);
  add_search_routes(router, *engine);
  add_key_routes(router, *keys);
  if (!options.faults) return;
  router.add("GET", kFaultsPath, "",
             [this](const Call&) { return json_reply(200, faults.to_json()); });
  router.add("POST", kFaultsPath, "", [this](const Call& call) -> Reply {
    const auto body = meili::json_body(call.request.body);
    if (!body) return std::unexpected(body.error());
    if (auto set = faults.set(*body); !set) return std::unexpected(std::move(set.error()));
    return json_reply(200, faults.to_json());
  });
}

Async<std::optional<http::Response>> Node::State::admit(const http::RequestHead& head) {
  auto found = router.find(head, *keys);
  if (!found) co_return std::move(found.error());
  co_return std::nullopt;
}

http::Response Node::State::call(const http::Request& request) {
  auto found = router.find(request, *keys);
  if (!found) return std::move(found.error());
  const Call call{.request = request,
                  .variables = std::move(found->variables),
                  .query = http::parse_query(request.query),
                  .access = std::move(found->access)};
  Reply reply = (*found->function)(call);
  return reply ? std::move(*reply) : error_reply(reply.error());
}

Async<http::Response> Node::State::handle(http::Request request) {
  const bool exempt = request.path == kFaultsPath;
  if (!exempt && Faults::take(faults.cut_connections)) co_return no_answer();
  if (const std::uint64_t delay = faults.delay_ms; delay > 0 && !exempt) {
    co_await clock.sleep_for(Milliseconds(delay));
  }
  const bool drop = !exempt && Faults::take(faults.drop_answers);
  auto shared = std::make_shared<http::Request>(std::move(request));
  http::Response response = co_await on_pool(pool, [this, shared] { return call(*shared); });
  if (drop) co_return no_answer();
  co_return response;
}

Node::Node(std::unique_ptr<State> state) : state_(std::move(state)) {}
Node::~Node() = default;

Result<std::unique_ptr<Node>> Node::open(Executor executor, Clock& clock, NodeOptions options) {
  auto state = std::make_unique<State>(clock, std::move(options));
  MIROIR_TRY(state->engine, Engine::open(state->options.data_dir, clock, state->faults));
  state->keys = std::make_unique<Keys>(*state->engine, state->options.master_key);
  state->add_routes();
  http::ServerOptions server{.bind = state->options.bind, .port = state->options.port};
  MIROIR_TRY(state->server, http::Server::listen(executor, clock, std::move(server), *state));
  return std::unique_ptr<Node>(new Node(std::move(state)));
}

std::uint16_t Node::port() const { return state_->server->port(); }
std::string Node::url() const { return state_->server->url(); }
Async<void> Node::run() { co_await state_->server->run(); }
Async<void> Node::stop(Milliseconds grace) { co_await state_->server->stop(grace); }

}  // namespace miroir::node
