#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "cluster/own_tasks.h"
#include "cluster/state_reasons.h"
#include "node_api/node_settings.h"
#include "recovery/recovery_world_fake.h"

namespace miroir {
namespace {

TEST_F(RecoveryTest, ALostStoreIsMadeAnewFromTheNodes) {
  const Position head = world_.log().head();
  const auto before = everything();
  restart_on({});
  ASSERT_TRUE(
      world_.run_until([&] { return all_in_sync() && world_.log().catalogue().index("books"); }));
  EXPECT_EQ(everything(), before) << "nothing was changed";
  const IndexState* books = world_.log().catalogue().index("books");
  EXPECT_EQ(books->primary_key, "id");
  EXPECT_EQ(books->born, 0U) << "its documents are older than the log";
  EXPECT_GT(world_.log().head(), head) << "positions go on above the nodes'";

  write("second", 0, 60);
  for (const int group : {0, 1}) {
    const auto documents = world_.documents_of_group(group, "books");
    EXPECT_EQ(documents.size(), 60U);
    EXPECT_NE(documents.at("id1").find("second"), std::string::npos);
  }
  // And the new log knows the nodes again.
  restart_on(world_.store.snapshot());
  world_.run_for(Seconds(30));
  EXPECT_TRUE(all_in_sync());
}

// What is promoted tells of nothing any more, and the log would make its indexes anew.
TEST_F(RecoveryTest, NobodyIsPromotedWhileNodesAreMissing) {
  const auto before = everything();
  for (const char* name : {"b0", "b1"}) world_.nodes.at(name)->options().down = true;
  restart_on({});
  const auto promoted = world_.await(world_.cluster().promote("a0", world_.log().head()));
  ASSERT_FALSE(promoted);
  EXPECT_NE(promoted.error().message.find("the log went back"), std::string::npos)
      << promoted.error().message;
  for (const char* name : {"b0", "b1"}) world_.nodes.at(name)->options().down = false;
  EXPECT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_EQ(everything(), before);
}

TEST_F(RecoveryTest, AnOlderStoreForgetsWhatTheNodesWentOnToDo) {
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  world_.await_task(world_.remove("books", {"id1"}));
  write("second", 2, 5);
  const Position films = world_.create_index("films");
  world_.await_task(films);
  const auto before = everything();
  const Position head = world_.log().head();
  restart_on(yesterday);
  const Position early = world_.write("books", {"id7"}, "before it was noticed");
  ASSERT_TRUE(
      world_.run_until([&] { return all_in_sync() && world_.log().catalogue().index("films"); }));
  EXPECT_GT(world_.log().head(), head);
  EXPECT_EQ(world_.await_task(early).status, "succeeded");
  write("third", 3, 4);
  auto after = everything();
  for (auto& [node, documents] : after) {
    const auto& its = before.at(node);
    EXPECT_EQ(documents.contains("id1"), false) << "nobody holds it";
    for (const auto& [id, text] : its) {
      if (id != "id3" && id != "id7") EXPECT_EQ(documents.at(id), text) << id;
    }
    if (documents.contains("id7"))
      EXPECT_NE(documents.at("id7").find("before it was noticed"), std::string::npos);
    if (documents.contains("id3")) EXPECT_NE(documents.at("id3").find("third"), std::string::npos);
  }
}

// The last that they were given was no document's: nothing but their indexes is against them.
TEST_F(RecoveryTest, NodesThatTellNothingAreTakenWithThoseThatDo) {
  world_.crash();
  for (const char* name : {"a0", "b0"}) {
    SimulatedNode::Disk disk = world_.nodes.at(name)->snapshot();
    for (auto& [uid, queued] : disk.tasks) queued.task.custom_metadata.clear();
    world_.nodes.at(name)->restore(std::move(disk));
  }
  restart_on({});
  EXPECT_TRUE(world_.run_until([&] { return all_in_sync(); }));
}

// Where only those that told were, nobody would tell any more that the others are to be taken.
TEST_F(RecoveryTest, NodesAreTakenAllOrNone) {
  world_.crash();
  for (const char* name : {"a1", "b0", "b1"}) {
    SimulatedNode::Disk disk = world_.nodes.at(name)->snapshot();
    for (auto& [uid, queued] : disk.tasks) queued.task.custom_metadata.clear();
    world_.nodes.at(name)->restore(std::move(disk));
  }
  bool failed = false;
  world_.store.fail_commits([&](const Batch& batch) {
    const bool takes = std::ranges::any_of(batch.changes(), [](const auto& change) {
      return change.table == Table::kNode && change.key == "a1" &&
             change.value.find("in_sync") != std::string::npos;
    });
    return takes && !std::exchange(failed, true);
  });
  restart_on({});
  EXPECT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_TRUE(failed);
}

// It has no place in the log: nobody watches it.
TEST_F(RecoveryTest, WhatANodeStillHasBeforeItIsWaitedFor) {
  world_.crash();
  for (auto& [name, node] : world_.nodes) node->options().task_delay_max = Seconds(20);
  SimulatedNode& node = *world_.nodes.at("b0");
  ASSERT_TRUE(node.enqueue(CreateIndex{"late", "id"}, std::nullopt, ""));
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_NE(world_.log().catalogue().index("late"), nullptr);
}

TEST_F(RecoveryTest, NodesThatHaveYetToMakeTheirFirstIndexAreNotEmpty) {
  world_.crash();
  for (auto& [name, node] : world_.nodes) {
    node->wipe();
    node->options().automatic = false;
    WriteDocuments first{.index_uid = "books",
                         .primary_key = "id",
                         .merge = false,
                         .skip_creation = false,
                         .ndjson = "{\"id\":1}\n"};
    ASSERT_TRUE(node->enqueue(std::move(first), 1, task_metadata({1, 1})));
  }
  restart_on({});
  for (auto& [name, node] : world_.nodes) {
    EXPECT_NE(world_.cluster().status(name).state, ReplicaState::kInSync);
    node->options().automatic = true;
    node->settle();
  }
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_NE(world_.log().catalogue().index("books"), nullptr);
}

TEST_F(RecoveryTest, NumbersThatNodesKnowAreNotGivenAgainWhileTheStoreIsFull) {
  const Position head = world_.log().head();
  world_.crash();
  recovery_.reset();
  world_.store.restore({});
  world_.start();
  world_.store.fill_disk(true);
  world_.run_for(Seconds(30));
  world_.store.fill_disk(false);
  EXPECT_GT(world_.create_index("films"), head);
}

// Stale nodes keep the log from being trimmed, and only a recovery ends that.
TEST_F(RecoveryTest, AFullLogIsRecoveredToo) {
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("told by its metadata", 0, 40);
  world_.options.log.retention_bytes = 0;
  restart_on(yesterday);
  EXPECT_TRUE(world_.run_until([&] { return all_in_sync() && world_.log().head() > 500'000; }));
}

TEST_F(RecoveryTest, SettingsThatNodesDoNotAgreeOnBecomeTheFirstOnes) {
  world_.nodes.at("a0")->set_directly("books", "stopWords", Json::array({"a"}));
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync() && world_.all_done(); }));
  for (auto& [name, node] : world_.nodes) {
    const Json* words = node->disk().indexes.at("books").settings.find("stopWords");
    ASSERT_NE(words, nullptr) << name;
    EXPECT_EQ(*words, Json::array({"a"})) << name;
  }
}

// Dropped after the copy was made, and everywhere.
TEST_F(RecoveryTest, AnIndexThatNoneHoldsIsMadeAgainWithItsSettings) {
  const Json words = Json::array({"the"});
  Entry settings;
  settings.kind = EntryKind::kUpdateSettings;
  settings.index_uid = "books";
  settings.primary_key = "id";
  settings.arguments = Json::object({{"settings", Json::object({{"stopWords", words}})},
                                     {"clientSettings", Json::object({{"stopWords", words}})}});
  world_.await_task(world_.append(std::move(settings)));
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("told by its metadata", 0, 1);
  Entry drop;
  drop.kind = EntryKind::kDropIndex;
  drop.index_uid = "books";
  drop.incarnation = world_.log().catalogue().index("books")->incarnation;
  world_.await_task(world_.append(std::move(drop)));
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync() && world_.all_done(); }));
  write("second", 0, 3);
  for (auto& [name, node] : world_.nodes) {
    const auto& books = node->disk().indexes.at("books");
    const Json* read = books.settings.find("stopWords");
    ASSERT_NE(read, nullptr) << name;
    EXPECT_EQ(*read, words) << name;
  }
  EXPECT_EQ(world_.documents_of_group(0, "books").size(), 3U);
}

