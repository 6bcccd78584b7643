#include "http/server.h"

#include <unistd.h>

#include <boost/asio/use_awaitable.hpp>
#include <fstream>

#include "http/loopback_test.h"

namespace miroir::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

// Notes what reaches it; answers with the method, the target and the body.
class NotingHandler : public Handler {
 public:
  explicit NotingHandler(Executor executor) : released(std::move(executor)) {}

  Async<std::optional<Response>> admit(const RequestHead& head) override {
    if (head.path == "/forbidden") co_return Response{403, {}, "no"};
    co_return std::nullopt;
  }
  Async<Response> handle(Request request) override {
    handled.push_back(request.method + " " + request.target);
    headers = request.headers;
    capacity = request.body.capacity();
    if (request.path == "/held") {
      while (!open) co_await released.wait();
      co_return Response{200, {}, "held"};
    }
    if (request.path == "/large") co_return Response{200, {}, std::string(64U << 20U, 'x')};
    if (request.path == "/none") co_return Response{204, {}, "a body that must not be sent"};
    if (request.path == "/size") co_return Response{200, {}, std::to_string(request.body.size())};
    co_return Response{200, {}, request.method + " " + request.target + " " + request.body};
  }
  Response refuse(int status, std::string message) override { return {status, {}, message}; }

  void release() {
    open = true;
    released.notify_all();
  }

  std::vector<std::string> handled;
  Headers headers;
  std::size_t capacity = 0;
  Signal released;
  bool open = false;
};

// Real time, and more of it where a test says so.
class JumpingClock final : public Clock {
 public:
  WallTime wall_now() const override { return real_.wall_now() + ahead_; }
  Instant now() const override { return real_.now() + ahead_; }
  Async<void> sleep_until(Instant when) override { return real_.sleep_until(when - ahead_); }
  void jump(Microseconds by) { ahead_ += by; }

 private:
  SystemClock real_;
  Microseconds ahead_{0};
};

class ServerTest : public LoopbackTest {
 protected:
  ~ServerTest() override {
    handler_.release();
    stop();
  }
  void stop() {
    if (server_) run(server_->stop(Milliseconds(0)));
    server_ = nullptr;
  }
  void start() {
    server_ = Server::listen(executor(), clock_, options_, handler_).value();
    boost::asio::co_spawn(executor(), server_->run(), [](const std::exception_ptr&) {});
  }
  // Says the bytes on a connection of their own; all that is answered until the server closes.
  std::string all_answers_to(std::string bytes) {
    return run([](std::uint16_t port, std::string said) -> Async<std::string> {
      RawPeer peer = co_await dial(port);
      co_await peer.say(std::move(said));
      co_return co_await peer.hear_all();
    }(server_->port(), std::move(bytes)));
  }
  template <class Script>
  void with_peer(Script script) {
    run([](std::uint16_t port, Script& its_script) -> Async<void> {
      RawPeer peer = co_await dial(port);
      co_await its_script(peer);
    }(server_->port(), script));
  }
  // Until the handler has that many requests.
  Async<void> until_handled(std::size_t count) {
    while (handler_.handled.size() < count) co_await clock_.sleep_for(Milliseconds(1));
  }

