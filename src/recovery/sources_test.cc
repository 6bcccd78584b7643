// Which nodes a recovery goes by.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "cluster/state_reasons.h"
#include "node_api/node_settings.h"
#include "recovery/recovery_world_fake.h"

namespace miroir {
namespace {

class RecoverySourcesTest : public RecoveryTest {};

// Asked in vain whether it lacks something, each time but when all nodes are read.
TEST_F(RecoverySourcesTest, AnEmptyNodeThatCouldNotBeAskedBeforeIsNoSource) {
  world_.crash();
  world_.nodes.at("a0")->wipe();
  for (auto& [name, network] : world_.networks) network.cut = name != "a0";
  restart_on({});
  ASSERT_EQ(world_.cluster().status("a0").state, ReplicaState::kInSync);
  std::string asked_before;
  world_.refuse_indexes = [&](const std::string& node) {
    const bool is_alone = node == "a0" && std::exchange(asked_before, node) != "a0";
    asked_before = node;
    return is_alone ? std::optional(Error{ErrorCode::kUnavailable, "no answer"}) : std::nullopt;
  };
  for (auto& [name, network] : world_.networks) network.cut = false;
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_NE(world_.log().catalogue().index("books"), nullptr);
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
}

TEST_F(RecoverySourcesTest, AShardWhoseOwnersLostTheirDisksWithTheLogIsTakenAsItIs) {
  world_.crash();
  const std::vector<std::string> owners = world_.topology().owners(0);
  for (const std::string& node : owners) {
    world_.nodes.at(node)->wipe();
    world_.networks.at(node).cut = true;
  }
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
  for (const std::string& node : owners) world_.networks.at(node).cut = false;
  ASSERT_TRUE(world_.run_until([&] { return awaiting_recovery(world_.cluster()).empty(); }));
  EXPECT_TRUE(each_shard_has_a_source());
  for (const std::string& node : owners) EXPECT_TRUE(world_.cluster().is_source(node, 0)) << node;
}

TEST_F(RecoverySourcesTest, ANodeThatHasYetToMakeAnIndexIsNotEmpty) {
  world_.networks.at("a1").cut = true;
  world_.run_for(Seconds(20));
  world_.await_task(world_.create_index("films"));
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  std::vector<std::string> ids;
  for (int n = 0; n < 40; ++n) ids.push_back("id" + std::to_string(n));
  world_.await_task(world_.write("books", ids, "told by its metadata"));
  world_.networks.at("a1").cut = false;
  world_.nodes.at("a1")->options().automatic = false;
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
  world_.run_for(Seconds(20));
  EXPECT_EQ(world_.cluster().status("a1").state_why, "");
  EXPECT_TRUE(world_.cluster().readable("a1"));
  world_.nodes.at("a1")->options().automatic = true;
  EXPECT_TRUE(world_.run_until([&] { return all_in_sync(); }));
}

// What is looked for moves up with what is written meanwhile, and may leave damaged ones out of it.
TEST_F(RecoverySourcesTest, AStampBehindAPageOfDamagedOnesIsFound) {
  const FieldNames names;
  const Stamp newest = world_.log().head_stamp() + Stamp{1} * 365 * 24 * 3'600 * 1'000'000;
  const auto text = [&](const std::string& id, Stamp stamp, std::string_view digest_id) {
    const DigestSymbols digest = digest_of(digest_id, stamp);
    Json document = Json::object({{"id", id}, {names.updated_at, encode_stamp(stamp)}});
    for (std::size_t i = 0; i < kDigestFields.size(); ++i)
      document.set(std::string(kDigestFields[i]), encode_symbol(digest[i]));
    return to_text(document);
  };
  Stamp lowest = 0;
  world_.answer_documents = [&](const std::string&,
                                const DocumentQuery& query) -> Result<DocumentPage> {
    const std::string filter = query.filter->as_string();
    const std::size_t quote = filter.find('"') + 1;
    const Stamp above = *decode_stamp(filter.substr(quote, filter.size() - quote - 1));
    if (query.offset == 0) lowest = above + 1;
    std::vector<std::string> found;
    for (int i = 0; i < 1'000; ++i) {
      const Stamp stamp = i < 5 ? lowest : (Stamp{1} << 52) + static_cast<Stamp>(i);
      if (stamp > above) found.push_back(text("x" + std::to_string(i), stamp, "another"));
    }
    if (newest > above) found.push_back(text("right", newest, "right"));
    if (query.offset == 0) {
      boost::asio::co_spawn(*world_.process->io,
                            world_.log().append([](const Catalogue&, Position) {
                              Entry entry;
                              entry.kind = EntryKind::kTaskOperation;
                              return Result<std::vector<Entry>>(std::vector{std::move(entry)});
                            }),
                            boost::asio::detached);
    }
    const std::size_t first = std::min(query.offset, found.size());
    const std::size_t end = std::min(found.size(), first + query.limit);
    DocumentPage page;
    for (std::size_t i = first; i < end; ++i) page.documents.push_back(found[i]);
    page.total = found.size();
    return page;
  };
  restart_on({});
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
  EXPECT_GT(world_.log().head_stamp(), newest);
}

TEST_F(RecoverySourcesTest, ANodeThatWasBehindBeforeItToldIsNotTaken) {
  set_behind("a0", ReplicaState::kStale);
  set_behind("a1", ReplicaState::kJoining);
  const MemoryStore::Tables two_behind = world_.store.snapshot();
  set_behind("b0", ReplicaState::kStale);
  set_behind("b1", ReplicaState::kStale);
  const MemoryStore::Tables all_behind = world_.store.snapshot();
  write("second", 0, 40);
  restart_on(two_behind);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
  EXPECT_EQ(world_.cluster().status("a1").state, ReplicaState::kJoining);
  EXPECT_EQ(world_.cluster().status("b1").state, ReplicaState::kInSync);
  restart_on(all_behind);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_TRUE(all_in_sync()) << "there is nobody to heal them from";
  EXPECT_EQ(world_.cluster().progress("b0").taken_behind.size(),
            world_.topology().shards_of("b0").size());
  // Of a log that goes back once more they were behind before, too.
  const MemoryStore::Tables again = world_.store.snapshot();
  write("third", 0, 40);
  restart_on(again);
  ASSERT_TRUE(world_.run_until([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
  for (const NodeConfig& node : world_.topology().nodes()) {
    const std::string why = world_.cluster().status(node.id).state_why;
    EXPECT_TRUE(!why.starts_with(kLogWentBack) || why.starts_with(kLogWentBackBehind)) << why;
  }
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync(); }));
}

// Both owners of a shard were: in their others they have peers that were not.
TEST_F(RecoverySourcesTest, ANodeThatIsTakenForSomeShardsIsNoSourceOfItsOthers) {
  const std::vector<std::string> owners = world_.topology().owners(0);
  for (const std::string& node : owners) set_behind(node, ReplicaState::kStale);
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("second", 0, 40);
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return !awaiting_recovery(world_.cluster()).empty(); }));
  ASSERT_TRUE(world_.run_until([&] { return awaiting_recovery(world_.cluster()).empty(); }));
  const auto is_taken_for_some = [&](const std::string& node) {
    const std::vector<ShardId>& shards = world_.topology().shards_of(node);
    EXPECT_EQ(world_.cluster().status(node).state, ReplicaState::kStale) << node;
    for (const ShardId shard : shards)
      EXPECT_EQ(world_.cluster().is_source(node, shard), world_.topology().owners(shard) == owners)
          << node << " in " << shard;
  };
  for (const NodeConfig& node : world_.topology().nodes()) {
    if (std::ranges::count(owners, node.id) == 0)
      EXPECT_EQ(world_.cluster().status(node.id).state, ReplicaState::kInSync) << node.id;
  }
  for (const std::string& node : owners) is_taken_for_some(node);
  restart_on(world_.store.snapshot());
  for (const std::string& node : owners) is_taken_for_some(node);
}

