// The checkers can fail: each finds what they are there for.
#include "sim/checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/simulated_clock_fake.h"
#include "log/rows.h"
#include "sim/history.h"

namespace miroir::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Request request(Act act, std::vector<std::string> ids, std::string value) {
  return {act, "books", std::move(ids), std::move(value)};
}

// Two groups of one node that hold what the model says.
class ChecksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const Request& each :
         {request(Act::kReplace, {"w1", "w2", "m1"}, "one"), request(Act::kMerge, {"m1"}, "two"),
          request(Act::kDelete, {"w2"}, "")})
      model.apply(each);
    for (const NodeConfig& config : topology.nodes()) {
      SimulatedNode::Options options;
      options.id = config.id;
      nodes[config.id] = std::make_unique<SimulatedNode>(clock, 1, options);
      for (const auto& [id, document] : model.indexes().at("books").documents)
        nodes[config.id]->write_directly("books", id, document);
      nodes[config.id]->set_directly("books", "filterableAttributes", filters());
    }
  }
  static Json filters() {
    return Json::array({Json::object({{"attributePatterns", Json::array({"_miroir_*"})}})});
  }

  std::vector<std::string> check() { return check_against_model(model, topology, nodes); }

  SimulatedClock clock;
  Topology topology = *Topology::make({{"a0", "http://a0", 0}, {"b0", "http://b0", 1}}, 4);
  Model model;
  Nodes nodes;
};

TEST_F(ChecksTest, EqualNodesAreRight) {
  EXPECT_THAT(check(), IsEmpty());
  EXPECT_THAT(check_replicas_equal(nodes), IsEmpty());
}

TEST_F(ChecksTest, ShardThatIsCalledInSyncAndIsNotIsFound) {
  const auto report = [](const std::string& divergence) {
    return *parse_json(R"({"indexes":[{"index":"books","divergence":[)" + divergence + "]}]}");
  };
  EXPECT_THAT(check_states(report(""), topology, nodes), IsEmpty());
  nodes["a0"]->delete_directly("books", "w1");
  EXPECT_THAT(check_states(report(""), topology, nodes),
              ElementsAre(HasSubstr("1 documents differ in shard")));
  const std::string shard = std::to_string(topology.shard_of(slot_of("w1")));
  const auto state = [&](const std::string& its, const std::string& why) {
    return report(R"({"shard":)" + shard + R"(,"state":")" + its + R"(","why":")" + why + R"("})");
  };
  EXPECT_THAT(check_states(state("quarantined", "1 document"), topology, nodes), IsEmpty());
  EXPECT_THAT(check_states(state("in_sync", "1 document repaired"), topology, nodes),
              ElementsAre(HasSubstr("which is in sync")));
  EXPECT_THAT(check_states(state("diverged", ""), topology, nodes),
              ElementsAre(HasSubstr("without a reason")));
}

TEST_F(ChecksTest, SettingsAndPrimaryKeysThatDifferAreFound) {
  nodes["b0"]->set_directly("books", "synonyms", Json::object());
  EXPECT_THAT(check_replicas_equal(nodes), ElementsAre(HasSubstr("books has the settings ")));
  SimulatedNode::Disk disk = nodes["b0"]->snapshot();
  disk.indexes["books"] = nodes["a0"]->disk().indexes.at("books");
  disk.indexes["books"].primary_key = "isbn";
  nodes["b0"]->restore(disk);
  EXPECT_THAT(check_replicas_equal(nodes),
              ElementsAre("books has the primary key id on a0 and isbn on b0"));
  EXPECT_THAT(check(), ElementsAre("b0 has the primary key isbn in books"));
}

TEST_F(ChecksTest, SettingsThatAreNotThoseThatCameWithTheStopWordsAreFound) {
  const Json words = Json::array({"u1"});
  model.apply(request(Act::kSettings, {}, "u1"));
  Json with_words = filters();
  with_words.push_back("u1");
  for (const auto& [id, node] : nodes) {
    node->set_directly("books", "stopWords", words);
    node->set_directly("books", "sortableAttributes", words);
    node->set_directly("books", "filterableAttributes", with_words);
    node->set_directly("books", "synonyms", Json::object({{"u1", Json::array({"x"})}}));
  }
  EXPECT_THAT(check(), IsEmpty());
  nodes["a0"]->set_directly("books", "filterableAttributes", words);
  EXPECT_THAT(check(), ElementsAre(HasSubstr("and not the settings that came with them")));
}