// One made by settings alone, on a node that missed its creation.
TEST_F(RecoveryTest, AnIndexHasThePrimaryKeyOfWhoeverKnowsOne) {
  world_.crash();
  SimulatedNode::Disk disk = world_.nodes.at("a0")->snapshot();
  disk.indexes.at("books").primary_key.reset();
  disk.indexes.at("books").documents.clear();
  world_.nodes.at("a0")->restore(std::move(disk));
  for (const auto& [name, value] : settings_for_node(Json::object(), Json(), "id").as_object())
    world_.nodes.at("a0")->set_directly("books", name, value);
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  const IndexState& index = *world_.log().catalogue().index("books");
  EXPECT_EQ(index.primary_key, "id");
  const Json* rules = index.settings.find("filterableAttributes");
  ASSERT_NE(rules, nullptr);
  EXPECT_EQ(to_text(*rules), "[]") << "the primary key's is no client's";
}

// Looked up after the copy was made; where it found nothing, the nodes were sent nothing.
TEST_F(RecoveryTest, ADeleteByFilterThatFoundNothingIsNotTakenForALostTask) {
  for (auto& [name, network] : world_.networks) network.cut = true;
  const Position removed = world_.remove_by_filter("books", Json("v = \"nobody\""));
  std::vector<std::string> ids;
  for (int n = 0; n < 40; ++n) ids.push_back("id" + std::to_string(n));
  world_.write("books", ids, "after it, on every node");
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  for (auto& [name, network] : world_.networks) network.cut = false;
  ASSERT_EQ(world_.await_task(removed).status, "succeeded");
  write("second", 0, 40);
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_EQ(world_.await_task(removed).status, "succeeded");
  EXPECT_TRUE(world_.log().taints(world_.log().catalogue().index("books")->incarnation).empty());
}

