// What a recovery takes from the nodes beside documents: keys, and settings.
#include <gtest/gtest.h>

#include "node_api/node_settings.h"
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
  void set_embedders(const Json& embedders) {
    const Json settings = Json::object({{"embedders", embedders}});
    const Json& before = world_.log().catalogue().index("books")->settings;
    append(EntryKind::kUpdateSettings,
           Json::object({{"settings", settings_for_node(settings, before, "id")},
                         {"clientSettings", settings}}),
           "books");
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

TEST_F(TakenCatalogueTest, EmbeddersAreThoseOfTheNodesWithTheKeysThatTheCopyKnows) {
  const std::string secret = "sk-0123456789abcdefghijklmnopqrstuvwxyz";
  const std::string other = "kk-0123456789abcdefghijklmnopqrstuvwxyz";
  const auto embedder = [](const std::string& model, const std::string& key) {
    return Json::object({{"source", "openAi"}, {"model", model}, {"apiKey", key}});
  };
  set_embedders(Json::object({{"changed", embedder("old", secret)},
                              {"gone", embedder("old", secret)},
                              {"other key", embedder("old", secret)}}));
  const MemoryStore::Tables yesterday = world_.store.snapshot();
  set_embedders(Json::object({{"changed", embedder("new", secret)},
                              {"fresh", embedder("new", other)},
                              {"other key", embedder("old", other)}}));
  write("told by its metadata", 0, 40);
  restart_on(yesterday);
  ASSERT_TRUE(world_.run_until([&] { return all_in_sync() && world_.all_done(); }));
  const Json* taken = world_.log().catalogue().index("books")->settings.find("embedders");
  ASSERT_NE(taken, nullptr);
  const auto keyless = [](const std::string& model) {
    return Json::object({{"source", "openAi"}, {"model", model}});
  };
  // A node keeps the key of an embedder of which it is not told another.
  const Json wanted = Json::object({{"changed", embedder("new", secret)},
                                    {"fresh", keyless("new")},
                                    {"other key", keyless("old")}});
  EXPECT_EQ(*taken, wanted) << to_text(*taken);
}

}  // namespace
}  // namespace miroir