TEST_F(ChecksTest, AnIndexWithoutMiroirsSettingsIsFound) {
  nodes["b0"]->set_directly("books", "filterableAttributes", Json::array({"u1"}));
  EXPECT_THAT(check(), ElementsAre(HasSubstr("b0 has not Miroir's settings in books")));
}

TEST_F(ChecksTest, LostWriteIsFound) {
  nodes["a0"]->delete_directly("books", "w1");
  EXPECT_THAT(check(), ElementsAre(HasSubstr("a0 lacks books/w1")));
}

TEST_F(ChecksTest, DeletedDocumentThatIsBackIsFound) {
  nodes["b0"]->write_directly("books", "w2", Json::object({{"id", "w2"}}));
  EXPECT_THAT(check(), ElementsAre(HasSubstr("b0 holds books/w2, which is deleted")));
}

TEST_F(ChecksTest, ChangedContentIsFound) {
  nodes["b0"]->corrupt("books", "m1", "v", "flipped");
  EXPECT_THAT(check(), ElementsAre(HasSubstr("b0 has books/m1")));
  EXPECT_THAT(check_replicas_equal(nodes), ElementsAre(HasSubstr("books/m1")));
}

TEST_F(ChecksTest, DroppedAndForeignIndexesAreFound) {
  SimulatedNode::Disk disk = nodes["a0"]->snapshot();
  disk.indexes["intruder"] = disk.indexes.extract("books").mapped();
  nodes["a0"]->restore(std::move(disk));
  EXPECT_THAT(check(), ElementsAre(HasSubstr("index intruder"), HasSubstr("lacks index books")));
}

TEST_F(ChecksTest, LostRenamedAndDeletedKeysAreFound) {
  model.keys() = {{"k1", "one"}, {"k2", "two"}};
  for (auto& [id, node] : nodes) {
    node->put_key(Json::object({{"uid", "k1"}, {"name", "one"}}));
    node->put_key(Json::object({{"uid", "k2"}, {"name", "two"}}));
  }
  EXPECT_THAT(check(), IsEmpty());
  nodes["a0"]->delete_key("k1");
  nodes["a0"]->put_key(Json::object({{"uid", "k2"}, {"name", "other"}}));
  nodes["b0"]->put_key(Json::object({{"uid", "k3"}, {"name", "three"}}));
  EXPECT_THAT(check(),
              ElementsAre(HasSubstr("a0 lacks the key k1"), HasSubstr("calls the key k2 other"),
                          HasSubstr("b0 holds the key k3")));
}

TEST_F(ChecksTest, RepairsThatAreNotTheModelsAreFound) {
  using Copy = std::optional<Json>;
  const auto repair = [&](std::string id, Copy before, Copy after) {
    return check_repair(model, topology,
                        {7, "a0", "books", std::move(id), std::move(before), std::move(after)});
  };
  const Json right = model.indexes().at("books").documents.at("w1");
  const Json other = model.indexes().at("books").documents.at("m1");
  EXPECT_FALSE(repair("w1", other, right));
  EXPECT_FALSE(repair("w2", right, std::nullopt));
  EXPECT_FALSE(repair("w1", other, std::nullopt)) << "not the version that is there";
  EXPECT_TRUE(repair("w1", right, std::nullopt)) << "it is not deleted";
  EXPECT_TRUE(repair("w2", std::nullopt, Json::object({{"id", "w2"}}))) << "it is";
  EXPECT_TRUE(repair("w1", right, other)) << "another content";
}

