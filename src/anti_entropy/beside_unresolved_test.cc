// A document that is left as it is holds back only nodes whose own copy no trusted peer has.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class BesideUnresolvedTest : public ReconcilerTest {
 protected:
  BesideUnresolvedTest() : ReconcilerTest({.groups = 3}) {}
  // It keeps all its documents.
  void doubt(const std::string& name) {
    world.fail_tasks({"documentDeletion"}, name);
    world.clear(kIndex);
    settle();
    world.fail_tasks({});
    ASSERT_EQ(world.log().index_taints().size(), 1U);
  }
  void write_foreign(std::size_t group) {
    owner("alien", group).write_directly(kIndex, "alien", Json::object({{"id", "alien"}}));
  }
  // Through the node's own API, which makes the node stale.
  void write_behind(const std::string& name, const std::string& id) {
    Json copy = document(node(name), id);
    copy.set("v", "stranger's");
    WriteDocuments write{.index_uid = kIndex, .primary_key = "id", .ndjson = to_text(copy)};
    ASSERT_TRUE(node(name).enqueue(std::move(write), std::nullopt, ""));
    node(name).settle();
  }
  // Equal stamps, and no checksum that tells who is right.
  void tie(const std::string& id, std::vector<std::size_t> groups) {
    world.write(kIndex, {id}, "put", EntryKind::kMergeDocuments);
    settle();
    for (const std::size_t group : groups)
      ASSERT_TRUE(owner(id, group).corrupt(kIndex, id, "v", "flipped " + std::to_string(group)));
  }
  ReplicaState state(const std::string& name) { return world.cluster().status(name).state; }
};

TEST_F(BesideUnresolvedTest, AnIndexIsInDoubtNoMoreThoughAnotherHoldsAForeignDocument) {
  doubt(owners("alien")[2]);
  write_foreign(0);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 1U) << to_text(light);
  EXPECT_TRUE(world.log().index_taints().empty()) << to_text(light);
  EXPECT_TRUE(node(owners("alien")[2]).documents(kIndex).empty());
}

TEST_F(BesideUnresolvedTest, AnIndexStaysInDoubtThatHoldsAForeignDocumentAlone) {
  doubt(owners("alien")[2]);
  write_foreign(2);
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.log().index_taints().size(), 1U);
}

TEST_F(BesideUnresolvedTest, ANodeStaysStaleThatHoldsWhatNoneOfItsPeersDoes) {
  const std::string healing = owners("id7")[1];
  tie("id7", {0});
  write_behind(healing, "id7");
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(state(healing), ReplicaState::kStale) << to_text(light);
}

TEST_F(BesideUnresolvedTest, ANodeIsInSyncWhosePeersAreNotAtOne) {
  const std::string healing = owners("id7")[1];
  tie("id7", {0});
  std::string other = "id8";
  for (int i = 8; owners(other)[1] != healing; ++i) other = "id" + std::to_string(i);
  write_behind(healing, other);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 1U) << to_text(light);
  EXPECT_EQ(state(healing), ReplicaState::kInSync) << to_text(light);
}

TEST_F(BesideUnresolvedTest, ANodeWithAProblemKeepsNoOtherFromBeingInSync) {
  run_pass(PassKind::kLight);
  node("a0").set_directly(kIndex, "stopWords", Json::array({"the"}));
  world.fail_tasks({"settingsUpdate"}, "a0");
  write_behind("c0", node("c0").documents(kIndex).begin()->first);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "clean"), Json(false)) << to_text(light);
  EXPECT_EQ(state("c0"), ReplicaState::kInSync) << to_text(light);
}

// As an older Miroir wrote them, by the index alone.
TEST_F(BesideUnresolvedTest, RowsOfAnOlderStoreAreForgotten) {
  const Position index = world.log().catalogue().index(kIndex)->incarnation;
  const std::string key = key_join("moving documents", key_of(index));
  Batch batch;
  batch.put(Table::kMeta, key, "[\"id5\"]");
  ASSERT_TRUE(world.await(world.store.commit(std::move(batch))));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  EXPECT_FALSE(world.store.snapshot()[static_cast<std::size_t>(Table::kMeta)].contains(key));
}

}  // namespace
}  // namespace miroir
