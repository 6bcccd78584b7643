// A creation that failed on all owners of some shards, and was applied elsewhere: nobody without
// doubt has their documents.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

const std::set<std::string> kFailing = {"a0", "b0"};

class FailedCreationsTest : public ReconcilerTest {
 protected:
  void fail_on_those(const std::set<std::string>& types) {
    for (const std::string& name : kFailing) {
      node(name).fail_tasks([types](const NodeTask& task) -> std::optional<std::string> {
        if (types.contains(task.type)) return "internal";
        return std::nullopt;
      });
    }
  }
  void work_again() {
    settle();
    for (auto& [name, each] : world.nodes) each->fail_tasks({});
  }
  bool only_there(const std::string& id) {
    return std::ranges::all_of(owners(id), [](auto& owner) { return kFailing.contains(owner); });
  }
  // Of id0 … id199, those whose owners are these nodes.
  std::vector<std::string> ids_there() {
    std::vector<std::string> ids;
    for (int i = 0; i < 200; ++i) {
      const std::string id = "id" + std::to_string(i);
      if (only_there(id)) ids.push_back(id);
    }
    return ids;
  }
  std::string id_there(const std::string& prefix) {
    for (int i = 0;; ++i)
      if (std::string id = prefix + std::to_string(i); only_there(id)) return id;
  }
  void put(const std::string& id, const std::string& field) {
    Entry entry;
    entry.kind = EntryKind::kMergeDocuments;
    entry.index_uid = kIndex;
    const std::string text = R"({"id":")" + id + R"(",")" + field + R"(":1})";
    world.append_records(std::move(entry), {{slot_of(id), 0, id, text}});
  }
  void merge(const std::string& id, const std::string& field) {
    put(id, field);
    settle();
  }
  void create_again() {
    EXPECT_EQ(world.await_task(world.create_index(kIndex)).status, "failed");
    set_settings(Json::object({{"stopWords", Json::array({"b"})}}));
  }
  void rename(const std::string& to) {
    Entry entry;
    entry.kind = EntryKind::kUpdateIndex;
    entry.index_uid = kIndex;
    entry.task_type = "indexUpdate";
    entry.arguments = Json::object({{"primaryKey", Json()}, {"newUid", to}});
    world.append(std::move(entry));
  }
  void expect_clean() {
    const Json pass = run_pass(PassKind::kDeep);
    EXPECT_EQ(member(pass, "clean"), Json(true)) << to_text(pass);
    EXPECT_TRUE(world.log().index_taints().empty());
    expect_groups_equal();
  }
};

TEST_F(FailedCreationsTest, WhereNothingWasInItsWayTheDoubtEnds) {
  fail_on_those({"indexCreation"});
  EXPECT_EQ(world.await_task(world.create_index("books")).status, "failed");
  work_again();
  world.write("books", ids_there(), "first");
  settle();
  ASSERT_EQ(world.log().index_taints().size(), 2U);
  run_pass(PassKind::kLight);
  EXPECT_EQ(node("a0").documents("books").size(), ids_there().size());
  expect_clean();
}

TEST_F(FailedCreationsTest, TheDoubtEndsThoughItsSettingsFailedToo) {
  fail_on_those({"indexCreation", "settingsUpdate"});
  world.create_index("books");
  set_settings(Json::object({{"stopWords", Json::array({"b"})}}), "books");
  work_again();
  world.write("books", ids_there(), "first");
  settle();
  run_pass(PassKind::kLight);
  EXPECT_EQ(node("a0").documents("books").size(), ids_there().size());
  expect_clean();
}

// A document of either kind that one of the two lost or kept is judged as any other.
TEST_F(FailedCreationsTest, WhatIsThereIsJudgedByTheRules) {
  fail_on_those({"indexCreation"});
  world.create_index("books");
  work_again();
  const std::vector<std::string> ids = ids_there();
  ASSERT_GT(ids.size(), 2U);
  world.write("books", ids, "first");
  settle();
  const Json kept = node("a0").disk().indexes.at("books").documents.at(ids[1]);
  world.remove("books", {ids[1]});
  settle();
  node("b0").delete_directly("books", ids[0]);
  node("a0").write_directly("books", ids[1], kept);
  run_pass(PassKind::kLight);
  EXPECT_TRUE(node("b0").disk().indexes.at("books").documents.contains(ids[0]));
  EXPECT_FALSE(node("a0").disk().indexes.at("books").documents.contains(ids[1]));
  expect_clean();
}