TEST(RepairsTest, WhatIsHeldBackInEveryPassCountsOnce) {
  const auto row = [](const char* id, const char* action, const char* outcome) {
    return Json::object({{"index", "books"}, {"id", id}, {"action", action}, {"outcome", outcome}});
  };
  const char* held_back = "held back by the breaker until a person agrees";
  const Json waits = row("x1", "delete", held_back);
  EXPECT_EQ(count_repairs({waits, waits, waits}), 1U);
  EXPECT_EQ(count_repairs({waits, row("x2", "delete", held_back)}), 2U);
  const Json done = row("x1", "delete", "deleted, verified");
  EXPECT_EQ(count_repairs({waits, done, done}), 3U);
  EXPECT_EQ(count_repairs({row("x1", "restore", "reported only: repairs are off"),
                           row("x1", "none", "left")}),
            0U);
}

TEST_F(ChecksTest, OtherExpiryIsFound) {
  model.indexes().at("books").documents.at("w1").set(kExpiresAt, 8);
  nodes["a0"]->corrupt("books", "w1", std::string(kExpiresAt), encode_expiry(8));
  EXPECT_THAT(check(), ElementsAre(HasSubstr("b0 has books/w1")));
}

TEST_F(ChecksTest, WhatMiroirDoesToAnIndexOfStrangersIsFound) {
  (void)nodes["a0"]->enqueue(CreateIndex{kTheirs, "isbn"}, std::nullopt, "");
  EXPECT_THAT(check_left_alone(nodes), IsEmpty());
  (void)nodes["a0"]->enqueue(DropIndex{kTheirs}, std::nullopt, "1");
  EXPECT_THAT(check_left_alone(nodes), ElementsAre(HasSubstr("(indexDeletion)")));
}

TEST_F(ChecksTest, OtherStampsAreFound) {
  nodes["a0"]->corrupt("books", "w1", "_miroir_updated_at", "!!!");
  EXPECT_THAT(check(), IsEmpty());
  EXPECT_THAT(check_replicas_equal(nodes), ElementsAre(HasSubstr("books/w1")));
}

Entry task(Position position, std::string metadata) {
  Entry entry;
  entry.position = position;
  entry.task = position;
  entry.index_uid = "books";
  entry.task_type = "documentAdditionOrUpdate";
  entry.custom_metadata = std::move(metadata);
  return entry;
}

Operation operation(int number, int status, Position position, std::string id) {
  Operation made;
  made.number = number;
  made.request = request(Act::kReplace, {std::move(id)}, "x");
  made.status = status;
  made.task = position;
  return made;
}

History replay(std::vector<Operation>& operations, const Ledger& ledger,
               const std::set<Position>& cursed = {}, const std::vector<Swept>& swept = {},
               const std::vector<Repaired>& repaired = {},
               const std::vector<Strange>& strange = {}) {
  static const Topology kTopology =
      *Topology::make({{"a0", "http://a0", 0}, {"b0", "http://b0", 1}}, 4);
  return replay(operations,
                Chronicle{ledger, cursed, {}, swept, repaired, strange, {}, {}, kTopology});
}

// Of these entries.
History replay(std::vector<Operation>& operations, const std::vector<Entry>& entries,
               const std::set<Position>& cursed = {}, const std::vector<Swept>& swept = {},
               const std::vector<Repaired>& repaired = {},
               const std::vector<Strange>& strange = {}) {
  Ledger ledger;
  for (const Entry& entry : entries) ledger.add(entry);
  return replay(operations, ledger, cursed, swept, repaired, strange);
}

Entry key_change(Position position, std::string uid, std::string name) {
  Entry entry;
  entry.position = position;
  entry.kind = name.empty() ? EntryKind::kDeleteKey : EntryKind::kPutKey;
  entry.arguments = Json::object({{"uid", uid}, {"name", name}});
  return entry;
}

Operation key_operation(int number, int status, Act act, std::string uid, std::string name) {
  Operation made;
  made.number = number;
  made.request = {act, "books", {std::move(uid)}, std::move(name)};
  made.status = status;
  return made;
}