  JumpingClock clock_;  // the server's
  ServerOptions options_;
  NotingHandler handler_{executor()};
  std::unique_ptr<Server> server_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kLastGet = "GET /z HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

std::string post(std::string_view path, std::string_view fields, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" +
         std::string(body);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  const std::string answers = all_answers_to(
      std::string(kGet) + post("/b", "Content-Length: 4\r\n", "GET ") +
      post("/c", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n") + std::string(kLastGet));
  EXPECT_THAT(handler_.handled, ElementsAre("GET /a", "POST /b", "POST /c", "GET /z"));
  EXPECT_EQ(answers,
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nGET /a "
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nPOST /b GET "
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nPOST /c hi"
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nGET /z ");
}

TEST_F(ServerTest, RequestsArriveByteByByte) {
  start();
  with_peer([](RawPeer& peer) -> Async<void> {
    for (int round = 0; round < 2; ++round) {
      for (const char c : post("/b", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n")) {
        co_await peer.say(std::string(1, c));
      }
      EXPECT_THAT(co_await peer.hear("POST /b hi"), StartsWith("HTTP/1.1 200 OK"));
    }
  });
}

TEST_F(ServerTest, AmbiguousRequestsEndTheConnection) {
  start();
  const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const std::string& fields :
       {std::string("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"),
        std::string("Transfer-Encoding: xchunked\r\n"),
        std::string("Content-Length: 0\r\nContent-Length: 5\r\n"),
        std::string("Content-Length: +0\r\n"), std::string("Content-Length : 0\r\n"),
        std::string("X: a\r\n b\r\n"), std::string("X: a\nY: b\r\n"), std::string("Host: b\r\n")}) {
    const std::string answers = all_answers_to(post("/", fields, "0\r\n\r\n" + smuggled));
    EXPECT_TRUE(answers.starts_with("HTTP/1.1 400 ") || answers.starts_with("HTTP/1.1 501 "))
        << fields << answers;
    EXPECT_THAT(answers, HasSubstr("Connection: close\r\n"));
    EXPECT_EQ(answers.find("HTTP/1.1", 1), std::string::npos) << fields;
  }
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, MalformedChunksEndTheConnection) {
  start();
  for (const std::string& body :
       {std::string("ffffffffffffffffff\r\n"), std::string("5 \r\nhello\r\n0\r\n\r\n"),
        std::string("5\nhello\n0\n\n"), std::string("2\r\nhello\r\n0\r\n\r\n")}) {
    const std::string answers =
        all_answers_to(post("/", "Transfer-Encoding: chunked\r\n", body + std::string(kGet)));
    EXPECT_THAT(answers, StartsWith("HTTP/1.1 400 ")) << body;
    EXPECT_EQ(answers.find("HTTP/1.1", 1), std::string::npos) << body;
  }
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, TrailersAreDropped) {
  start();
  all_answers_to(post("/", "Transfer-Encoding: chunked\r\nConnection: close\r\n",
                      "2\r\nhi\r\n0\r\nAuthorization: Bearer stolen\r\nX: y\r\n\r\n"));
  ASSERT_EQ(handler_.handled.size(), 1u);
  EXPECT_EQ(handler_.headers.find("Authorization"), nullptr);
  EXPECT_EQ(handler_.headers.find("X"), nullptr);
}

TEST_F(ServerTest, HugeBodyIsRefusedBeforeItIsSent) {
  start();
  const std::string answers = all_answers_to(post("/", "Content-Length: 2147483648\r\n", "[{"));
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, ChunkedBodyIsRefusedBeyondTheLimit) {
  options_.body_bytes_max = 10;
  start();
  EXPECT_THAT(all_answers_to(post("/", "Transfer-Encoding: chunked\r\n",
                                  "6\r\nabcdef\r\n5\r\nabcde\r\n0\r\n\r\n")),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, HeadBeyondTheLimitIsRefused) {
  options_.head_bytes_max = 1'000;
  start();
  EXPECT_THAT(all_answers_to(post("/", "X: " + std::string(1'000, 'a') + "\r\n", "")),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(all_answers_to("GET /" + std::string(2'000, 'a')), StartsWith("HTTP/1.1 431 "));
}

TEST_F(ServerTest, LargeBodyArrivesInOneBuffer) {
  start();
  constexpr std::size_t kSize = 100'000'000;
  with_peer([this](RawPeer& peer) -> Async<void> {
    co_await peer.say(post("/size", "Content-Length: " + std::to_string(kSize) + "\r\n",
                           std::string(kSize, 'x')));
    EXPECT_THAT(co_await peer.hear("100000000"), StartsWith("HTTP/1.1 200 OK"));
    EXPECT_LE(handler_.capacity, kSize * 5 / 4);
  });
}

std::size_t resident_bytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST_F(ServerTest, AnnouncedBodyCostsNothingUntilItArrives) {
  start();
  const std::size_t before = resident_bytes();
  // The closure outlives its coroutine: run() returns when that has ended.
  run([&]() -> Async<void> {
    std::vector<RawPeer> peers;
    for (int i = 0; i < 10; ++i) {
      peers.push_back(co_await dial(server_->port()));
      co_await peers.back().say(
          post("/", "Content-Length: 100000000\r\nExpect: 100-continue\r\n", {}));
      co_await peers.back().hear("100 Continue\r\n\r\n");
      co_await peers.back().say("x");
    }
    co_await clock_.sleep_for(Milliseconds(20));
    EXPECT_LT(resident_bytes(), before + 100'000'000);
  }());
}

TEST_F(ServerTest, ExpectIsAnsweredBeforeTheBody) {
  start();
  with_peer([](RawPeer& peer) -> Async<void> {
    co_await peer.say(post("/b", "Content-Length: 2\r\nExpect: 100-continue\r\n", ""));
    EXPECT_EQ(co_await peer.hear("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    co_await peer.say("hi");
    EXPECT_THAT(co_await peer.hear("POST /b hi"), StartsWith("HTTP/1.1 200 OK"));
  });
}

TEST_F(ServerTest, RefusedRequestIsNotToldToContinue) {
  start();
  const std::string answers = all_answers_to(
      post("/forbidden", "Content-Length: 2\r\nExpect: 100-continue\r\n", std::string(kGet)));
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 403 "));
  EXPECT_EQ(answers.find("HTTP/1.1", 1), std::string::npos);
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, RefusalSkipsASmallBodyAndKeepsTheConnection) {
  start();
  EXPECT_THAT(
      all_answers_to(post("/forbidden", "Content-Length: 2\r\n", "hi") + std::string(kLastGet)),
      HasSubstr("GET /z"));
  EXPECT_THAT(handler_.handled, ElementsAre("GET /z"));
}

TEST_F(ServerTest, RefusalDoesNotReadALargeBody) {
  start();
  const std::string answers =
      all_answers_to(post("/forbidden", "Content-Length: 100000\r\n", std::string(100'000, 'x')) +
                     std::string(kLastGet));
  EXPECT_THAT(answers, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, AnswersWithoutABodyHaveNone) {
  start();
  EXPECT_EQ(all_answers_to("HEAD /h HTTP/1.1\r\nHost: a\r\n\r\n"
                           "GET /none HTTP/1.1\r\nHost: a\r\n\r\n" +
                           std::string(kLastGet)),
            "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n"
            "HTTP/1.1 204 No Content\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nGET /z ");
}

TEST_F(ServerTest, Http10IsAnsweredAndClosed) {
  start();
  EXPECT_EQ(all_answers_to("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + std::string(kGet)),
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nGET /a ");
}

TEST_F(ServerTest, SlowHeadIsCutOff) {
  options_.head_timeout = Milliseconds(100);
  start();
  const Instant begin = clock_.now();
  with_peer([this](RawPeer& peer) -> Async<void> {
    co_await peer.say("GET / HTTP/1.1\r\n");
    // Steady progress does not buy more time.
    for (int i = 0; i < 20; ++i) {
      co_await clock_.sleep_for(Milliseconds(10));
      co_await peer.say("X: y\r\n");
    }
    EXPECT_EQ(co_await peer.hear_all(), "");
  });
  EXPECT_LT(clock_.now() - begin, Seconds(10));
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, StalledBodyIsCutOff) {
  options_.pace.pause = Milliseconds(100);
  start();
  for (const std::string& request : {post("/", "Content-Length: 5\r\n", "hi"),
                                     post("/", "Transfer-Encoding: chunked\r\n", "5\r\nhi")}) {
    const std::string answer = all_answers_to(request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 408 "));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
  }
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, TricklingBodyIsCutOff) {
  for (const std::string& framing :
       {std::string("Content-Length: 9\r\n"), std::string("Transfer-Encoding: chunked\r\n")}) {
    start();
    with_peer([&](RawPeer& peer) -> Async<void> {
      co_await peer.say(post("/", framing + "Expect: 100-continue\r\n", ""));
      co_await peer.hear("100 Continue\r\n\r\n");
      clock_.jump(options_.pace.pause * 2 / 3);
      co_await peer.say("1");
      clock_.jump(options_.pace.pause * 2 / 3);
      co_await peer.say("1");
      EXPECT_THAT(co_await peer.hear_all(), StartsWith("HTTP/1.1 408 "));
    });
    stop();
  }
  EXPECT_THAT(handler_.handled, IsEmpty());
}

TEST_F(ServerTest, SlowBodyThatKeepsTheLeastRateArrives) {
  options_.pace.bytes_per_second = 10;
  start();
  with_peer([&](RawPeer& peer) -> Async<void> {
    co_await peer.say(post("/size", "Content-Length: 4000\r\nExpect: 100-continue\r\n", ""));
    co_await peer.hear("100 Continue\r\n\r\n");
    for (int i = 0; i < 10; ++i) {
      clock_.jump(Seconds(40));
      co_await peer.say(std::string(400, 'x'));
    }
    EXPECT_THAT(co_await peer.hear("4000"), StartsWith("HTTP/1.1 200 "));
  });
}

TEST_F(ServerTest, IdleConnectionIsClosed) {
  options_.idle_timeout = Milliseconds(400);
  start();
  EXPECT_EQ(all_answers_to(""), "");
  EXPECT_THAT(all_answers_to(std::string(kGet)), HasSubstr("GET /a"));
}

TEST_F(ServerTest, PeerThatReadsByDropsIsCutOff) {
  start();
  with_peer([this](RawPeer& peer) -> Async<void> {
    co_await peer.say("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    std::size_t heard = (co_await peer.hear_bytes(1'000'000)).size();
    // At the least rate that is more than the kernels of both ends can hold.
    clock_.jump(std::chrono::hours(24));
    heard += (co_await peer.hear_all()).size();
    EXPECT_LT(heard, std::size_t{64U << 20U});
  });
}

TEST_F(ServerTest, PeerThatDoesNotReadIsCutOff) {
  options_.pace.pause = Milliseconds(100);
  start();
  with_peer([this](RawPeer& peer) -> Async<void> {
    co_await peer.say("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await until_handled(1);
    co_await clock_.sleep_for(Milliseconds(500));
    const std::string answer = co_await peer.hear_all();
    EXPECT_LT(answer.size(), std::size_t{64U << 20U});
  });
}

TEST_F(ServerTest, RequestsBeyondTheLimitAreTurnedAway) {
  options_.requests_max = 1;
  start();
  // The closure outlives its coroutine: run() returns when that has ended.
  run([&]() -> Async<void> {
    RawPeer first = co_await dial(server_->port());
    co_await first.say("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await until_handled(1);
    RawPeer second = co_await dial(server_->port());
    co_await second.say(std::string(kGet));
    const std::string answer = co_await second.hear("under way");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
    handler_.release();
    co_await first.hear("held");
    co_await second.say(std::string(kGet));
    EXPECT_THAT(co_await second.hear("GET /a"), StartsWith("HTTP/1.1 200 "));
  }());
}

TEST_F(ServerTest, BodiesBeyondTheRoomForAllAreTurnedAway) {
  options_.bodies_bytes_max = 150'000;
  start();
  // The closure outlives its coroutine: run() returns when that has ended.
  run([&]() -> Async<void> {
    const std::string large = "POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    RawPeer first = co_await dial(server_->port());
    co_await first.say(large + "half");
    RawPeer second = co_await dial(server_->port());
    co_await second.say(large);
    const std::string answer = co_await second.hear("too many large bodies");
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(answer, HasSubstr("Retry-After: 1\r\n"));
    RawPeer small = co_await dial(server_->port());
    co_await small.say(std::string(kGet));
    EXPECT_THAT(co_await small.hear("GET /a"), StartsWith("HTTP/1.1 200 "));
    co_await first.say(std::string(100'000 - 4, 'x'));
    EXPECT_THAT(co_await first.hear("100000"), StartsWith("HTTP/1.1 200 "));
    RawPeer third = co_await dial(server_->port());
    co_await third.say(large + std::string(100'000, 'x'));
    EXPECT_THAT(co_await third.hear("100000"), StartsWith("HTTP/1.1 200 "));
  }());
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitAreClosed) {
  options_.connections_max = 1;
  start();
  // The closure outlives its coroutine: run() returns when that has ended.
  run([&]() -> Async<void> {
    RawPeer first = co_await dial(server_->port());
    co_await first.say("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await until_handled(1);
    RawPeer second = co_await dial(server_->port());
    EXPECT_EQ(co_await second.hear_all(), "");
  }());
}

TEST_F(ServerTest, StopLetsRunningRequestsEnd) {
  start();
  // The closure outlives its coroutine: run() returns when that has ended.
  run([&]() -> Async<void> {
    RawPeer idle = co_await dial(server_->port());
    RawPeer busy = co_await dial(server_->port());
    co_await busy.say("GET /held HTTP/1.1\r\nHost: a\r\n\r\n" + std::string(kGet));
    co_await until_handled(1);
    TaskGroup stopping(executor());
    stopping.spawn("stop", server_->stop(Seconds(30)));
    EXPECT_EQ(co_await idle.hear_all(), "");
    EXPECT_EQ(stopping.size(), 1u);
    handler_.release();
    const std::string answer = co_await busy.hear_all();
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(answer, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(answer, testing::EndsWith("held"));
    co_await stopping.join();
  }());
  EXPECT_THAT(handler_.handled, ElementsAre("GET /held"));
  EXPECT_THROW(run([](std::uint16_t port) -> Async<void> { co_await dial(port); }(server_->port())),
               boost::system::system_error);
}

TEST_F(ServerTest, StopCutsOffWhatDoesNotEnd) {
  start();
  // The closure outlives its coroutine: run() returns when that has ended.
  run([&]() -> Async<void> {
    RawPeer busy = co_await dial(server_->port());
    co_await busy.say("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await until_handled(1);
    co_await server_->stop(Milliseconds(50));
    EXPECT_EQ(co_await busy.hear_all(), "");
  }());
}

TEST_F(ServerTest, TakenPortIsSaid) {
  start();
  options_.port = server_->port();
  const auto second = Server::listen(executor(), clock_, options_, handler_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(options_.port)));
  options_.bind = "nowhere";
  EXPECT_EQ(Server::listen(executor(), clock_, options_, handler_).error().code,
            ErrorCode::kInvalid);
}

}  // namespace
}  // namespace miroir::http