TEST_F(FailedCreationsTest, NothingOfADroppedIndexThatWasInItsWayLivesOn) {
  fail_on_those({"indexDeletion"});
  EXPECT_EQ(world.await_task(world.drop_index(kIndex)).status, "failed");
  work_again();
  create_again();
  const std::vector<std::string> ids = ids_there();
  ASSERT_GT(ids.size(), 2U);
  world.write(kIndex, {ids[0]}, "second");
  settle();
  ASSERT_EQ(document(node("a0"), ids[1]), document(node("b0"), ids[1]));
  ASSERT_FALSE(document(node("a0"), ids[1]).is_null());
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.documents_of_group(world.topology().groups()[0], kIndex).size(), 1U);
  EXPECT_EQ(member(document(node("a0"), ids[0]), "v"), Json("second"));
  EXPECT_EQ(member(repair_of(ids[1]), "reason"), Json("before_birth"));
  expect_clean();
}

// What it was merged into is not the index's; nobody has it as it should be.
TEST_F(FailedCreationsTest, WhatWasMergedIntoADroppedIndexsDocumentIsReported) {
  fail_on_those({"indexDeletion"});
  world.drop_index(kIndex);
  work_again();
  create_again();
  const std::string id = ids_there().front();
  merge(id, "fresh");
  ASSERT_EQ(member(document(node("a0"), id), "v"), Json("first"));
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of(id), "reason"), Json("no_source"));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(false));
  EXPECT_EQ(world.log().index_taints().size(), 2U);
  world.write(kIndex, {id}, "second");
  settle();
  run_pass(PassKind::kLight);
  expect_clean();
}

// Its client is told that it failed in those shards, for nobody there has done it.
TEST_F(FailedCreationsTest, TheDoubtLastsUntilAnOwnerThatWasAwayWasComparedWith) {
  const std::string id = id_there("m");
  world.clear(kIndex);
  merge(id, "old");
  node("a0").fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "indexDeletion") return "internal";
    return std::nullopt;
  });
  world.drop_index(kIndex);
  work_again();
  ASSERT_TRUE(world.set_down("b0", true));
  create_again();
  put(id, "fresh");  // without a base: by stamp and base the copies will be equal
  world.run_for(Seconds(30));
  ASSERT_NE(document(node("a0"), id).find("old"), nullptr);
  run_pass(PassKind::kLight);
  ASSERT_TRUE(world.set_down("b0", false));
  settle();
  run_pass(PassKind::kLight);
  EXPECT_EQ(document(node("a0"), id).find("old"), nullptr);
  expect_clean();
}

// Nobody else holds them.
TEST_F(FailedCreationsTest, DocumentsOfAnIndexWhoseRenameFailedThereAreKept) {
  fail_on_those({"indexUpdate"});
  rename("films");
  work_again();
  create_again();
  const std::vector<std::string> ids = ids_there();
  for (int pass = 0; pass < 2; ++pass) run_pass(PassKind::kDeep);
  for (const std::string& id : ids) EXPECT_FALSE(document(node("a0"), id).is_null()) << id;
  EXPECT_FALSE(world.log().index_taints().empty());
}

// Before one that was away failed, too: nodes that have a key do not lose it again.
TEST_F(FailedCreationsTest, TheKeyThatTheReconcilerGaveANodeMeanwhileStays) {
  for (auto& [name, each] : world.nodes) {
    each->fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
      if (task.type == "indexCreation" && task.index_uid == "books") return "internal";
      return std::nullopt;
    });
  }
  ASSERT_TRUE(world.set_down("a1", true));
  const Position creation = world.create_index("books");
  world.remove("books", {"id1"});
  const auto ended = [&](const auto& each) {
    return each.first == "a1" || world.cluster().status(each.first).done >= world.log().head();
  };
  ASSERT_TRUE(world.run_until([&] { return std::ranges::all_of(world.nodes, ended); }));
  for (auto& [name, each] : world.nodes)
    if (name != "a1") each->fail_tasks({});
  run_pass(PassKind::kLight);
  ASSERT_TRUE(node("b0").disk().indexes.contains("books"));
  ASSERT_TRUE(world.set_down("a1", false));
  EXPECT_EQ(world.await_task(creation).status, "failed");
  work_again();
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.log().catalogue().index("books")->primary_key, "id");
  expect_clean();
}

}  // namespace
}  // namespace miroir