TEST(HistoryTest, KeysFollowTheLog) {
  std::vector<Operation> operations = {key_operation(0, 201, Act::kCreateKey, "k", "one"),
                                       key_operation(1, 0, Act::kRenameKey, "k", "two"),
                                       key_operation(2, 0, Act::kRenameKey, "k", "three"),
                                       key_operation(3, 404, Act::kDeleteKey, "k", "")};
  const History history =
      replay(operations, {key_change(1, "k", "one"), key_change(2, "k", "three")});
  EXPECT_THAT(history.wrong, IsEmpty());
  EXPECT_EQ(history.model.keys(), (std::map<std::string, std::string>{{"k", "three"}}));
}

TEST(HistoryTest, ChangesOfKeysThatAreLostOrNobodysAreFound) {
  std::vector<Operation> operations = {key_operation(0, 201, Act::kCreateKey, "k", "one"),
                                       key_operation(1, 204, Act::kDeleteKey, "k", "")};
  EXPECT_THAT(replay(operations, {key_change(1, "k", "one")}).wrong,
              ElementsAre(HasSubstr("op1 was acknowledged")));
  operations.back().status = 503;
  EXPECT_THAT(replay(operations, {key_change(1, "k", "one"), key_change(2, "k", "")}).wrong,
              ElementsAre(HasSubstr("no request's")));
}

TEST(HistoryTest, WhatFailedOnEveryNodeDidNotHappen) {
  std::vector<Operation> operations = {operation(0, 202, 1, "w0"), operation(1, 202, 2, "w1")};
  const History history = replay(operations, {task(1, "op0"), task(2, "op1")}, {2});
  EXPECT_THAT(history.wrong, IsEmpty());
  EXPECT_EQ(history.model.indexes().at("books").documents.size(), 1U);
  EXPECT_TRUE(operations[0].valid);
  EXPECT_FALSE(operations[1].valid);
}

// Clients create both indexes, write to `books` and swap the two; nodes have no `books` to swap.
class NothingToSwapTest : public ::testing::Test {
 protected:
  NothingToSwapTest() {
    last.arguments = Json::array({Json::object({{"incarnations", Json::array({1, 2})}})});
  }
  // Whether that is right.
  bool may_fail(const std::set<Position>& cursed) {
    Entry films = of(1, EntryKind::kCreateIndex, "indexCreation");
    films.index_uid = "films";
    films.incarnation = 1;
    Entry write = task(3, "op2");
    write.incarnation = 2;
    Ledger ledger;
    for (const Entry& each :
         {films, of(2, EntryKind::kCreateIndex, "indexCreation"), write, between, last})
      ledger.add(each);
    TaskEnd end;
    end.status = "failed";
    end.error = Json::object({{"code", "index_not_found"}});
    ledger.committed(Batch().put(Table::kTask, key_of(5), encode(end)));
    std::vector<Operation> operations = {operation(0, 202, 1, ""), operation(1, 202, 2, ""),
                                         operation(2, 202, 3, "w0"), operation(3, 202, 5, "")};
    operations[0].request = {Act::kCreate, "films", {}, ""};
    operations[1].request = {Act::kCreate, "books", {}, ""};
    operations[3].request = {act, "books", {}, ""};
    EXPECT_THAT(replay(operations, ledger, cursed).wrong, IsEmpty());
    return !operations[3].valid;
  }
  static Entry of(Position position, EntryKind kind, std::string type) {
    Entry entry = task(position, "");
    entry.kind = kind;
    entry.task_type = std::move(type);
    entry.incarnation = 2;
    return entry;
  }

  Entry between;
  Act act = Act::kSwap;
  Entry last = of(5, EntryKind::kSwapIndexes, "indexSwap");
};

TEST_F(NothingToSwapTest, WhereAllThatMadeTheIndexFailed) {
  EXPECT_TRUE(may_fail({2, 3}));
  EXPECT_FALSE(may_fail({})) << "it was created";
  EXPECT_FALSE(may_fail({2})) << "a write made it";
  EXPECT_FALSE(may_fail({3}));
}

TEST_F(NothingToSwapTest, UntilTheReconcilerMadeIt) {
  between = of(4, EntryKind::kCreateIndex, "");
  between.target = "a0";
  EXPECT_FALSE(may_fail({2, 3}));
}

