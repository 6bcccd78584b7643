#include <gtest/gtest.h>

#include "cdc/change_stream.h"
#include "forward/forward_world_fake.h"
#include "proxy/proxy.h"
#include "proxy/secrets_fake.h"

namespace miroir {
namespace {

// A proxy over simulated nodes, with a change stream that nobody but its readers asks.
class ChangeRoutesTest : public ::testing::Test {
 protected:
  ChangeRoutesTest() : world(20261123, {}) {
    world.start();
    const Executor executor = world.process->io->get_executor();
    Forwarders& forwarders = *world.process->forwarders;
    Metrics& metrics = world.process->metrics;
    CdcOptions cdc;
    cdc.enabled = true;
    stream = std::move(
        world
            .await(ChangeStream::open({world.log(), world.store, world.cluster(), forwarders,
                                       world.clock, world.random, metrics, executor},
                                      cdc))
            .value());
    tasks = std::make_unique<TaskGroup>(executor);
    tasks->spawn("change stream", stream->run());
    reconciler = std::make_unique<Reconciler>(world.log(), world.store, world.cluster(), forwarders,
                                              world.clock, world.random, metrics, executor,
                                              AntiEntropyOptions{});
    make_proxy(stream.get());
    world.create_index("books");
    world.await_task(world.write("books", {"1", "2", "3"}, "a"));
  }
  ~ChangeRoutesTest() override {
    world.await([](ChangeStream& its, TaskGroup& group) -> Async<bool> {
      co_await its.stop();
      co_await group.join();
      co_return true;
    }(*stream, *tasks));
  }

  void make_proxy(ChangeStream* changes) {
    proxy = std::make_unique<Proxy>(
        ProxyParts{world.log(), world.cluster(), *world.process->forwarders, *reconciler,
                   world.clock, world.random, world.process->metrics, changes},
        kSecrets, WriteOptions{}, SearchOptions{});
  }

  http::Response ask(const std::string& query, const std::string& key = "adminKey") {
    http::Request request;
    request.method = "GET";
    request.path = "/_miroir/changes";
    request.query = query;
    request.target = request.path + (query.empty() ? "" : "?" + query);
    request.headers.set("Authorization", "Bearer " + key);
    return world.await([](Proxy& its, http::Request given) -> Async<http::Response> {
      auto refused = co_await its.admit(given);
      if (refused) co_return std::move(*refused);
      co_return co_await its.handle(std::move(given));
    }(*proxy, std::move(request)));
  }
  static Json json(const http::Response& response) {
    return parse_json(response.body).value_or(Json());
  }
  std::vector<std::string> cursors(const std::string& query) {
    std::vector<std::string> found;
    const Json answer = json(ask(query));
    for (const Json& event : answer.find("events")->as_array())
      found.push_back(event.find("cursor")->as_string());
    return found;
  }

  ForwardWorld world;
  std::unique_ptr<ChangeStream> stream;
  std::unique_ptr<TaskGroup> tasks;
  std::unique_ptr<Reconciler> reconciler;
  std::unique_ptr<Proxy> proxy;
};

using Cursors = std::vector<std::string>;

TEST_F(ChangeRoutesTest, AReaderGoesThroughTheStream) {
  EXPECT_EQ(cursors("since=0"), (Cursors{"1", "2-0", "2-1", "2-2"}));
  EXPECT_EQ(cursors("since=2-0&limit=1"), (Cursors{"2-1"}));
  EXPECT_EQ(cursors("since=0&index=films&wait=0"), Cursors{});
  const Json page = json(ask("since=0&limit=3"));
  EXPECT_EQ(*page.find("next"), Json("2-1"));
  EXPECT_EQ(*page.find("more"), Json(true));
  EXPECT_EQ(page.find("events")->as_array()[1].find("body")->find("v")->as_string(), "a");
  EXPECT_EQ(json(ask("since=1&bodies=false")).find("events")->as_array()[0].find("body"), nullptr);
}

TEST_F(ChangeRoutesTest, TheStreamsEndIsWaitedAt) {
  EXPECT_EQ(ask("").body, R"({"events":[],"next":"2","more":false})");
  const Instant asked = world.clock.now();
  EXPECT_EQ(ask("since=2&wait=7").body, R"({"events":[],"next":"2","more":false})");
  EXPECT_GE(world.clock.now(), asked + Seconds(7));
  EXPECT_LT(world.clock.now(), asked + Seconds(9));
}

TEST_F(ChangeRoutesTest, ItTakesTheAdminKeyAndKnownParametersOnly) {
  EXPECT_EQ(ask("since=0", "clientsMaster").status, 401);
  for (const char* wrong : {"since=x", "since=1-", "since=0&limit=-1", "since=0&wait=soon",
                            "since=0&bodies=2", "from=0"})
    EXPECT_EQ(ask(wrong).status, 400) << wrong;
}

TEST_F(ChangeRoutesTest, WhatTheLogDoesNotHoldIsAnError) {
  const http::Response beyond = ask("since=3");
  EXPECT_EQ(beyond.status, 410);
  EXPECT_EQ(*json(beyond).find("code"), Json("miroir_changes_lost"));
  ASSERT_TRUE(world.run_until([this] { return world.all_done(); }));
  world.clock.set_wall_offset(std::chrono::days(8));
  world.run_for(Seconds(15));
  EXPECT_EQ(cursors("since=0"), Cursors{"1"});
  const http::Response trimmed = ask("since=1");
  EXPECT_EQ(trimmed.status, 410);
  EXPECT_EQ(*json(trimmed).find("message"),
            Json("The log cannot tell all that came after `1` any more. It goes on after `2`."));
  EXPECT_EQ(ask("since=2&wait=0").status, 200);
}

TEST_F(ChangeRoutesTest, WithoutASettingThereIsNoStream) {
  make_proxy(nullptr);
  const http::Response response = ask("since=0");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(*json(response).find("code"), Json("miroir_not_supported"));
}

}  // namespace
}  // namespace miroir
