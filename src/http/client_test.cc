#include "http/client.h"

#include <sys/socket.h>

#include <boost/asio/use_awaitable.hpp>

#include "http/loopback_test.h"

namespace miroir::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using Answered = std::expected<Response, ClientError>;

std::string ok(std::string_view body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

class ClientTest : public LoopbackTest {
 protected:
  ~ClientTest() override {
    if (server_) run(server_->stop());
  }
  void serve(ScriptedServer::Script script) {
    server_ = std::make_unique<ScriptedServer>(executor(), std::move(script));
    connect_to(server_->url());
  }
  void connect_to(std::string url) {
    options_.address = std::move(url);
    client_ = Client::create(executor(), clock_, options_).value();
  }
  // Each connection takes one request, says this, and closes.
  void serve_once(std::string answer) {
    serve([answer](RawPeer& peer, int) -> Async<void> {
      co_await peer.hear("\r\n\r\n");
      co_await peer.say(answer);
    });
  }
  Answered send(std::string method, std::string body = {}, Milliseconds within = Seconds(30)) {
    return run(client_->send({std::move(method), "/x", {}, std::move(body)}, in(within)));
  }
  // Lets what is on its way over loopback arrive.
  void settle() { run(clock_.sleep_for(Milliseconds(50))); }

  ClientOptions options_;
  std::unique_ptr<ScriptedServer> server_;
  std::unique_ptr<Client> client_;
};

void expect_failure(const Answered& answered, ErrorCode code, Sent sent) {
  ASSERT_FALSE(answered);
  EXPECT_EQ(name(answered.error().error.code), name(code)) << answered.error().error.message;
  EXPECT_EQ(answered.error().sent, sent) << answered.error().error.message;
}

TEST_F(ClientTest, AnswerComesBackWhole) {
  std::string heard;
  serve([&heard](RawPeer& peer, int) -> Async<void> {
    heard = co_await peer.hear("body");
    co_await peer.say("HTTP/1.1 202 Accepted\r\nX-Y: z\r\nContent-Length: 2\r\n\r\nhi");
  });
  const auto answered = send("POST", "body");
  ASSERT_TRUE(answered);
  EXPECT_EQ(answered->status, 202);
  EXPECT_EQ(*answered->headers.find("x-y"), "z");
  EXPECT_EQ(answered->body, "hi");
  EXPECT_EQ(heard, "POST /x HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server_->port()) +
                       "\r\nContent-Length: 4\r\n\r\nbody");
}

TEST_F(ClientTest, ConnectionIsUsedAgain) {
  serve([](RawPeer& peer, int) -> Async<void> {
    while (!(co_await peer.hear("\r\n\r\n")).empty()) {
      co_await peer.say(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\nhi\r\n0\r\nT: x\r\n\r\n");
    }
  });
  for (int i = 0; i < 5; ++i) EXPECT_EQ(send("GET").value().body, "hi");
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(ClientTest, InterimAnswersAreSkipped) {
  serve_once("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok("hi"));
  EXPECT_EQ(send("GET").value().body, "hi");
}

TEST_F(ClientTest, AnswersWithoutABodyAreComplete) {
  serve([](RawPeer& peer, int) -> Async<void> {
    for (const char* answer :
         {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
          "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n"}) {
      co_await peer.hear("\r\n\r\n");
      co_await peer.say(answer);
    }
  });
  EXPECT_EQ(send("HEAD").value().body, "");
  EXPECT_EQ(send("GET").value().status, 204);
  EXPECT_EQ(send("GET").value().status, 304);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(ClientTest, RequestsAtOnceShareTheBoundedPoolInOrder) {
  options_.connections_max = 2;
  std::vector<std::string> order;
  int open = 0;
  int open_max = 0;
  serve([&](RawPeer& peer, int) -> Async<void> {
    while (true) {
      const std::string head = co_await peer.hear("\r\n\r\n");
      if (head.empty()) co_return;
      order.push_back(head.substr(5, 1));
      open_max = std::max(open_max, ++open);
      co_await clock_.sleep_for(Milliseconds(5));
      --open;
      co_await peer.say(ok("hi"));
    }
  });
  std::vector<Async<Answered>> calls;
  for (const char* target : {"/0", "/1", "/2", "/3", "/4", "/5"}) {
    calls.push_back(client_->send({"GET", target, {}, {}}, in(Seconds(30))));
  }
  for (const auto& answered : run(gather(std::move(calls)))) EXPECT_TRUE(answered);
  EXPECT_EQ(server_->connections(), 2);
  EXPECT_EQ(open_max, 2);
  // Two go at a time; later ones never overtake earlier ones.
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_LE(std::abs(std::stoi(order[i]) - static_cast<int>(i)), 1);
  }
}

TEST_F(ClientTest, MuteServerMeetsTheDeadline) {
  std::string afterwards = "never closed";
  serve([&](RawPeer& peer, int) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    afterwards = co_await peer.hear_all();
  });
  const Instant begin = clock_.now();
  expect_failure(send("GET", {}, Milliseconds(400)), ErrorCode::kTimeout, Sent::kMaybe);
  EXPECT_GE(clock_.now() - begin, Milliseconds(400));
  EXPECT_LT(clock_.now() - begin, Seconds(5));
  settle();
  EXPECT_EQ(afterwards, "");
}

TEST_F(ClientTest, HalfAnAnswerMeetsTheDeadline) {
  for (const char* half : {"HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi"}) {
    serve([half](RawPeer& peer, int) -> Async<void> {
      co_await peer.hear("\r\n\r\n");
      co_await peer.say(half);
      co_await peer.hear_all();
    });
    expect_failure(send("GET", {}, Milliseconds(400)), ErrorCode::kTimeout, Sent::kMaybe);
    client_.reset();
    run(server_->stop());
  }
}

TEST_F(ClientTest, ServerThatDoesNotReadMeetsTheDeadline) {
  serve([this](RawPeer&, int) -> Async<void> { co_await clock_.sleep_for(Seconds(600)); });
  expect_failure(send("POST", std::string(64U << 20U, 'x'), Milliseconds(400)), ErrorCode::kTimeout,
                 Sent::kMaybe);
}

TEST_F(ClientTest, LateAnswerDoesNotReachTheNextRequest) {
  Signal late(executor());
  serve([&late](RawPeer& peer, int connection) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    if (connection == 0) {
      co_await late.wait();
      co_await peer.say(ok("late"));
      co_return;
    }
    late.notify_all();
    co_await peer.say(ok("mine"));
    co_await peer.hear_all();
  });
  expect_failure(send("GET", {}, Milliseconds(400)), ErrorCode::kTimeout, Sent::kMaybe);
  EXPECT_EQ(send("GET").value().body, "mine");
  EXPECT_EQ(send("GET", {}, Milliseconds(50)).has_value(), false);
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(ClientTest, DeadlineCoversWaitingForAConnection) {
  options_.connections_max = 1;
  serve([](RawPeer& peer, int connection) -> Async<void> {
    if (connection == 0) {
      co_await peer.hear_all();
    } else {
      co_await peer.hear("\r\n\r\n");
      co_await peer.say(ok("hi"));
    }
  });
  std::vector<Async<Answered>> calls;
  calls.push_back(client_->send({"GET", "/mute", {}, {}}, in(Milliseconds(600))));
  calls.push_back(client_->send({"GET", "/short", {}, {}}, in(Milliseconds(100))));
  calls.push_back(client_->send({"GET", "/long", {}, {}}, in(Seconds(30))));
  const auto answers = run(gather(std::move(calls)));
  expect_failure(answers[0], ErrorCode::kTimeout, Sent::kMaybe);
  expect_failure(answers[1], ErrorCode::kTimeout, Sent::kNothing);
  EXPECT_EQ(answers[2].value().body, "hi");
}

TEST_F(ClientTest, PassedDeadlineSendsNothing) {
  serve_once(ok("hi"));
  expect_failure(run(client_->send({"GET", "/", {}, {}}, in(Milliseconds(-1)))),
                 ErrorCode::kTimeout, Sent::kNothing);
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(ClientTest, GarbageIsCorruptAtOnce) {
  for (const char* garbage :
       {"x", "hello world\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n",
        "HTTP/1.1 200 OK\r\n\r\nno length", "HTTP/1.1 101 Switching Protocols\r\n\r\n"}) {
    // The connection stays open: nothing but the bytes tells.
    serve([garbage](RawPeer& peer, int) -> Async<void> {
      co_await peer.hear("\r\n\r\n");
      co_await peer.say(garbage);
      co_await peer.hear_all();
    });
    SCOPED_TRACE(garbage);
    expect_failure(send("GET"), ErrorCode::kCorrupt, Sent::kMaybe);
    client_.reset();
    run(server_->stop());
  }
}

TEST_F(ClientTest, EndlessHeadIsCorrupt) {
  serve([](RawPeer& peer, int) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    co_await peer.say("HTTP/1.1 200 OK\r\nX: " + std::string(10U << 20U, 'a'));
    co_await peer.hear_all();
  });
  expect_failure(send("GET"), ErrorCode::kCorrupt, Sent::kMaybe);
}

TEST_F(ClientTest, InterimAnswersWithoutEndAreCorrupt) {
  std::string answers;
  for (int i = 0; i < 1'000; ++i) answers += "HTTP/1.1 102 Processing\r\n\r\n";
  serve_once(answers);
  expect_failure(send("GET"), ErrorCode::kCorrupt, Sent::kMaybe);
}

TEST_F(ClientTest, AnswerCutShortIsUnavailable) {
  for (const char* half : {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"}) {
    serve_once(half);
    SCOPED_TRACE(half);
    expect_failure(send("GET"), ErrorCode::kUnavailable, Sent::kMaybe);
    EXPECT_EQ(server_->connections(), 1);
    client_.reset();
    run(server_->stop());
  }
}

TEST_F(ClientTest, RefusedConnectionSentNothing) {
  serve_once("");
  run(server_->stop());
  expect_failure(send("POST", "body"), ErrorCode::kUnavailable, Sent::kNothing);
}

TEST_F(ClientTest, ConnectTimeoutSentNothing) {
  // A full backlog lets connections hang.
  boost::asio::ip::tcp::acceptor deaf(executor());
  deaf.open(boost::asio::ip::tcp::v4());
  deaf.bind({boost::asio::ip::address_v4::loopback(), 0});
  deaf.listen(0);
  const std::uint16_t port = deaf.local_endpoint().port();
  const RawPeer fills = run(dial(port));
  options_.connect_timeout = Milliseconds(100);
  connect_to("http://127.0.0.1:" + std::to_string(port));
  const Instant begin = clock_.now();
  expect_failure(send("GET"), ErrorCode::kTimeout, Sent::kNothing);
  EXPECT_LT(clock_.now() - begin, Seconds(5));
}

TEST_F(ClientTest, NamesAreResolved) {
  serve_once(ok("hi"));
  connect_to("http://localhost:" + std::to_string(server_->port()));
  EXPECT_EQ(send("GET").value().body, "hi");
  connect_to("http://no-such-host.invalid:7700");
  const auto answered = send("GET", {}, Milliseconds(500));
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().sent, Sent::kNothing);
}

TEST_F(ClientTest, AnswerBeyondTheLimitIsTooLarge) {
  options_.response_bytes_max = 4;
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"}) {
    serve_once(answer);
    expect_failure(send("GET"), ErrorCode::kTooLarge, Sent::kMaybe);
    client_.reset();
    run(server_->stop());
  }
}

TEST_F(ClientTest, ConnectionClosedWhileIdleIsNotUsed) {
  serve_once(ok("hi"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(send("POST", "body").value().body, "hi");
    settle();
  }
  EXPECT_EQ(server_->connections(), 3);
}

TEST_F(ClientTest, ConnectionThatSpokeUnaskedIsNotUsed) {
  serve([](RawPeer& peer, int) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    co_await peer.say(ok("mine"));
    co_await peer.say(ok("stray"));
    co_await peer.hear_all();
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(send("GET").value().body, "mine");
    settle();
  }
  EXPECT_EQ(server_->connections(), 3);
}

TEST_F(ClientTest, BodyBehindA204EndsItsConnection) {
  serve([](RawPeer& peer, int) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    co_await peer.say("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    co_await peer.hear_all();
  });
  EXPECT_EQ(send("GET").value().status, 204);
  EXPECT_EQ(send("GET").value().status, 204);
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(ClientTest, IdleConnectionGrowsTooOld) {
  options_.idle_timeout = Milliseconds(20);
  serve([](RawPeer& peer, int) -> Async<void> {
    while (!(co_await peer.hear("\r\n\r\n")).empty()) co_await peer.say(ok("hi"));
  });
  EXPECT_TRUE(send("GET"));
  settle();
  EXPECT_TRUE(send("GET"));
  EXPECT_EQ(server_->connections(), 2);
}

// The first connection closes on its second request, as a server's idle timeout may.
class StaleConnectionTest : public ClientTest {
 protected:
  void serve_stale(std::string last_words) {
    serve([this, last_words](RawPeer& peer, int connection) -> Async<void> {
      while (!(co_await peer.hear("\r\n\r\n")).empty()) {
        if (connection == 0 && ++requests_ == 2) {
          co_await peer.say(last_words);
          co_return;
        }
        co_await peer.say(ok("hi"));
      }
    });
    EXPECT_TRUE(send("GET"));
  }
  int requests_ = 0;
};

TEST_F(StaleConnectionTest, SafeRequestIsRepeatedOnce) {
  serve_stale("");
  EXPECT_EQ(send("GET").value().body, "hi");
  EXPECT_EQ(server_->connections(), 2);
}

TEST_F(StaleConnectionTest, WriteIsNotRepeated) {
  serve_stale("");
  expect_failure(send("POST"), ErrorCode::kUnavailable, Sent::kMaybe);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(StaleConnectionTest, HalfAnsweredRequestIsNotRepeated) {
  serve_stale("HTTP/1.1 200");
  expect_failure(send("GET"), ErrorCode::kUnavailable, Sent::kMaybe);
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(ClientTest, CancelledRequestClosesItsConnection) {
  options_.connections_max = 1;
  bool closed = false;
  serve([&closed](RawPeer& peer, int connection) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    if (connection == 0) {
      co_await peer.hear_all();
      closed = true;
    } else {
      co_await peer.say(ok("hi"));
    }
  });
  run([](Client& client, Executor on, Clock& clock) -> Async<void> {
    TaskGroup group(on);
    group.spawn("request", [](Client& its_client, Instant deadline) -> Async<void> {
      co_await its_client.send({"GET", "/", {}, {}}, deadline);
    }(client, clock.now() + Seconds(30)));
    co_await clock.sleep_for(Milliseconds(20));
    EXPECT_EQ(group.size(), 1u);
    co_await group.stop();
  }(*client_, executor(), clock_));
  settle();
  EXPECT_TRUE(closed);
  EXPECT_EQ(send("GET").value().body, "hi");
}

TEST_F(ClientTest, EarlyAnswerToALargeBodyIsHeard) {
  serve([](RawPeer& peer, int) -> Async<void> {
    co_await peer.hear("\r\n\r\n");
    co_await peer.say("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
    co_await peer.hear_all();
  });
  EXPECT_EQ(send("POST", std::string(20U << 20U, 'x')).value().status, 413);
}

TEST_F(ClientTest, MalformedRequestIsNotSent) {
  serve_once(ok("hi"));
  expect_failure(run(client_->send({"GET", "/", {{"X", "a\r\nY: b"}}, {}}, in(Seconds(30)))),
                 ErrorCode::kInvalid, Sent::kNothing);
  EXPECT_EQ(server_->connections(), 0);
}

TEST_F(ClientTest, BadAddressIsInvalid) {
  options_.address = "https://127.0.0.1:7700";
  const auto created = Client::create(executor(), clock_, options_);
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(created.error().message, HasSubstr("https://127.0.0.1:7700"));
}

}  // namespace
}  // namespace miroir::http