TEST_F(NothingToSwapTest, NorToRename) {
  act = Act::kRename;
  last = of(5, EntryKind::kUpdateIndex, "indexUpdate");
  EXPECT_TRUE(may_fail({1, 2, 3}));
  EXPECT_FALSE(may_fail({1, 2})) << "a write made it";
}

// A client's creation of `books` fails, and all that is done to it: a write, a rename. What a write
// makes of `books` then goes on from it, and one of the two is dropped.
class UsedCreationTest : public ::testing::Test {
 protected:
  std::vector<std::string> wrong_where_dropped(Position incarnation) {
    std::vector<Operation> operations = {operation(0, 202, 1, ""), operation(1, 202, 2, "w0"),
                                         operation(2, 202, 3, ""), operation(3, 202, 5, "w1")};
    operations[0].request = {Act::kCreate, "books", {}, ""};
    operations[2].request = {Act::kRename, "books", {}, ""};
    std::vector<Entry> entries = {of(1, 1, EntryKind::kCreateIndex, "indexCreation"),
                                  task(2, "op1"),
                                  of(3, 1, EntryKind::kUpdateIndex, "indexUpdate"),
                                  of(4, 4, EntryKind::kCreateIndex, ""),
                                  task(5, "op3"),
                                  of(6, 1, EntryKind::kTakeBack, ""),
                                  of(7, incarnation, EntryKind::kDropIndex, "")};
    entries[1].incarnation = 1;
    entries[4].incarnation = 4;
    entries[5].arguments = Json::object({{"entry", 3}, {"exchange", "books"}, {"with", 4}});
    return replay(operations, entries, {1, 2, 3}).wrong;
  }
  static Entry of(Position position, Position incarnation, EntryKind kind, std::string type) {
    Entry entry = task(position, "");
    entry.kind = kind;
    entry.origin = type.empty() ? Origin::kSystem : Origin::kClient;
    entry.task_type = std::move(type);
    entry.incarnation = incarnation;
    return entry;
  }
};

TEST_F(UsedCreationTest, TheNameThatARenameGaveInVainMayBeDropped) {
  EXPECT_THAT(wrong_where_dropped(1), IsEmpty());
}

TEST_F(UsedCreationTest, ItsUsersMayNot) {
  EXPECT_THAT(wrong_where_dropped(4), ElementsAre(HasSubstr("dropped under its users")));
}

// A client writes w0 and w1, a stranger w1 and w2; then Miroir takes w1 and w2, as it says.
class StrangerHistoryTest : public ::testing::Test {
 protected:
  History taken(std::vector<Operation> operations, const std::string& value = "strange") {
    Entry adoption;
    adoption.position = 3;
    std::vector<Repaired> repaired;
    for (const std::string id : {"w1", "w2"})
      repaired.push_back({3, "a0", "books", id, std::nullopt, document(id, value)});
    return replay(operations, {task(1, "op0"), task(2, "op1"), adoption}, {}, {}, repaired,
                  {{1, "books", "w1", document("w1", "strange")},
                   {1, "books", "w2", document("w2", "strange")}});
  }
  static Json document(const std::string& id, const std::string& value) {
    return Json::object({{"id", id}, {"v", value}});
  }
  static Operation deletion(std::string id) {
    Operation made = operation(1, 202, 2, std::move(id));
    made.request.act = Act::kDelete;
    return made;
  }
};

TEST_F(StrangerHistoryTest, WhatNoClientWroteMayBeTaken) {
  const History history = taken({operation(0, 202, 1, "w0"), operation(1, 202, 2, "w1")});
  const auto& documents = history.model.indexes().at("books").documents;
  EXPECT_EQ(documents.at("w1"), document_of(request(Act::kReplace, {"w1"}, "x"), "w1"));
  EXPECT_EQ(documents.at("w2"), document("w2", "strange"));
}

TEST_F(StrangerHistoryTest, WhatAClientDeletedSinceMayNot) {
  const History history = taken({operation(0, 202, 1, "w0"), deletion("w2")});
  EXPECT_FALSE(history.model.indexes().at("books").documents.contains("w2"));
}

