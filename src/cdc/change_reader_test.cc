#include "cdc/stream_world_test.h"
#include "log/rows.h"

namespace miroir::cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ChangeReaderTest : public StreamWorldTest {
 protected:
  std::vector<std::string> told(Selection selection = {}) { return brief(all(selection)); }
  bool owned_by(const std::vector<std::string>& owners, const std::string& id) {
    return world.topology().owners(world.topology().shard_of(slot_of(id))) == owners;
  }
  // Tasks of that entry fail on these nodes.
  void fail_on(std::set<std::string> nodes, Position position) {
    for (auto& [id, node] : world.nodes) {
      if (!nodes.contains(id)) continue;
      node->fail_tasks([position](const NodeTask& task) -> std::optional<std::string> {
        if (task.uid == position) return "internal";
        return std::nullopt;
      });
    }
  }
};

TEST_F(ChangeReaderTest, EveryClientWriteIsAnEventInOrder) {
  start();
  world.create_index("books");
  world.write("books", {"1", "2"}, "a");
  world.write("books", {"2"}, "b", EntryKind::kMergeDocuments);
  world.remove("books", {"1"});
  world.clear("books");
  ASSERT_TRUE(settles());
  const std::vector<Json> events = all();
  EXPECT_THAT(brief(events), ElementsAre("createIndex books", "write 1", "write 2", "merge 2",
                                         "delete 1", "clear books"));
  EXPECT_EQ(to_text(*events[2].find("body")), R"({"id":"2","v":"a"})");
  EXPECT_EQ(to_text(*events[3].find("body")), R"({"id":"2","m":"b"})");
  for (std::size_t i = 1; i < events.size(); ++i) {
    EXPECT_GE(events[i].find("position")->as_uint64(), events[i - 1].find("position")->as_uint64());
  }
}

TEST_F(ChangeReaderTest, AnEventIsGivenWhenTheTaskHasEnded) {
  start();
  world.await_task(world.create_index("books"));
  for (auto& [id, node] : world.nodes) node->options().automatic = false;
  world.write("books", {"1", "2", "3", "4"}, "a");
  world.run_for(Seconds(30));
  EXPECT_THAT(told(), ElementsAre("createIndex books"));
  for (auto& [id, node] : world.nodes) node->options().automatic = true;
  ASSERT_TRUE(settles());
  EXPECT_EQ(told().size(), 5U);
}

TEST_F(ChangeReaderTest, ANodeThatIsAwayHoldsNothingUpWhileAnotherHasIt) {
  start();
  world.await_task(world.create_index("books"));
  world.nodes.at("b0")->options().down = world.nodes.at("b1")->options().down = true;
  world.write("books", {"1", "2", "3", "4"}, "a");
  ASSERT_TRUE(settles());
  EXPECT_EQ(told().size(), 5U);
}

TEST_F(ChangeReaderTest, AnIndexOperationThatFailsWhileAGroupIsAwayHoldsNothingUp) {
  start();
  world.await_task(world.create_index("books"));
  for (const char* away : {"b0", "b1"}) {
    world.nodes.at(away)->options().down = true;
    ASSERT_TRUE(world.run_until([&] { return !world.cluster().status(away).healthy; }));
  }
  Entry entry;
  entry.kind = EntryKind::kUpdateSettings;
  entry.task_type = "settingsUpdate";
  entry.index_uid = "books";
  entry.arguments = Json::object({{"clientSettings", Json::object()},
                                  {"change", Json::object()},
                                  {"before", Json::object()},
                                  {"previous", 0},
                                  {"settings", Json::object()}});
  fail_on({"a0", "a1"}, world.log().head() + 1);
  const Position failed = world.append(std::move(entry));
  world.write("books", {"1", "2", "3", "4"}, "a");
  EXPECT_EQ(world.await_task(failed).status, "failed");
  world.run_for(Seconds(1));
  EXPECT_EQ(told().size(), 5U);
}

