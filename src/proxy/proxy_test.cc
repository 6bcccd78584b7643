#include "proxy/proxy.h"

#include <gtest/gtest.h>

#include <set>

#include "cluster/own_tasks.h"
#include "forward/forward_world_fake.h"
#include "meili/api_key.h"
#include "proxy/secrets_fake.h"

namespace miroir {
namespace {

// A proxy before two groups of two simulated nodes, asked as the server asks it.
class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest() : world(20261123, {}) {
    world.start();
    EXPECT_TRUE(world.run_until([this] { return world.cluster().whole_groups().size() == 2; }));
    AntiEntropyOptions options;
    reconciler = std::make_unique<Reconciler>(
        world.log(), world.store, world.cluster(), *world.process->forwarders, world.clock,
        world.random, world.process->metrics, world.process->io->get_executor(), options);
    tasks = std::make_unique<TaskGroup>(world.process->io->get_executor());
    tasks->spawn("reconciler", reconciler->run());
    world.run_for(Milliseconds(10));
    proxy = std::make_unique<Proxy>(
        ProxyParts{world.log(), world.cluster(), *world.process->forwarders, *reconciler,
                   world.clock, world.random, world.process->metrics},
        kSecrets, WriteOptions{}, SearchOptions{});
    EXPECT_TRUE(world.await(proxy->prepare()));
  }

  ~ProxyTest() override {
    world.await([](Reconciler& its, TaskGroup& group) -> Async<bool> {
      co_await its.stop();
      co_await group.join();
      co_return true;
    }(*reconciler, *tasks));
  }

  http::Response send(std::string method, std::string target, std::string body = {},
                      std::string token = "clientsMaster") {
    http::Request request;
    request.method = std::move(method);
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    if (request.path != target) request.query = target.substr(request.path.size() + 1);
    if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
    request.headers.set("Content-Type", "application/json");
    request.body = std::move(body);
    return world.await([](Proxy& its, http::Request given) -> Async<http::Response> {
      auto refused = co_await its.admit(given);
      if (refused) co_return std::move(*refused);
      co_return co_await its.handle(std::move(given));
    }(*proxy, std::move(request)));
  }
  Json json(const http::Response& response) { return parse_json(response.body).value_or(Json()); }
  std::string code(const http::Response& response) {
    const Json body = json(response);
    const Json* its = body.find("code");
    return its != nullptr ? its->as_string() : "";
  }
  Json ended(const http::Response& accepted) {
    const Position task = json(accepted).find("taskUid")->as_uint64();
    world.await_task(task);
    return json(send("GET", "/tasks/" + std::to_string(task)));
  }
  std::string make_key(const std::string& actions, const std::string& indexes) {
    return json(send("POST", "/keys",
                     R"({"actions":)" + actions + R"(,"indexes":)" + indexes +
                         R"(,"expiresAt":null})"))
        .find("key")
        ->as_string();
  }
  std::string metrics() { return world.process->metrics.text(); }

  ForwardWorld world;
  std::unique_ptr<Reconciler> reconciler;
  std::unique_ptr<TaskGroup> tasks;
  std::unique_ptr<Proxy> proxy;
};

TEST_F(ProxyTest, HealthVersionAndReadinessNeedNoMaster) {
  EXPECT_EQ(send("GET", "/health", "", "").body, R"({"status":"available"})");
  EXPECT_EQ(send("GET", "/version", "", "").status, 401);
  EXPECT_EQ(*json(send("GET", "/version")).find("pkgVersion"), Json("1.50.0"));
  EXPECT_EQ(send("GET", "/_miroir/ready", "", "").status, 200);
}

TEST_F(ProxyTest, ItIsNotReadyWithoutAWholeGroup) {
  for (const char* node : {"a0", "b1"})
    ASSERT_TRUE(world.await(world.cluster().set_state(node, ReplicaState::kStale, "test")));
  const http::Response response = send("GET", "/_miroir/ready", "", "");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, R"({"ready":false})");
}

