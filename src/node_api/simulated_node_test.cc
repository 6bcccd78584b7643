#include "node_api/simulated_node_test.h"

#include <functional>

#include "node_api/field_names_fake.h"

namespace miroir {
namespace {

WriteDocuments write_of(std::string ndjson, bool merge = false) {
  return {.index_uid = "i", .primary_key = "id", .merge = merge, .ndjson = std::move(ndjson)};
}

class SimulatedNodeTest : public SimulatedNodeFixture {
 protected:
  Result<Enqueued> enqueue(NodeWrite write, TaskUid uid) {
    return run(client_.enqueue(std::move(write), uid, "miroir:1", soon()));
  }
  std::string document(const std::string& id) { return node_.documents("i")[id]; }
  NodeTask task(TaskUid uid) { return node_.disk().tasks.at(uid).task; }
};

TEST_F(SimulatedNodeTest, NumbersAreTakenOnceAndMaySkipAhead) {
  EXPECT_EQ(enqueue(write_of("{\"id\":1}"), 5)->uid, 5u);
  EXPECT_EQ(enqueue(write_of("{\"id\":2}"), 5).error().code, ErrorCode::kConflict);
  EXPECT_EQ(enqueue(write_of("{\"id\":2}"), 3).error().code, ErrorCode::kConflict);
  EXPECT_EQ(node_.enqueue(ClearDocuments{"i"}, std::nullopt, "")->uid, 6u) << "a foreign write";
  EXPECT_EQ(enqueue(write_of("{\"id\":2}"), 9)->uid, 9u);
  EXPECT_EQ(run(client_.newest_task(soon())).value()->uid, 9u);
  const auto tasks = run(client_.tasks(5, 8, 10, soon())).value();
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_EQ(tasks[0].custom_metadata, "miroir:1");
  EXPECT_EQ(run(client_.tasks(0, 100, 1, soon()))->front().uid, 5u);
}

TEST_F(SimulatedNodeTest, PostReplacesAndPutMerges) {
  enqueue(write_of(R"({"id":1,"a":1,"b":{"c":1}})"), 0).value();
  enqueue(write_of(R"({"id":"1","b":{"d":null}})", true), 1).value();
  enqueue(write_of(R"({"id":2,"x":1e2})", true), 2).value();
  auto skipping = write_of(R"({"id":3})", true);
  skipping.skip_creation = true;
  enqueue(skipping, 3).value();
  EXPECT_TRUE(node_.documents("i").empty()) << "nothing happens before the task runs";
  node_.settle();
  EXPECT_EQ(document("1"), R"({"id":"1","a":1,"b":{"d":null}})");
  EXPECT_EQ(document("2"), R"({"id":2,"x":100.0})") << "a fragment, numbers as the node reads them";
  EXPECT_FALSE(node_.documents("i").contains("3"));
  enqueue(write_of(R"({"id":1,"z":0})"), 4).value();
  node_.settle();
  EXPECT_EQ(document("1"), R"({"id":1,"z":0})");
}

TEST_F(SimulatedNodeTest, ANameIsGivenThoughTheKeyIsRefused) {
  enqueue(write_of("{\"id\":1}"), 0).value();
  enqueue(UpdateIndex{"i", "sku", "j"}, 1).value();
  node_.settle();
  EXPECT_EQ(task(1).status, "failed");
  EXPECT_EQ(node_.documents("i").size(), 0u);
  EXPECT_EQ(node_.documents("j").size(), 1u);
  EXPECT_EQ(node_.disk().indexes.at("j").primary_key, "id");
}

TEST_F(SimulatedNodeTest, OneBatchHasOneFate) {
  node_.fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.uid % 2 == 1) return "invalid_document_geo_field";
    return std::nullopt;
  });
  enqueue(write_of(R"({"id":1})"), 0).value();
  enqueue(write_of(R"({"id":2})"), 1).value();
  node_.settle();
  EXPECT_EQ(task(0).status, "failed");
  EXPECT_EQ(task(1).status, "failed");
  EXPECT_TRUE(node_.documents("i").empty());
  enqueue(write_of(R"({"id":1})"), 2).value();
  ASSERT_TRUE(node_.process_next_batch());
  enqueue(write_of(R"({"id":2})"), 3).value();
  node_.settle();
  EXPECT_EQ(task(2).status, "succeeded") << "batched apart, it lives";
  EXPECT_EQ(node_.documents("i").size(), 1u);
}

