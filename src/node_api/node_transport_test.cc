#include "node_api/node_transport.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "http/server.h"

namespace miroir {
namespace {

// Answers 503 as often as told, then what a node would.
class Overloaded final : public http::Handler {
 public:
  Async<std::optional<http::Response>> admit(const http::RequestHead&) override {
    co_return std::nullopt;
  }
  Async<http::Response> handle(http::Request request) override {
    while (hold_searches && request.path == "/multi-search") {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, Milliseconds(1));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    seen.push_back(std::move(request));
    if (refusals-- > 0) co_return refuse(503, "busy");
    co_return http::json_response(status, body);
  }
  http::Response refuse(int code, std::string message) override {
    return http::json_response(
        code, to_text(Json::object({{"message", message}, {"code", "too_many_search_requests"}})));
  }
  bool hold_searches = false;
  int refusals = 0;
  int status = 200;
  std::string body = "{}";
  std::vector<http::Request> seen;
};

class NodeTransportTest : public testing::Test {
 protected:
  NodeTransportTest() {
    server_ = http::Server::listen(io_.get_executor(), clock_, {}, handler_).value();
    boost::asio::co_spawn(io_, server_->run(), [](std::exception_ptr) {});
    client_ = HttpNodeClient::create(io_.get_executor(), clock_, random_,
                                     {.id = "n1",
                                      .address = server_->url(),
                                      .master_key = "secret",
                                      .retry_delay = Milliseconds(1)},
                                     metrics_)
                  .value();
  }
  void TearDown() override { stop(*server_); }
  void stop(http::Server& server) {
    run([](http::Server& running) -> Async<bool> {
      co_await running.stop(Milliseconds(0));
      co_return true;
    }(server));
  }
  template <class T>
  T run(Async<T> call) {
    std::optional<T> result;
    boost::asio::co_spawn(io_, std::move(call), [&](std::exception_ptr error, T value) {
      if (error) std::rethrow_exception(error);
      result = std::move(value);
    });
    io_.restart();
    while (!result) io_.run_one();
    return std::move(*result);
  }
  Instant soon() { return clock_.now() + Seconds(10); }

  SystemClock clock_;
  Random random_{1};
  Metrics metrics_;
  Overloaded handler_;
  boost::asio::io_context io_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<HttpNodeClient> client_;
};

TEST_F(NodeTransportTest, ReadsAreRepeatedAFewTimes) {
  handler_.refusals = 2;
  EXPECT_TRUE(run(client_->settings("i", soon())));
  EXPECT_EQ(handler_.seen.size(), 3u);
  handler_.refusals = 9;
  EXPECT_EQ(run(client_->settings("i", soon())).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(handler_.seen.size(), 6u);
  const Counter errors = metrics_.counter(
      "miroir_node_errors_total", "Requests to nodes that failed",
      {{"node_id", "n1"}, {"error_type", std::string(name(ErrorCode::kUnavailable))}});
  EXPECT_EQ(errors.value(), 5);
}

TEST_F(NodeTransportTest, AClientsWrongQuestionIsNoErrorOfTheNode) {
  handler_.status = 400;
  handler_.body = R"({"message":"m","code":"invalid_search_q","type":"invalid_request"})";
  const Counter errors =
      metrics_.counter("miroir_node_errors_total", "Requests to nodes that failed",
                       {{"node_id", "n1"}, {"error_type", std::string(name(ErrorCode::kInvalid))}});
  EXPECT_TRUE(run(client_->read({"POST", "/indexes/i/search", {}, "{}"}, soon())));
  EXPECT_EQ(errors.value(), 0);
  EXPECT_FALSE(run(client_->settings("i", soon())));
  EXPECT_EQ(errors.value(), 1);
}

TEST_F(NodeTransportTest, WritesAreNeverRepeated) {
  handler_.refusals = 1;
  const auto refused = run(client_->enqueue(ClearDocuments{"i"}, 1, "", soon()));
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(handler_.seen.size(), 1u);
  EXPECT_EQ(*handler_.seen[0].headers.find("TaskId"), "1");
  EXPECT_EQ(*handler_.seen[0].headers.find("Authorization"), "Bearer secret");
}

TEST_F(NodeTransportTest, ClientsReadsHoldUpNothingElse) {
  handler_.body = R"({"results":[],"total":0,"limit":1,"from":null,"next":null})";
  handler_.hold_searches = true;
  int under_way = 40;  // more than there are connections for them
  for (int i = under_way; i > 0; --i) {
    boost::asio::co_spawn(io_, client_->read({"POST", "/multi-search", {}, "{}"}, soon()),
                          [&](std::exception_ptr, const auto&) { --under_way; });
  }
  EXPECT_TRUE(run(client_->newest_task(soon())));
  EXPECT_EQ(under_way, 40);
  handler_.hold_searches = false;
  while (under_way > 0) io_.run_one();
}

TEST_F(NodeTransportTest, ANodeThatNumbersTasksItselfIsNotTrusted) {
  handler_.status = 202;
  handler_.body = R"({"taskUid":5,"enqueuedAt":"e"})";
  EXPECT_EQ(run(client_->enqueue(ClearDocuments{"i"}, 5, "", soon()))->enqueued_at, "e");
  EXPECT_EQ(run(client_->enqueue(ClearDocuments{"i"}, 6, "", soon())).error().code,
            ErrorCode::kCorrupt);
}

TEST_F(NodeTransportTest, ANodeWithoutTheFlagIsNamedAsSuch) {
  handler_.body = R"({"status":"available"})";
  EXPECT_EQ(run(client_->probe(soon())).error().code, ErrorCode::kCorrupt) << "200 to the probe";
  class WithoutFlag final : public http::Handler {
    Async<std::optional<http::Response>> admit(const http::RequestHead&) override {
      co_return std::nullopt;
    }
    Async<http::Response> handle(http::Request request) override {
      if (request.path == "/health")
        co_return http::json_response(200, R"({"status":"available"})");
      co_return refuse(415, "The Content-Type is invalid");
    }
    http::Response refuse(int code, std::string message) override {
      return http::json_response(
          code, to_text(Json::object({{"message", message}, {"code", "invalid_content_type"}})));
    }
  } handler;
  auto server = http::Server::listen(io_.get_executor(), clock_, {}, handler).value();
  boost::asio::co_spawn(io_, server->run(), [](std::exception_ptr) {});
  auto client =
      HttpNodeClient::create(io_.get_executor(), clock_, random_,
                             {.id = "n2", .address = server->url(), .master_key = "k"}, metrics_)
          .value();
  const auto probed = run(client->probe(soon()));
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(probed.error().message.find("--experimental-replication-parameters"),
            std::string::npos);
  stop(*server);
}

TEST_F(NodeTransportTest, ClientsKeysPassThroughAndOursStandsInForThem) {
  run(client_->read({"GET", "/indexes/i", {{"Authorization", "Bearer theirs"}}, {}}, soon()))
      .value();
  run(client_->read({"GET", "/indexes/i", {}, {}}, soon())).value();
  EXPECT_EQ(*handler_.seen[0].headers.find("Authorization"), "Bearer theirs");
  EXPECT_EQ(*handler_.seen[1].headers.find("Authorization"), "Bearer secret");
}

}  // namespace
}  // namespace miroir