TEST_F(ProxyTest, IndexesThatASwapFailedOnAreNotReadThereUntilAPassHealedThem) {
  for (const char* index : {"books", "films"}) {
    ended(send("POST", "/indexes/" + std::string(index) + "/documents",
               R"([{"id":"1","v":")" + std::string(index) + R"("}])"));
  }
  const std::string owner = world.topology().owner(1, world.topology().shard_of(slot_of("1")));
  const auto answering = [&] {
    std::set<std::string> nodes;
    world.answer_read = [&](const std::string& node, const http::ClientRequest&) {
      nodes.insert(node);
      return std::nullopt;
    };
    for (int i = 0; i < 6; ++i) {
      EXPECT_EQ(*json(send("GET", "/indexes/books/documents/1")).find("v"), Json("films"));
    }
    world.answer_read = nullptr;
    return nodes;
  };
  const Position swap = world.log().head() + 1;
  world.nodes.at(owner)->fail_alone([swap](std::string_view metadata) {
    const auto mark = parse_task_metadata(metadata);
    return mark && mark->position == swap;
  });
  ended(send("POST", "/swap-indexes", R"([{"indexes":["books","films"]}])"));
  ASSERT_TRUE(world.run_until([this] { return world.all_done(); }));
  EXPECT_FALSE(answering().contains(owner));
  ASSERT_TRUE(world.await(reconciler->pass(PassKind::kLight, std::nullopt)));
  EXPECT_TRUE(answering().contains(owner));
}

TEST_F(ProxyTest, WhatIsNoRouteHasNoBody) {
  EXPECT_EQ(send("GET", "/nothing").status, 404);
  EXPECT_EQ(send("GET", "/nothing", "", "").status, 404);
  EXPECT_EQ(send("PATCH", "/indexes").status, 405);
  EXPECT_EQ(send("PATCH", "/indexes").body, "");
}

// Every route that is not open asks for a key before anything else.
TEST_F(ProxyTest, NothingIsServedWithoutAKey) {
  for (const auto& [method, path] : std::vector<std::pair<const char*, const char*>>{
           {"GET", "/indexes"},
           {"POST", "/indexes"},
           {"GET", "/indexes/m"},
           {"PATCH", "/indexes/m"},
           {"DELETE", "/indexes/m"},
           {"POST", "/swap-indexes"},
           {"GET", "/indexes/m/documents"},
           {"POST", "/indexes/m/documents"},
           {"PUT", "/indexes/m/documents"},
           {"DELETE", "/indexes/m/documents"},
           {"POST", "/indexes/m/documents/fetch"},
           {"POST", "/indexes/m/documents/delete"},
           {"POST", "/indexes/m/documents/delete-batch"},
           {"GET", "/indexes/m/documents/1"},
           {"DELETE", "/indexes/m/documents/1"},
           {"GET", "/indexes/m/search"},
           {"POST", "/indexes/m/search"},
           {"POST", "/indexes/m/facet-search"},
           {"POST", "/multi-search"},
           {"GET", "/indexes/m/settings"},
           {"PATCH", "/indexes/m/settings"},
           {"DELETE", "/indexes/m/settings"},
           {"GET", "/indexes/m/settings/stop-words"},
           {"PUT", "/indexes/m/settings/stop-words"},
           {"DELETE", "/indexes/m/settings/stop-words"},
           {"GET", "/indexes/m/stats"},
           {"GET", "/stats"},
           {"GET", "/tasks"},
           {"GET", "/tasks/1"},
           {"POST", "/tasks/cancel"},
           {"DELETE", "/tasks"},
           {"GET", "/keys"},
           {"POST", "/keys"},
           {"GET", "/keys/x"},
           {"PATCH", "/keys/x"},
           {"DELETE", "/keys/x"},
           {"GET", "/experimental-features"}}) {
    const Position before = world.log().head();
    EXPECT_EQ(code(send(method, path, "{}", "")), "missing_authorization_header") << method << path;
    EXPECT_EQ(code(send(method, path, "{}", "wrong")), "invalid_api_key") << method << path;
    EXPECT_EQ(world.log().head(), before);
  }
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"GET", "topology"},
                                                        {"GET", "shards"},
                                                        {"GET", "metrics"},
                                                        {"POST", "anti-entropy/start"},
                                                        {"GET", "anti-entropy/status"},
                                                        {"GET", "anti-entropy/divergence"},
                                                        {"POST", "anti-entropy/pause"},
                                                        {"POST", "anti-entropy/resume"},
                                                        {"GET", "anti-entropy/passes"},
                                                        {"GET", "anti-entropy/repairs"}}) {
    const std::string target = std::string("/_miroir/") + path;
    EXPECT_EQ(code(send(method, target)), "miroir_invalid_auth") << path;
    EXPECT_LT(send(method, target, "", "adminKey").status, 300) << path;
  }
}