TEST_F(SimulatedNodeTest, WhatFailsWhereverItRunsFailsAlone) {
  node_.fail_alone([](std::string_view metadata) { return metadata == "miroir:1"; });
  enqueue(write_of(R"({"id":1})"), 0).value();
  node_.enqueue(write_of(R"({"id":2})"), 1, "").value();
  node_.settle();
  EXPECT_EQ(task(0).status, "failed");
  EXPECT_EQ(task(1).status, "succeeded");
}

TEST_F(SimulatedNodeTest, TheJournalKnowsWhatReachedTheReader) {
  ReadJournal journal;
  SimulatedNodeClient reader(node_, clock_, random_, network_, &journal);
  enqueue(write_of(R"({"id":"1"})"), 0).value();
  node_.settle();
  run(reader.documents({.index_uid = "i", .ids = {"1", "2"}}, soon())).value();
  ASSERT_EQ(journal.documents.size(), 2u);
  EXPECT_TRUE((journal.documents[{"i", "1"}].document));
  EXPECT_FALSE((journal.documents[{"i", "2"}].document));
  network_.lose_answer = 1;
  EXPECT_FALSE(run(reader.documents({.index_uid = "i", .ids = {"3"}}, soon())));
  EXPECT_FALSE(run(reader.digests("i", {{}}, soon())));
  EXPECT_EQ(journal.documents.size(), 2u);
  EXPECT_TRUE(journal.digests.empty());
  network_ = {};
  run(reader.digests("i", {{}}, soon())).value();
  EXPECT_EQ(journal.digests["i"], clock_.now());
}

TEST_F(SimulatedNodeTest, ABadDocumentFailsItsWholeTaskAndNoOther) {
  enqueue(write_of(R"({"id":1})"), 0).value();
  enqueue(write_of("{\"id\":2}\n{\"id\":\"not valid!\"}"), 1).value();
  node_.settle();
  EXPECT_EQ(task(0).status, "succeeded");
  EXPECT_EQ(task(1).status, "failed");
  EXPECT_EQ(node_.documents("i").size(), 1u);
}

TEST_F(SimulatedNodeTest, ConditionalDeletesAreJudgedWhenTheyRun) {
  const auto stored = [](Stamp stamp) {
    std::string text;
    append_spliced(text, R"({"id":1})", fields_of_whole_write("1", stamp, 0, kNames));
    return write_of(text);
  };
  const DeleteExactCopies erase{"i", "id", {{"1", slot_of("1"), 10}}};
  enqueue(stored(10), 0).value();
  enqueue(stored(11), 1).value();
  enqueue(erase, 2).value();
  node_.settle();
  EXPECT_EQ(node_.documents("i").size(), 1u);
  EXPECT_EQ(*task(2).details.find("deletedDocuments"), Json(0));
  enqueue(stored(10), 3).value();
  enqueue(erase, 4).value();
  node_.settle();
  EXPECT_TRUE(node_.documents("i").empty());
}

TEST_F(SimulatedNodeTest, CreationTimeTravelsWithASwap) {
  enqueue(CreateIndex{"a", "id"}, 0).value();
  node_.settle();
  clock_.advance(Seconds(5));
  enqueue(CreateIndex{"b", std::nullopt}, 1).value();
  enqueue(SwapIndexes{{{"a", "b", false}}}, 2).value();
  node_.settle();
  const auto indexes = run(client_.indexes(soon())).value();
  ASSERT_EQ(indexes.size(), 2u);
  EXPECT_GT(indexes[0].created_at, indexes[1].created_at);
  EXPECT_EQ(indexes[1].primary_key, "id");
}

