// What a recovery takes from the nodes beside documents: keys, and settings.
#include <gtest/gtest.h>

#include "recovery/recovery_world_fake.h"

namespace miroir {
namespace {

class TakenCatalogueTest : public RecoveryTest {
 protected:
  void append(EntryKind kind, Json arguments, const std::string& index_uid = "") {
    Entry entry;
    entry.kind = kind;
    entry.index_uid = index_uid;
    entry.primary_key = index_uid.empty() ? "" : "id";
    entry.arguments = std::move(arguments);
    world_.append(std::move(entry));
  }
  void put_key(const std::string& uid, const std::string& action) {
    append(EntryKind::kPutKey, Json::object({{"uid", uid},
                                             {"name", "reader"},
                                             {"description", Json()},
                                             {"actions", Json::array({action})},
                                             {"indexes", Json::array({"*"})},
                                             {"expiresAt", "2200-01-01T00:00:00Z"}}));
  }
  void delete_key(const std::string& uid) {
    append(EntryKind::kDeleteKey, Json::object({{"uid", uid}}));
  }
  void print_keys_as_nodes_do() {
    ASSERT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    for (auto& [name, node] : world_.nodes) {
      SimulatedNode::Disk disk = node->snapshot();
      for (auto& [uid, key] : disk.keys) {
        key.set("key", "secret");
        key.set("expiresAt", "2200-01-01T00:00:00.000Z");
      }
      node->restore(std::move(disk));
    }
  }
};

// Deleted after the copy was made, and made again with fewer.
TEST_F(TakenCatalogueTest, AKeyHasTheRightsThatItHasOnTheNodes) {
  put_key("k1", "*");
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  delete_key("k1");
  put_key("k1", "search");
  put_key("k2", "search");
  write("told by its metadata", 0, 40);
  print_keys_as_nodes_do();
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync() && world_.all_done(); }));
  for (const char* uid : {"k1", "k2"}) {
    const KeyState* key = world_.log().catalogue().key(uid);
    ASSERT_NE(key, nullptr) << uid;
    EXPECT_EQ(*key->key.find("actions"), Json::array({"search"})) << uid;
    EXPECT_EQ(key->key.find("key"), nullptr) << uid;
    for (auto& [name, node] : world_.nodes)
      EXPECT_EQ(*node->disk().keys.at(uid).find("actions"), Json::array({"search"})) << name;
  }
}

TEST_F(TakenCatalogueTest, AKeyThatIsAsTheLogSaysIsNotMadeAgain) {
  put_key("k1", "search");
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  write("told by its metadata", 0, 40);
  print_keys_as_nodes_do();
  const KeyState before = *world_.log().catalogue().key("k1");
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync() && world_.all_done(); }));
  EXPECT_EQ(world_.log().catalogue().key("k1")->key, before.key);
}

}  // namespace
}  // namespace miroir