TEST_F(ProxyTest, AWriteIsAcceptedAndItsTaskEnds) {
  const Json task = ended(send("POST", "/indexes/movies/documents", R"([{"id":1},{"id":2}])"));
  EXPECT_EQ(*task.find("status"), Json("succeeded"));
  EXPECT_EQ(*task.find("type"), Json("documentAdditionOrUpdate"));
  EXPECT_EQ(*json(send("GET", "/indexes/movies/documents/2")).find("id"), Json(2));
  EXPECT_EQ(send("GET", "/indexes/movies/documents/2").body, R"({"id":2})");
  const Json indexes = json(send("GET", "/indexes"));
  EXPECT_EQ(*indexes.find("total"), Json(1));
  EXPECT_EQ(*indexes.find("results")->as_array()[0].find("primaryKey"), Json("id"));
}

TEST_F(ProxyTest, ErrorsHaveMeilisearchsShape) {
  const Json error = json(send("GET", "/indexes/nothing"));
  ASSERT_TRUE(error.is_object());
  EXPECT_EQ(*error.find("code"), Json("index_not_found"));
  EXPECT_EQ(*error.find("type"), Json("invalid_request"));
  EXPECT_EQ(*error.find("message"), Json("Index `nothing` not found."));
  EXPECT_NE(error.find("link"), nullptr);
  EXPECT_EQ(error.size(), 4u);
  EXPECT_EQ(json(proxy->refuse(413, "1 byte")).find("code")->as_string(), "payload_too_large");
  EXPECT_EQ(proxy->refuse(503, "too much").status, 503);
}

TEST_F(ProxyTest, AKeySeesAndChangesItsOwnIndexesOnly) {
  ended(send("POST", "/indexes/movies/documents", R"({"id":1})"));
  const http::Response others = send("POST", "/indexes/books/documents", R"({"id":1})");
  ended(others);
  const std::string key = make_key(R"(["*"])", R"(["movies"])");
  EXPECT_EQ(*json(send("GET", "/indexes", "", key)).find("total"), Json(1));
  EXPECT_EQ(send("POST", "/indexes/movies/documents", R"({"id":2})", key).status, 202);
  EXPECT_EQ(send("POST", "/indexes/books/documents", R"({"id":2})", key).status, 403);
  EXPECT_EQ(send("DELETE", "/indexes/bo%6Fks", "", key).status, 403);
  const std::string task = std::to_string(json(others).find("taskUid")->as_uint64());
  EXPECT_EQ(code(send("GET", "/tasks/" + task, "", key)), "task_not_found");
  EXPECT_EQ(send("GET", "/tasks/" + task).status, 200);
  for (const Json& each : json(send("GET", "/tasks", "", key)).find("results")->as_array())
    EXPECT_EQ(*each.find("indexUid"), Json("movies"));
}

TEST_F(ProxyTest, AKeyThatMayOnlyAddDocumentsMakesNoIndex) {
  const std::string key = make_key(R"(["documents.add","tasks.get"])", R"(["*"])");
  const Json task = ended(send("POST", "/indexes/movies/documents", R"({"id":1})", key));
  EXPECT_EQ(*task.find("error")->find("code"), Json("index_not_found"));
  EXPECT_EQ(send("GET", "/indexes/movies").status, 404);
}

TEST_F(ProxyTest, KeysAreMadeShownChangedAndRemoved) {
  const std::string key = make_key(R"(["search"])", R"(["*"])");
  const Json shown = json(send("GET", "/keys/" + key));
  const std::string uid = shown.find("uid")->as_string();
  EXPECT_EQ(*shown.find("key"), Json(meili::derive_key("nodesMaster", uid)));
  EXPECT_EQ(*json(send("GET", "/keys/" + uid)).find("key"), Json(key));
  EXPECT_EQ(*json(send("PATCH", "/keys/" + uid, R"({"name":"n"})")).find("name"), Json("n"));
  EXPECT_EQ(*json(send("GET", "/keys")).find("total"), Json(3));  // two are there from the start
  EXPECT_EQ(send("DELETE", "/keys/" + key).status, 204);
  EXPECT_EQ(code(send("GET", "/keys/" + uid)), "api_key_not_found");
  EXPECT_EQ(code(send("GET", "/indexes/m/search", "", key)), "invalid_api_key");
}