TEST_F(ChangeReaderTest, WhatFailedEverywhereIsNoEvent) {
  start();
  world.await_task(world.create_index("books"));
  fail_on({"a0", "a1", "b0", "b1"}, world.log().head() + 1);
  ASSERT_EQ(world.await_task(world.write("books", {"1", "2", "3"}, "a")).status, "failed");
  Entry born_failed;
  born_failed.kind = EntryKind::kWriteDocuments;
  born_failed.index_uid = "books";
  born_failed.task_type = "documentAdditionOrUpdate";
  born_failed.task_details = Json::object();
  born_failed.born_failed = meili::api_error("invalid_document_id", "no");
  world.append(born_failed);
  world.write("books", {"4"}, "a");
  ASSERT_TRUE(settles());
  EXPECT_THAT(told(), ElementsAre("createIndex books", "write 4"));
}

TEST_F(ChangeReaderTest, OfWhatFailedInPartOnlyTheRestIsAnEvent) {
  start();
  world.await_task(world.create_index("books"));
  const std::vector<std::string> ids = {"1", "2", "3", "4", "5", "6", "7", "8"};
  const std::string a = "a0";
  const std::string b = "b0";
  fail_on({a, b}, world.log().head() + 1);
  ASSERT_EQ(world.await_task(world.write("books", ids, "a")).status, "failed");
  std::vector<std::string> wanted = {"createIndex books"};
  for (const std::string& id : ids) {
    const bool failed =
        world.topology().owns(a, slot_of(id)) && world.topology().owns(b, slot_of(id));
    if (!failed) wanted.push_back("write " + id);
  }
  ASSERT_LT(wanted.size(), 9U);
  ASSERT_GT(wanted.size(), 1U);
  EXPECT_EQ(told(), wanted);
  // The same from the outcomes alone, once the client deleted the task.
  ASSERT_TRUE(world.await(world.log().forget_tasks({world.log().head()})));
  EXPECT_EQ(told(), wanted);
}

// Its nodes are given copies, but never the entry.
TEST_F(ChangeReaderTest, WhatFailedBeforeAGroupWasAddedIsNoEvent) {
  start();
  world.await_task(world.create_index("books"));
  const std::vector<std::string> ids = {"1", "2", "3", "4"};
  fail_on({"a0", "b0"}, world.log().head() + 1);
  ASSERT_EQ(world.await_task(world.write("books", ids, "a")).status, "failed");
  const std::vector<std::string> before = told();
  ASSERT_LT(before.size(), 1 + ids.size());
  crash();
  world.add_group();
  for (const char* late : {"c0", "c1"}) world.nodes.at(late)->options().down = true;
  start();
  EXPECT_EQ(told(), before);
}

TEST_F(ChangeReaderTest, ADeleteByFilterIsTheDeletesThatItBecame) {
  start();
  world.create_index("books");
  world.await_task(world.write("books", {"1", "2", "3"}, "a"));
  for (auto& [id, node] : world.nodes) node->options().down = true;
  const Position deleted = world.remove_by_filter("books", Json("v = a"));
  world.write("books", {"4"}, "a");
  world.run_for(Seconds(30));
  const Page before = read({0, Cursor::kWhole});
  EXPECT_EQ(before.count, 4U);
  EXPECT_EQ(before.next.position, deleted - 1);
  for (auto& [id, node] : world.nodes) node->options().down = false;
  ASSERT_TRUE(settles());
  EXPECT_THAT(brief(events_of(read(before.next))),
              ElementsAre("delete 1", "delete 2", "delete 3", "write 4"));
}