TEST_F(RecoveryTest, WhatWasOnItsWayWhenTheLogWentBackIsRefused) {
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("second", 0, 3);
  SimulatedNode& node = *world_.nodes.at("a0");
  node.settle();
  const TaskUid next = node.disk().tasks.rbegin()->first + 1;
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_FALSE(node.enqueue(DropIndex{"books"}, next, ""));
  node.settle();
  EXPECT_FALSE(node.documents("books").empty());
}

// A request of the Miroir that died, which arrives when its successor has already written.
TEST_F(RecoveryTest, WhatArrivesLateIsTakenToo) {
  const std::string metadata = task_metadata({world_.log().head(), world_.log().head_stamp()});
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  SimulatedNode& node = *world_.nodes.at("a0");
  node.settle();
  WriteDocuments late{.index_uid = "books",
                      .primary_key = "id",
                      .merge = false,
                      .skip_creation = false,
                      .ndjson = "{\"id\":\"late\"}\n"};
  ASSERT_TRUE(node.enqueue(std::move(late), std::nullopt, metadata));
  write("second", 0, 3);
  const auto is_told = [&] { return !awaiting_recovery(world_.cluster()).empty(); };
  boost::asio::co_spawn(*world_.process->io,
                        world_.process->forwarders->recheck("a0", world_.clock.now() + Seconds(5)),
                        [](std::exception_ptr, const Result<History>&) {});
  ASSERT_TRUE(world_.run_until(is_told));
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); })) << "as it is";
  EXPECT_TRUE(node.documents("books").contains("late"));
}

// Whichever lane looks first, for then the log's numbers have leapt already.
TEST_F(RecoveryTest, ANodeWhoseLastKnownTaskWasDeletedIsTakenToo) {
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  const TaskUid last = world_.nodes.at("b0")->disk().tasks.rbegin()->first;
  write("second", 0, 40);
  world_.crash();
  for (auto& [name, node] : world_.nodes) {
    node->settle();
    SimulatedNode::Disk disk = node->snapshot();
    disk.tasks.erase(disk.tasks.begin(), disk.tasks.upper_bound(last));
    ASSERT_FALSE(disk.tasks.empty());
    node->restore(std::move(disk));
  }
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
}

TEST_F(RecoveryTest, AnOlderDiskOfANodeThatKnowsTheNewLogIsNoNewRecovery) {
  const SimulatedNode::Disk old = world_.nodes.at("b0")->snapshot();
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  write("second", 0, 40);
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  const Position incarnation = world_.log().catalogue().index("books")->incarnation;
  world_.nodes.at("b0")->restore(old);
  ASSERT_TRUE(world_.run_until(
      [&] { return world_.cluster().status("b0").state == ReplicaState::kStale; }));
  world_.run_for(Seconds(30));
  EXPECT_EQ(world_.cluster().status("b0").state, ReplicaState::kStale);
  EXPECT_EQ(world_.log().catalogue().index("books")->incarnation, incarnation);
}

TEST_F(RecoveryTest, NothingIsTakenWhileANodeIsAway) {
  world_.nodes.at("b0")->options().down = true;
  restart_on({});
  world_.run_for(Seconds(120));
  EXPECT_EQ(world_.log().catalogue().index("books"), nullptr);
  EXPECT_FALSE(all_in_sync());
  world_.nodes.at("b0")->options().down = false;
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_NE(world_.log().catalogue().index("books"), nullptr);
}