TEST_F(SimulatedNodeTest, DigestsAndQueriesReadTheSameDocuments) {
  std::string ndjson;
  for (int i = 0; i < 50; ++i) {
    const std::string id = std::to_string(i);
    append_spliced(ndjson, R"({"id":)" + id + R"(,"color":"red"})",
                   fields_of_whole_write(id, 1000, 0, kNames));
    ndjson += '\n';
  }
  enqueue(write_of(ndjson), 0).value();
  node_.settle();
  node_.write_directly("i", "foreign", *parse_json(R"({"id":"foreign","color":"blue"})"));
  const auto digests =
      run(client_.digests("i", {{}, {0, 0x7FFF}, {0x8000, 0xFFFF}}, soon())).value();
  EXPECT_EQ(digests[0].documents(), 50u);
  DigestCounts halves = digests[1];
  halves += digests[2];
  EXPECT_EQ(halves, digests[0]);
  const auto count = [&](const std::function<void(DocumentQuery&)>& narrow) {
    DocumentQuery query{.index_uid = "i"};
    narrow(query);
    return run(client_.documents(query, soon()))->total;
  };
  EXPECT_EQ(count([](DocumentQuery&) {}), 51u);
  EXPECT_EQ(count([](DocumentQuery& query) { query.unmarked = true; }), 1u);
  EXPECT_EQ(count([](DocumentQuery& query) { query.filter = "color = blue"; }), 1u);
  EXPECT_EQ(count([](DocumentQuery& query) { query.ids = {"1", "2", "absent"}; }), 2u);
  EXPECT_EQ(count([](DocumentQuery& query) { query.slots = {{0, 0x7FFF}}; }),
            digests[1].documents());
  EXPECT_EQ(count([](DocumentQuery& query) { query.symbols[0] = {digest_of("7", 1000)[0]}; }),
            digests[0].counts[0][digest_of("7", 1000)[0]]);
  DocumentQuery fields{.index_uid = "i", .ids = {"3"}, .fields = {"color"}};
  EXPECT_EQ(run(client_.documents(fields, soon()))->documents[0], R"({"color":"red"})");
  EXPECT_EQ(run(client_.documents({.index_uid = "no"}, soon())).error().code, ErrorCode::kNotFound);
}

TEST_F(SimulatedNodeTest, ALostAnswerIsDoneAndALostRequestIsNot) {
  network_.lose_answer = 1;
  EXPECT_EQ(enqueue(ClearDocuments{"i"}, 0).error().code, ErrorCode::kTimeout);
  EXPECT_EQ(node_.disk().next_uid, 1u);
  network_ = {.lose_request = 1};
  EXPECT_EQ(enqueue(ClearDocuments{"i"}, 1).error().code, ErrorCode::kTimeout);
  EXPECT_EQ(node_.disk().next_uid, 1u);
  network_ = {.refuse = 1};
  EXPECT_EQ(enqueue(ClearDocuments{"i"}, 1).error().code, ErrorCode::kUnavailable);
}

TEST_F(SimulatedNodeTest, ALateOrDoubledRequestIsRefusedByItsNumber) {
  network_.delay_request = 1;
  EXPECT_EQ(enqueue(write_of(R"({"id":1,"v":"old"})"), 0).error().code, ErrorCode::kTimeout);
  network_ = {.duplicate = 1};
  enqueue(write_of(R"({"id":1,"v":"new"})"), 0).value();
  clock_.advance(Seconds(60));
  node_.catch_up();
  EXPECT_EQ(node_.disk().tasks.size(), 1u);
  node_.settle();
  EXPECT_EQ(document("1"), R"({"id":1,"v":"new"})");
}

TEST_F(SimulatedNodeTest, ADeletionOfTasksLeavesThoseThatCameAfterIt) {
  enqueue(ForgetTasks{.first = 0, .before = 4}, 0).value();
  node_.make_task("snapshotCreation");
  node_.settle();
  EXPECT_TRUE(node_.disk().tasks.contains(1));
}

TEST_F(SimulatedNodeTest, ALateRequestLandsWhereItsNumberIsFree) {
  network_.delay_request = 1;
  EXPECT_FALSE(enqueue(write_of(R"({"id":1})"), 4));
  clock_.advance(Seconds(60));
  node_.catch_up();
  EXPECT_EQ(node_.disk().next_uid, 5u);
}

