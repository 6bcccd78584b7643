// What a disk has that took a later entry before it was sent a swap, a renaming or a drop again.
#include <utility>

#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class MissedNamesTest : public ReconcilerTest {
 protected:
  void SetUp() override {
    ReconcilerTest::SetUp();
    world.create_index("films");
    world.write("films", {"film1", "film2"}, "film");
    settle();
  }
  void drop(const std::string& index) {
    world.drop_index(index);
    settle();
  }
  // The next write reaches b0 on another disk.
  void put_back_on_the_way(const SimulatedNode::Disk& disk) {
    bool put_back = false;
    world.refuse = [&](const std::string& name, const NodeWrite&) -> std::optional<Error> {
      if (name == "b0" && !std::exchange(put_back, true)) node("b0").restore(disk);
      return std::nullopt;
    };
    std::vector<std::string> ids;
    for (int i = 0; i < 40; ++i) ids.push_back("id" + std::to_string(i));
    world.write("films", ids, "later");
    settle();
    world.refuse = nullptr;
    ASSERT_EQ(world.cluster().status("b0").state, ReplicaState::kStale);
  }
  void set_peers_down(bool down) {
    for (const std::string name : {"a0", "a1"}) ASSERT_TRUE(world.set_down(name, down));
  }
  // What is another's by now, while nobody else holds it.
  void expect_kept_for_the_time_being() {
    const std::size_t held = node("b0").documents(kIndex).size();
    ASSERT_GT(held, 50U);
    set_peers_down(true);
    run_pass(PassKind::kLight);
    ASSERT_TRUE(node("b0").disk().indexes.contains(kIndex));
    EXPECT_EQ(node("b0").documents(kIndex).size(), held);
    set_peers_down(false);
    run_pass(PassKind::kLight);
    EXPECT_FALSE(node("b0").disk().indexes.contains(kIndex));
    run_pass(PassKind::kLight);
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
    EXPECT_TRUE(world.log().index_taints().empty());
    EXPECT_EQ(world.documents_of_group(0, "films"), world.documents_of_group(1, "films"));
  }
};

TEST_F(MissedNamesTest, WhatWasSwappedAwayBeforeADropStaysWhileNobodyElseHoldsIt) {
  const SimulatedNode::Disk older = node("b0").snapshot();
  world.swap_indexes(kIndex, "films");
  settle();
  drop(kIndex);
  put_back_on_the_way(older);
  expect_kept_for_the_time_being();
}

// The renaming failed before that disk is from, and what it left was dropped there since.
TEST_F(MissedNamesTest, SoDoesWhatARenamingHadLeft) {
  world.fail_tasks({"indexUpdate"}, "b0");
  Entry rename;
  rename.kind = EntryKind::kUpdateIndex;
  rename.index_uid = kIndex;
  rename.arguments = Json::object({{"primaryKey", nullptr}, {"newUid", "shows"}});
  world.append(std::move(rename));
  settle();
  world.fail_tasks({});
  const SimulatedNode::Disk older = node("b0").snapshot();
  run_pass(PassKind::kLight);
  ASSERT_FALSE(node("b0").disk().indexes.contains(kIndex));
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  put_back_on_the_way(older);
  expect_kept_for_the_time_being();
  EXPECT_EQ(world.documents_of_group(0, "shows"), world.documents_of_group(1, "shows"));
}

}  // namespace
}  // namespace miroir