TEST_F(RecoveryTest, ANodeThatIsEmptiedWhileItWaitsIsNotTaken) {
  world_.nodes.at("b0")->options().down = true;
  restart_on({});
  world_.run_for(Seconds(10));
  ASSERT_TRUE(awaiting_recovery(world_.cluster()).contains("a0"));
  world_.nodes.at("a0")->wipe();
  world_.nodes.at("b0")->options().down = false;
  ASSERT_TRUE(world_.run_until(
      [&] { return world_.cluster().status("a1").state == ReplicaState::kInSync; }));
  world_.run_for(Seconds(10));
  EXPECT_NE(world_.cluster().status("a0").state, ReplicaState::kInSync);
  EXPECT_TRUE(awaiting_recovery(world_.cluster()).empty());
  for (const char* node : {"a1", "b0", "b1"})
    EXPECT_EQ(world_.cluster().status(node).state, ReplicaState::kInSync) << node;
}

// By the new log it is all that it should be: whichever lane looks first.
class LostDiskTest : public RecoveryTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(LooksFirst, LostDiskTest, testing::Bool());

TEST_P(LostDiskTest, ANodeThatLostItsDiskWithTheLogIsNoSource) {
  world_.crash();
  world_.nodes.at("a0")->wipe();
  for (auto& [name, network] : world_.networks) network.cut = (name == "a0") != GetParam();
  world_.nodes.at("b1")->options().down = true;
  restart_on({});
  for (auto& [name, network] : world_.networks) network.cut = false;
  world_.run_for(Seconds(20));
  EXPECT_FALSE(world_.cluster().readable("a0"));
  world_.nodes.at("b1")->options().down = false;
  ASSERT_TRUE(world_.run_until(
      [&] { return world_.cluster().status("b0").state == ReplicaState::kInSync; }));
  world_.run_for(Seconds(20));
  EXPECT_FALSE(world_.cluster().readable("a0"));
  EXPECT_TRUE(world_.cluster().readable("a1"));
  EXPECT_TRUE(world_.cluster().readable("b1"));
}

// One that was made after the copy, and of which only some had done anything.
TEST_F(RecoveryTest, NodesThatLackAnIndexAreSourcesWhereThereIsNobodyElse) {
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  for (const char* node : {"a1", "b1"}) world_.networks.at(node).cut = true;
  world_.run_for(Seconds(20));
  world_.await_task(world_.create_index("films"));
  world_.write("films", {"1", "2", "3", "4", "5", "6", "7", "8"}, "told by its metadata");
  world_.run_for(Seconds(20));
  for (const char* node : {"a1", "b1"}) world_.networks.at(node).cut = false;
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
  ASSERT_TRUE(world_.run_until([&] { return awaiting_recovery(world_.cluster()).empty(); }));
  EXPECT_TRUE(each_shard_has_a_source());
  for (const ShardId shard : world_.topology().shards_of("a1"))
    EXPECT_EQ(world_.cluster().is_source("a1", shard),
              world_.topology().owners(shard) == std::vector<std::string>({"a1", "b1"}))
        << shard;
}

// There is never a moment at which a node has done all of the log.
TEST_F(RecoveryTest, ClientsMayGoOnToWriteDocuments) {
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("told by its metadata", 0, 40);
  restart_on(yesterday);
  int written = 0;
  const auto keep_writing = [&](const std::function<bool()>& until) {
    for (int i = 0; i < 2'000 && !until(); ++i) {
      world_.write("books", {"new" + std::to_string(written++ % 100)}, std::to_string(i));
      world_.run_for(Milliseconds(20));
    }
    return until();
  };
  ASSERT_TRUE(keep_writing([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
  EXPECT_TRUE(keep_writing([&] { return awaiting_recovery(world_.cluster()).empty(); }));
  EXPECT_TRUE(all_in_sync());
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.documents_of_group(0, "books"), world_.documents_of_group(1, "books"));
}

TEST_F(RecoveryTest, AStampThatNobodyGaveIsNotBelieved) {
  const FieldNames names;
  const std::map<std::string, Stamp> damage = {{"id1", (Stamp{1} << 54) - 1},
                                               {"id2", world_.log().head_stamp() | Stamp{1} << 52}};
  for (auto& [name, node] : world_.nodes) {
    for (const auto& [id, stamp] : damage)
      node->corrupt("books", id, names.updated_at, Json(encode_stamp(stamp)));
  }
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_LT(world_.log().head_stamp(), damage.at("id2"));
}

TEST_F(RecoveryTest, ANodeThatMiroirNeverWroteToIsNotTaken) {
  world_.crash();
  for (auto& [name, node] : world_.nodes) {
    node->wipe();
    ASSERT_TRUE(node->enqueue(CreateIndex{"theirs", "id"}, std::nullopt, ""));
    node->settle();
  }
  restart_on({});
  world_.run_for(Seconds(60));
  EXPECT_EQ(world_.log().catalogue().index("theirs"), nullptr);
}

}  // namespace
}  // namespace miroir