// Until a task has ended it may be cancelled, and so not have happened.
TEST_F(ChangeReaderTest, APartOfATaskWaitsForTheWholeTask) {
  start();
  world.await_task(world.create_index("books"));
  std::string first;
  std::string second;
  for (int i = 0; first.empty() || second.empty(); ++i) {
    const std::string id = std::to_string(i);
    if (owned_by({"a0", "b0"}, id)) first = id;
    if (owned_by({"a1", "b1"}, id)) second = id;
  }
  world.nodes.at("a1")->options().automatic = world.nodes.at("b1")->options().automatic = false;
  const Position task = world.log().head() + 2;
  for (const std::string& id : {first, second}) {
    Entry part;
    part.kind = EntryKind::kWriteDocuments;
    part.index_uid = "books";
    part.task_type = "documentAdditionOrUpdate";
    part.task_details = Json::object();
    part.task = task;
    world.append_records(part, {{slot_of(id), 0, id, R"({"id":")" + id + R"("})"}});
  }
  for (const char* node : {"a0", "b0"})
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status(node).done == task; }));
  world.run_for(Seconds(1));
  EXPECT_THAT(told(), ElementsAre("createIndex books"));
  world.nodes.at("a1")->options().automatic = world.nodes.at("b1")->options().automatic = true;
  ASSERT_TRUE(settles());
  EXPECT_THAT(told(), ElementsAre("createIndex books", "write " + first, "write " + second));
}

TEST_F(ChangeReaderTest, PagesEndAnywhereAndGoOnThere) {
  start();
  world.create_index("books");
  for (int i = 0; i < 5; ++i) world.write("books", {"1", "2", "3"}, std::to_string(i));
  ASSERT_TRUE(settles());
  const std::vector<std::string> whole = told();
  ASSERT_EQ(whole.size(), 16U);
  for (const std::size_t size : {1U, 2U, 4U, 100U})
    EXPECT_EQ(told({.events_max = size}), whole) << size;
  for (const std::size_t size : {1U, 300U, 900U})
    EXPECT_EQ(told({.bytes_max = size}), whole) << size;
  EXPECT_LT(read({0, Cursor::kWhole}, {.bytes_max = 900}).events.size(), 900U);
  // Every event's cursor is the place behind it.
  const std::vector<Json> events = all();
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto at = parse_cursor(events[i].find("cursor")->as_string());
    EXPECT_EQ(events_of(read(at.value())).size(), events.size() - 1 - i);
  }
}

TEST_F(ChangeReaderTest, AnIndexIsReadAlone) {
  start();
  world.create_index("books");
  world.create_index("films");
  world.write("books", {"1"}, "a");
  world.write("films", {"2"}, "a");
  ASSERT_TRUE(settles());
  EXPECT_THAT(told({.index_uid = "films"}), ElementsAre("createIndex films", "write 2"));
  EXPECT_THAT(told({.index_uid = "none"}), IsEmpty());
  EXPECT_EQ(read({0, Cursor::kWhole}, {.index_uid = "none"}).next.position, world.log().head());
}

TEST_F(ChangeReaderTest, WhatTheLogLostIsNamedAndNeverSkipped) {
  start();
  world.create_index("books");
  world.write("books", {"1", "2", "3"}, "a");
  world.write("books", {"4", "5"}, "a");
  ASSERT_TRUE(settles());
  ASSERT_TRUE(world.run_until([this] { return world.all_done(); }));
  const Position trimmed = world.log().head();
  world.clock.set_wall_offset(std::chrono::days(8));
  world.write("books", {"6"}, "a");
  ASSERT_TRUE(settles());
  world.run_for(Seconds(15));

  const Page first = read({0, Cursor::kWhole});
  EXPECT_THAT(brief(events_of(first)), ElementsAre("createIndex books"));
  EXPECT_TRUE(first.more);
  const Page lost = read(first.next);
  EXPECT_EQ(lost.lost, 5U);
  EXPECT_EQ(lost.count, 0U);
  EXPECT_EQ(to_string(lost.next), std::to_string(trimmed));
  EXPECT_THAT(brief(events_of(read(lost.next))), ElementsAre("write 6"));
  // Of an entry that was given in part, the rest.
  EXPECT_EQ(read({2, 1}).lost, 4U);
  // Nothing of another index was lost.
  EXPECT_EQ(read({0, Cursor::kWhole}, {.index_uid = "films"}).lost, 0U);
}