// Somebody wrote to it besides, before or after: what it lacks counts.
class OldDiskTest : public RecoverySourcesTest {
 protected:
  void write_as_stranger(int tasks = 1) {
    for (; tasks > 0; --tasks)
      ASSERT_TRUE(world_.nodes.at("a0")->enqueue(CreateIndex{"theirs", "id"}, std::nullopt, ""));
    world_.nodes.at("a0")->settle();
    look();
  }
  void look() {
    const std::uint64_t setbacks = world_.cluster().status("a0").setbacks;
    write("second", 0, 40);
    ASSERT_TRUE(
        world_.run_until([&] { return world_.cluster().status("a0").setbacks > setbacks; }));
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  }
};
class WrittenToTest : public OldDiskTest, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(StrangerFirst, WrittenToTest, testing::Bool());

TEST_P(WrittenToTest, OldDiskIsNotTakenThoughSomebodyElseWroteToTheNode) {
  SimulatedNode& node = *world_.nodes.at("a0");
  node.settle();
  const SimulatedNode::Disk old = node.snapshot();
  write("second", 0, 40);
  if (GetParam()) write_as_stranger();
  const std::uint64_t setbacks = world_.cluster().status("a0").setbacks;
  ASSERT_TRUE(world_.set_down("a0", true));
  node.restore(old);
  ASSERT_TRUE(world_.set_down("a0", false));
  // It is looked at before it is written to.
  ASSERT_TRUE(world_.run_until([&] { return world_.cluster().status("a0").setbacks > setbacks; }));
  if (!GetParam()) write_as_stranger();
  const std::string why = world_.cluster().status("a0").state_why;
  EXPECT_NE(why.find("it went back"), std::string::npos) << why;
  EXPECT_NE(why.find(kForeignTask), std::string::npos) << why;
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("third", 0, 40);
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
}