TEST_F(SimulatedNodeTest, DisksFillAreWipedAndComeBackOlder) {
  enqueue(write_of(R"({"id":1})"), 0).value();
  node_.settle();
  const SimulatedNode::Disk copy = node_.snapshot();
  enqueue(write_of(R"({"id":2})"), 1).value();
  node_.settle();
  node_.options().full = true;
  EXPECT_EQ(enqueue(ClearDocuments{"i"}, 2).error().code, ErrorCode::kUnavailable);
  node_.options().full = false;
  node_.restore(copy);
  EXPECT_EQ(node_.documents("i").size(), 1u);
  EXPECT_EQ(enqueue(write_of(R"({"id":3})"), 1)->uid, 1u) << "the number is free again";
  node_.wipe();
  EXPECT_FALSE(run(client_.newest_task(soon())).value().has_value());
}

TEST_F(SimulatedNodeTest, ToldFailuresAndForeignHandsAreScripted) {
  node_.fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.uid == 0) return "invalid_document_geo_field";
    return std::nullopt;
  });
  enqueue(write_of(R"({"id":1})"), 0).value();
  node_.settle();
  EXPECT_EQ(*task(0).error.find("code"), Json("invalid_document_geo_field"));
  enqueue(write_of(R"({"id":1,"_miroir_updated_at":"s","v":1})"), 1).value();
  node_.settle();
  EXPECT_TRUE(node_.corrupt("i", "1", "v", 2));
  EXPECT_EQ(document("1"), R"({"id":1,"_miroir_updated_at":"s","v":2})");
  EXPECT_FALSE(node_.corrupt("i", "9", "v", 2));
  node_.delete_directly("i", "1");
  EXPECT_TRUE(node_.documents("i").empty());
}

TEST_F(SimulatedNodeTest, TasksEndByThemselvesAsTimePasses) {
  SimulatedNode node(clock_, 3, {});
  node.enqueue(write_of(R"({"id":1})"), 0, "").value();
  clock_.advance(Seconds(1));
  node.catch_up();
  EXPECT_EQ(node.disk().tasks.at(0).task.status, "succeeded");
}

TEST_F(SimulatedNodeTest, KeysKeepWhatTheyMayDo) {
  const auto put = [&](const char* name, const char* action) {
    return run(
        client_.put_key(Json::object({{"uid", "u"}, {"name", name}, {"actions", action}}), soon()));
  };
  ASSERT_TRUE(put("a", "search"));
  ASSERT_TRUE(put("b", "*"));
  const auto keys = run(client_.keys(soon())).value();
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(*keys[0].find("name"), Json("b"));
  EXPECT_EQ(*keys[0].find("actions"), Json("search"));
  ASSERT_TRUE(run(client_.delete_key("u", soon())));
  ASSERT_TRUE(run(client_.delete_key("u", soon())));
  EXPECT_TRUE(run(client_.keys(soon()))->empty());
}

TEST_F(SimulatedNodeTest, ACrashOfTheCallerLeavesTheNodeWhole) {
  {
    boost::asio::io_context process;
    boost::asio::co_spawn(process, client_.enqueue(ClearDocuments{"i"}, 0, "", soon()),
                          [](std::exception_ptr, Result<Enqueued>) {});
    process.poll();
    clock_.advance(Milliseconds(6));
    process.restart();
    process.poll();  // arrived; the answer is on its way
  }
  EXPECT_EQ(node_.disk().tasks.size(), 1u);
  clock_.advance(Seconds(1));
  EXPECT_EQ(clock_.sleepers(), 0u);
}

TEST_F(SimulatedNodeTest, TheSameSeedMakesTheSameHistory) {
  const auto history = [&] {
    SimulatedNode node(clock_, 7, {.task_failure = 0.5});
    std::string out;
    for (TaskUid uid = 0; uid < 40; ++uid)
      node.enqueue(write_of("{\"id\":" + std::to_string(uid) + "}"), uid, "").value();
    node.settle();
    for (const auto& [uid, queued] : node.disk().tasks) out += queued.task.status[0];
    return out;
  };
  const std::string first = history();
  EXPECT_EQ(first, history());
  EXPECT_NE(first.find('f'), std::string::npos);
  EXPECT_NE(first.find("s"), std::string::npos);
}

}  // namespace
}  // namespace miroir