TEST_F(ProxyTest, TheMasterKeyNeverTravelsAClientsKeyDoes) {
  std::vector<std::string> carried;
  world.answer_read =
      [&](const std::string&,
          const http::ClientRequest& request) -> std::optional<Result<http::Response>> {
    const std::string* value = request.headers.find("Authorization");
    carried.push_back(value == nullptr ? "nothing" : *value);
    return http::json_response(200, R"({"id":1})");
  };
  send("GET", "/indexes/m/documents/1");
  const std::string key = make_key(R"(["*"])", R"(["*"])");
  send("GET", "/indexes/m/documents/1", "", key);
  EXPECT_EQ(carried, (std::vector<std::string>{"nothing", "Bearer " + key}));
}

TEST_F(ProxyTest, AGroupThatFellShortIsNamed) {
  EXPECT_EQ(send("POST", "/indexes/m/documents", R"({"id":1})").headers.find("X-Miroir-Degraded"),
            nullptr);
  ASSERT_TRUE(world.await(world.cluster().set_state("b0", ReplicaState::kStale, "test")));
  EXPECT_NE(send("POST", "/indexes/m/documents", R"({"id":2})").headers.find("X-Miroir-Degraded"),
            nullptr);
}

TEST_F(ProxyTest, WhatMakesAResultDependOnOneReplicaIsNotSupported) {
  for (const auto& [method, path] :
       std::vector<std::pair<const char*, const char*>>{{"POST", "/indexes/m/documents/edit"},
                                                        {"POST", "/indexes/m/similar"},
                                                        {"POST", "/dumps"},
                                                        {"POST", "/snapshots"},
                                                        {"PATCH", "/experimental-features"},
                                                        {"PATCH", "/network"}}) {
    const http::Response response = send(method, path, "{}");
    EXPECT_EQ(response.status, 400) << path;
    EXPECT_EQ(code(response), "miroir_not_supported") << path;
  }
}

TEST_F(ProxyTest, SettingsAreShownAsClientsMadeThem) {
  ended(send("PATCH", "/indexes/m/settings", R"({"filterableAttributes":["genre"]})"));
  world.answer_read =
      [](const std::string&,
         const http::ClientRequest& request) -> std::optional<Result<http::Response>> {
    const char* rules = R"([{"attributePatterns":["_miroir_*"]},"genre"])";
    if (request.target.ends_with("/settings"))
      return http::json_response(200, std::string(R"({"filterableAttributes":)") + rules + "}");
    return http::json_response(200, rules);
  };
  EXPECT_EQ(send("GET", "/indexes/m/settings").body, R"({"filterableAttributes":["genre"]})");
  EXPECT_EQ(send("GET", "/indexes/m/settings/filterable-attributes").body, R"(["genre"])");
  world.answer_read = [](const std::string&,
                         const http::ClientRequest&) -> std::optional<Result<http::Response>> {
    return http::json_response(200, "[garbage]");
  };
  EXPECT_EQ(send("GET", "/indexes/m/settings").status, 500);
}