// Before Miroir looked again.
TEST_F(OldDiskTest, IsNotTakenThoughSomebodyElseMadeAsManyTasksOnIt) {
  SimulatedNode& node = *world_.nodes.at("a0");
  node.settle();
  const SimulatedNode::Disk old = node.snapshot();
  write("second", 0, 40);
  node.restore(old);
  write_as_stranger(5);
  const std::string why = world_.cluster().status("a0").state_why;
  EXPECT_TRUE(why.starts_with(kForeignHistory)) << why;
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("third", 0, 40);
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
}

// It missed a change of settings, and the key that a client made.
TEST_F(RecoverySourcesTest, ANodeThatIsNotTakenDecidesNeitherSettingsNorKeys) {
  set_behind("a0", ReplicaState::kStale);
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("second", 0, 40);
  const Json words = Json::array({"the"});
  for (const char* node : {"a1", "b0", "b1"}) {
    world_.nodes.at(node)->set_directly("books", "stopWords", words);
    ASSERT_TRUE(world_.nodes.at(node)->put_key(Json::object({{"uid", "k"}, {"name", "client"}})));
  }
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  EXPECT_EQ(world_.cluster().status("a0").state, ReplicaState::kStale);
  for (auto& [name, node] : world_.nodes) {
    const Json* read = node->disk().indexes.at("books").settings.find("stopWords");
    ASSERT_NE(read, nullptr) << name;
    EXPECT_EQ(*read, words) << name;
    EXPECT_TRUE(node->disk().keys.contains("k")) << name;
  }
  EXPECT_NE(world_.log().catalogue().key("k"), nullptr);
}

// The log forgot that the others dropped it.
TEST_F(RecoverySourcesTest, NorTheSettingsOfAnIndexThatTheLogKnowsAndNoSourceHolds) {
  const auto set = [&](const char* word) {
    const Json settings = Json::object({{"stopWords", Json::array({word})}});
    Entry entry;
    entry.kind = EntryKind::kUpdateSettings;
    entry.index_uid = "books";
    entry.arguments =
        Json::object({{"clientSettings", settings},
                      {"settings", settings_for_node(settings, Json::object(), "id")}});
    world_.append(std::move(entry));
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  };
  set("older");
  const SimulatedNode::Index missed = world_.nodes.at("a0")->disk().indexes.at("books");
  set("newer");
  set_behind("a0", ReplicaState::kStale);
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("second", 0, 40);
  world_.await_task(world_.drop_index("books"));
  ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
  SimulatedNode::Disk disk = world_.nodes.at("a0")->snapshot();
  disk.indexes["books"] = missed;
  world_.nodes.at("a0")->restore(std::move(disk));
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered() && world_.all_done(); }));
  const Json newer = Json::array({"newer"});
  EXPECT_EQ(*world_.log().catalogue().index("books")->settings.find("stopWords"), newer);
  for (auto& [name, node] : world_.nodes) {
    const Json* read = node->disk().indexes.at("books").settings.find("stopWords");
    ASSERT_NE(read, nullptr) << name;
    EXPECT_EQ(*read, newer) << name;
  }
}

TEST_F(RecoverySourcesTest, AnIndexThatOnlyANodeWhichIsNotTakenHoldsIsTakenOverToo) {
  set_behind("a0", ReplicaState::kStale);
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("second", 0, 40);
  SimulatedNode::Disk disk = world_.nodes.at("a0")->snapshot();
  disk.indexes["films"] = disk.indexes.at("books");
  world_.nodes.at("a0")->restore(std::move(disk));
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return is_recovered(); }));
  EXPECT_NE(world_.log().catalogue().index("films"), nullptr);
}

}  // namespace
}  // namespace miroir