// Nobody knows how much: the positions were given to no entry.
TEST_F(ChangeReaderTest, ThatALogWentBackIsSaidOnce) {
  start();
  world.create_index("books");
  Entry leap;
  leap.origin = Origin::kSystem;
  leap.kind = EntryKind::kTaskOperation;
  leap.position = 1'000'000;
  world.append(std::move(leap));
  world.write("books", {"1"}, "a");
  ASSERT_TRUE(settles());
  const Page first = read({0, Cursor::kWhole});
  EXPECT_THAT(brief(events_of(first)), ElementsAre("createIndex books"));
  EXPECT_TRUE(first.more);
  // Whether or not it was told something of what is lost.
  for (const Cursor place : {first.next, Cursor{500'000, Cursor::kWhole}, Cursor{500'000, 3}}) {
    const Page lost = read(place);
    EXPECT_EQ(lost.lost, 1U);
    EXPECT_EQ(lost.count, 0U);
    const Page rest = read(lost.next);
    EXPECT_EQ(rest.lost, 0U);
    EXPECT_THAT(brief(events_of(rest)), ElementsAre("write 1"));
  }
}

TEST_F(ChangeReaderTest, EntriesThatAreForgottenAreLost) {
  start();
  world.create_index("books");
  for (int i = 0; i < 4; ++i) world.write("books", {"1", "2"}, "a");
  ASSERT_TRUE(settles());
  ASSERT_TRUE(world.run_until([this] { return world.all_done(); }));
  world.run_for(Seconds(15));
  crash();
  MemoryStore::Tables tables = world.store.snapshot();
  for (const Position forgotten : {2U, 3U})
    tables[static_cast<std::size_t>(Table::kEntry)].erase(key_of(forgotten));
  tables[static_cast<std::size_t>(Table::kMeta)][std::string(kForgottenRow)] = key_of(3);
  world.store.restore(std::move(tables));
  start();
  ASSERT_TRUE(settles());
  EXPECT_EQ(read({0, Cursor::kWhole}).count, 1U);
  const Page lost = read({1, Cursor::kWhole});
  EXPECT_EQ(lost.lost, 2U);
  EXPECT_EQ(to_string(lost.next), "3");
  EXPECT_EQ(read(lost.next).count, 4U);
}

// As far as that is known when it is read: nobody waits for it.
TEST_F(ChangeReaderTest, OfASweepThatFailedInPartOnlyTheRestIsAnEvent) {
  cdc.emit_ttl_deletes = true;
  start();
  world.create_index("books");
  const std::vector<std::string> ids = {"1", "2", "3", "4", "5", "6", "7", "8"};
  const Position written = world.write("books", ids, "a");
  world.await_task(written);
  fail_on({"a0", "b0"}, written + 1);
  Entry sweep;
  sweep.origin = Origin::kTtlExpire;
  sweep.kind = EntryKind::kDeleteDocuments;
  sweep.index_uid = "books";
  sweep.arguments = Json::object({{"readAt", written}});
  std::vector<BodyRecord> records;
  std::vector<std::string> wanted;
  for (const std::string& id : ids) {
    records.push_back({slot_of(id), 1, id, ""});
    if (!owned_by({"a0", "b0"}, id)) wanted.push_back("delete " + id);
  }
  world.append_records(sweep, std::move(records));
  ASSERT_TRUE(world.run_until([this] { return world.all_done(); }));
  ASSERT_TRUE(settles());
  ASSERT_LT(wanted.size(), ids.size());
  ASSERT_GT(wanted.size(), 0U);
  EXPECT_EQ(brief(events_of(read({written, Cursor::kWhole}))), wanted);
}

}  // namespace
}  // namespace miroir::cdc