TEST_F(ProxyTest, TheTopologyTellsWhoIsWhere) {
  const Json topology = json(send("GET", "/_miroir/topology", "", "adminKey"));
  EXPECT_EQ(*topology.find("shards"), Json(8));
  EXPECT_EQ(topology.find("nodes")->size(), 4u);
  const Json& node = topology.find("nodes")->as_array()[0];
  EXPECT_EQ(*node.find("state"), Json("in_sync"));
  EXPECT_EQ(*node.find("healthy"), Json(true));
  const Json shards = json(send("GET", "/_miroir/shards", "", "adminKey"));
  ASSERT_EQ(shards.find("shards")->size(), 8u);
  EXPECT_EQ(*shards.find("shards")->as_array()[7].find("lastSlot"), Json(65'535));
  EXPECT_EQ(shards.find("shards")->as_array()[0].find("owners")->size(), 2u);
}

TEST_F(ProxyTest, PassesAreStartedWatchedAndListed) {
  auto start = [&](const char* body) {
    return send("POST", "/_miroir/anti-entropy/start", body, "adminKey");
  };
  EXPECT_EQ(start(R"({"kind":"medium"})").status, 400);
  EXPECT_EQ(start(R"({"kindd":"deep"})").status, 400);
  EXPECT_EQ(start(R"({"wait":1})").status, 400);
  EXPECT_EQ(start("[").status, 400);
  EXPECT_EQ(start("").status, 202);
  for (const char* path : {"status", "passes", "repairs", "passes?limit=1", "repairs?pass=1"}) {
    const std::string target = std::string("/_miroir/anti-entropy/") + path;
    EXPECT_EQ(send("GET", target, "", "adminKey").status, 200) << path;
  }
  EXPECT_EQ(send("GET", "/_miroir/anti-entropy/passes?limit=x", "", "adminKey").status, 400);
  EXPECT_EQ(code(send("POST", "/_miroir/anti-entropy/approve")), "miroir_invalid_auth");
  for (const char* wrong :
       {"", "{}", R"({"pass":"1"})", R"({"pass":0})", R"({"pass":1,"x":1})",
        R"({"pass":18446744073709551615})", R"({"pass":1})"}) {  // nothing waits
    EXPECT_EQ(send("POST", "/_miroir/anti-entropy/approve", wrong, "adminKey").status, 400)
        << wrong;
  }
}

TEST_F(ProxyTest, RequestsAreCountedByTheirTemplate) {
  send("GET", "/indexes/some-name");
  send("GET", "/indexes/other-name");
  const std::string text = metrics();
  const std::size_t at = text.find("miroir_requests_total{");
  ASSERT_NE(at, std::string::npos);
  EXPECT_NE(text.find("path_template=\"/indexes/{uid}\""), std::string::npos);
  EXPECT_EQ(text.find("some-name"), std::string::npos);
  EXPECT_NE(text.find("miroir_requests_in_flight 0"), std::string::npos);
  EXPECT_EQ(send("GET", "/_miroir/metrics", "", "adminKey").status, 200);
}

TEST_F(ProxyTest, MetricsHaveTheirOwnPortAndNoKey) {
  MetricsHandler handler(world.process->metrics);
  auto status = [&](const char* method, const char* path) {
    http::Request request;
    request.method = method;
    request.target = request.path = path;
    const auto refused = world.await(handler.admit(request));
    return refused ? refused->status : world.await(handler.handle(request)).status;
  };
  EXPECT_EQ(status("GET", "/metrics"), 200);
  EXPECT_EQ(status("GET", "/"), 404);
  EXPECT_EQ(status("POST", "/metrics"), 405);
  const std::string text = world.await(handler.handle({})).body;
  for (const char* name :
       {"miroir_antientropy_shards_scanned_total", "miroir_antientropy_mismatches_found_total",
        "miroir_antientropy_docs_repaired_total", "miroir_antientropy_last_scan_completed_seconds",
        "miroir_node_healthy", "miroir_forwarder_lag_entries", "miroir_log_position",
        "miroir_scatter_retries_total", "miroir_degraded_shards_total"}) {
    EXPECT_NE(text.find(name), std::string::npos) << name;
  }
}

TEST_F(ProxyTest, TasksAreFilteredCancelledAndForgotten) {
  const http::Response first = send("POST", "/indexes/m/documents", R"({"id":1})");
  ended(first);
  ended(send("DELETE", "/indexes/nothing"));
  EXPECT_EQ(*json(send("GET", "/tasks?statuses=failed")).find("total"), Json(1));
  EXPECT_EQ(*json(send("GET", "/tasks?types=documentAdditionOrUpdate")).find("total"), Json(1));
  EXPECT_EQ(*json(send("GET", "/tasks?limit=1")).find("results")->as_array().front().find("type"),
            Json("indexDeletion"));
  EXPECT_EQ(code(send("GET", "/tasks?statuses=odd")), "invalid_task_statuses");
  EXPECT_EQ(code(send("GET", "/tasks?uids=x")), "invalid_task_uids");
  EXPECT_EQ(code(send("GET", "/tasks?odd=1")), "bad_request");
  EXPECT_EQ(code(send("POST", "/tasks/cancel")), "missing_task_filters");
  EXPECT_EQ(code(send("DELETE", "/tasks")), "missing_task_filters");
  const std::string uid = std::to_string(json(first).find("taskUid")->as_uint64());
  EXPECT_EQ(send("POST", "/tasks/cancel?uids=" + uid).status, 200);
  const Json deleted = ended(send("DELETE", "/tasks?uids=" + uid));
  EXPECT_EQ(*deleted.find("details")->find("deletedTasks"), Json(1));
  EXPECT_EQ(code(send("GET", "/tasks/" + uid)), "task_not_found");
}

}  // namespace
}  // namespace miroir