TEST_F(StrangerHistoryTest, NorWhatNobodyWrote) {
  const History history = taken({operation(0, 202, 1, "w0"), deletion("w0")}, "made up");
  EXPECT_TRUE(history.model.indexes().at("books").documents.empty());
}

// A document that expires at 1000, and its sweep.
class SweepHistoryTest : public ::testing::Test {
 protected:
  SweepHistoryTest() {
    operations.front().request.expires_at = 1'000;
    sweep.position = 2;
    sweep.origin = Origin::kTtlExpire;
  }
  History swept(Json document, std::int64_t by) {
    return replay(operations, {task(1, "op0"), sweep}, {},
                  {{2, "a0", "books", "w0", std::move(document), by}});
  }
  static std::size_t documents(const History& history) {
    return history.model.indexes().at("books").documents.size();
  }
  static std::ptrdiff_t told(const History& history) {
    return std::ranges::count(history.changes, "ttl_expire", &Change::origin);
  }

  std::vector<Operation> operations = {operation(0, 202, 1, "w0")};
  Entry sweep;
};

TEST_F(SweepHistoryTest, WhatExpiredAndWasSweptIsGone) {
  const History history = swept(document_of(operations.front().request, "w0"), 1'000);
  EXPECT_THAT(history.wrong, IsEmpty());
  EXPECT_EQ(documents(history), 0U);
  EXPECT_EQ(told(history), 1);
}

TEST_F(SweepHistoryTest, SweptBeforeItExpiredIsFound) {
  const History history = swept(document_of(operations.front().request, "w0"), 999);
  EXPECT_THAT(history.wrong, ElementsAre(HasSubstr("has not expired")));
}

TEST_F(SweepHistoryTest, AnotherVersionThatWasSweptIsNotItsEnd) {
  const History history = swept(document_of({Act::kReplace, "books", {"w0"}, "old"}, "w0"), 1'000);
  EXPECT_EQ(documents(history), 1U);
  EXPECT_EQ(told(history), 0);
  EXPECT_THAT(check_expired(history.model, 999), IsEmpty());
  EXPECT_THAT(check_expired(history.model, 1'000), ElementsAre(HasSubstr("has expired")));
}

TEST(HistoryTest, UnansweredRequestCountsWhereTheLogHasIt) {
  std::vector<Operation> operations = {operation(0, 202, 1, "w0"), operation(1, 0, 0, "w1"),
                                       operation(2, 0, 0, "w2")};
  const History history = replay(operations, {task(1, "op0"), task(2, "op2")});
  EXPECT_THAT(history.wrong, IsEmpty());
  EXPECT_TRUE(history.model.indexes().at("books").documents.contains("w0"));
  EXPECT_FALSE(history.model.indexes().at("books").documents.contains("w1"));
  EXPECT_TRUE(history.model.indexes().at("books").documents.contains("w2"));
}

TEST(HistoryTest, AcknowledgedWriteThatTheLogLostIsFound) {
  std::vector<Operation> operations = {operation(0, 202, 1, "w0"), operation(1, 202, 2, "w1")};
  EXPECT_THAT(replay(operations, {task(1, "op0")}).wrong,
              ElementsAre(HasSubstr("op1 was acknowledged as task 2")));
}

TEST(HistoryTest, RefusedWriteThatTookPlaceIsFound) {
  std::vector<Operation> operations = {operation(0, 503, 0, "w0")};
  EXPECT_THAT(replay(operations, {task(1, "op0")}).wrong,
              ElementsAre(HasSubstr("op0 was refused with 503")));
}

TEST(HistoryTest, WriteTakenTwiceIsFound) {
  std::vector<Operation> operations = {operation(0, 202, 1, "w0")};
  EXPECT_THAT(replay(operations, {task(1, "op0"), task(2, "op0")}).wrong,
              ElementsAre(HasSubstr("taken twice"), HasSubstr("task 2 is no request's")));
}

}  // namespace
}  // namespace miroir::sim
