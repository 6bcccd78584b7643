#pragma once

#include "anti_entropy/reconciler_fake.h"
#include "node_api/node_settings.h"

namespace miroir {

inline const std::string kOne = "one";

class TakenBackTest : public ReconcilerTest {
 protected:
  static ForwardWorld::Options one_node_a_group(int groups) {
    ForwardWorld::Options options;
    options.groups = groups;
    options.nodes_per_group = 1;
    options.task_delay_max = Seconds(5);
    return options;
  }
  explicit TakenBackTest(int groups = 2) : ReconcilerTest(one_node_a_group(groups)) {}
  void SetUp() override {
    ReconcilerTest::SetUp();
    world.create_index(kOne);
    settle();
  }

  void settle() {
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    for (auto& [name, each] : world.nodes) each->fail_tasks({});
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
  void rename(const std::string& from, const std::string& to) {
    world.append(update(from, Json(), to));
  }
  // As a client's: settings come with it, and both are one task.
  void change_key(const std::string& uid, const std::string& key, Json new_uid = Json()) {
    const IndexState& index = *world.log().catalogue().index(uid);
    Entry settings;
    settings.origin = Origin::kSystem;
    settings.kind = EntryKind::kUpdateSettings;
    settings.index_uid = uid;
    settings.primary_key = index.primary_key.value_or("");
    settings.arguments =
        Json::object({{"clientSettings", index.settings},
                      {"previous", index.settings_version},
                      {"settings", settings_for_node(index.settings, index.settings, key)}});
    world.append(std::move(settings));
    Entry change = update(uid, key, Json());
    if (new_uid.is_string()) change.task = world.log().head() + 2;
    world.append(std::move(change));
    if (new_uid.is_string()) rename(uid, new_uid.as_string());
  }
  static Entry update(const std::string& uid, Json key, Json new_uid) {
    Entry entry;
    entry.kind = EntryKind::kUpdateIndex;
    entry.task_type = "indexUpdate";
    entry.index_uid = uid;
    entry.arguments =
        Json::object({{"primaryKey", std::move(key)}, {"newUid", std::move(new_uid)}});
    return entry;
  }
  // In the log and on every node.
  void expect_key(const std::string& uid, std::optional<std::string> key) {
    EXPECT_EQ(world.log().catalogue().index(uid)->primary_key, key) << uid;
    for (const auto& [name, each] : world.nodes) {
      const auto held = each->disk().indexes.find(uid);
      ASSERT_NE(held, each->disk().indexes.end()) << uid << " on " << name;
      EXPECT_EQ(held->second.primary_key, key) << uid << " on " << name;
    }
  }
  // As a client's: settings come with it, and make it on nodes too.
  void make(const std::string& uid) {
    const Position position = world.create_index(uid);
    Entry settings;
    settings.origin = Origin::kSystem;
    settings.kind = EntryKind::kUpdateSettings;
    settings.index_uid = uid;
    settings.incarnation = position;
    settings.primary_key = "id";
    const Json none = Json::object();
    settings.arguments =
        Json::object({{"clientSettings", none}, {"settings", settings_for_node(none, none, "id")}});
    world.append(std::move(settings));
  }
  void stop_word(const std::string& uid, const std::string& word) {
    change_settings(uid, Json::object({{"stopWords", Json::array({word})}}));
  }
  Json settings(const std::string& uid) { return world.log().catalogue().index(uid)->settings; }
  // On every node.
  void expect_holds(const std::string& uid, std::set<std::string> ids) {
    for (const auto& [name, each] : world.nodes) {
      std::set<std::string> held;
      for (const auto& [id, text] : each->documents(uid)) held.insert(id);
      EXPECT_EQ(held, ids) << uid << " on " << name;
    }
  }
  void expect_names(std::set<std::string> uids) {
    std::set<std::string> known;
    uids.insert(kIndex);
    for (const auto& [uid, index] : world.log().catalogue().indexes()) known.insert(uid);
    EXPECT_EQ(known, uids);
    for (const auto& [name, each] : world.nodes) {
      std::set<std::string> held;
      for (const auto& [uid, index] : each->disk().indexes) held.insert(uid);
      EXPECT_EQ(held, uids) << name;
    }
  }
  // And nothing of it is anybody's doing.
  void expect_clean(bool repaired_settings = false) {
    run_pass(PassKind::kDeep);
    const Json deep = run_pass(PassKind::kDeep);
    EXPECT_EQ(member(deep, "clean"), Json(true));
    if (!repaired_settings) EXPECT_EQ(member(deep, "repaired"), Json(0));
    EXPECT_TRUE(world.log().index_taints().empty());
  }
};

}  // namespace miroir
