#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

// Documents that are PUT all the time, also while passes look at them.
class RestlessTest : public ReconcilerTest {
 protected:
  static std::uint64_t moving(const Json& pass) {
    return number(member(pass, "indexes").as_array().at(0), "moving");
  }
};

TEST_F(RestlessTest, LostCopyComesBackWithThePutsOnTop) {
  SimulatedNode& damaged = owner("id7");
  damaged.delete_directly(kIndex, "id7");
  EXPECT_EQ(number(pass_under_puts(PassKind::kDeep, "id7"), "repaired"), 1U);
  EXPECT_EQ(member(document(damaged, "id7"), "v"), Json("first"));
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("greater_base"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  expect_groups_equal();
  EXPECT_EQ(member(document(damaged, "id7"), "m"), Json(std::to_string(puts)));
}

TEST_F(RestlessTest, WhatMovedInOnePassIsJudgedInTheNextWhileTheLanesStand) {
  owner("id7").fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "documentAdditionOrUpdate") return "internal";
    return std::nullopt;
  });
  world.write(kIndex, {"id7"}, "lost", EntryKind::kMergeDocuments);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const Json first = pass_under_puts(PassKind::kLight, "id7");
  owner("id7").fail_tasks({});
  const Json second = pass_under_puts(PassKind::kLight, "id7");
  EXPECT_EQ(moving(first), 1U);
  EXPECT_EQ(member(first, "clean"), Json(false));
  EXPECT_EQ(moving(second), 0U) << to_text(second);
  EXPECT_EQ(number(second, "mismatches"), 0U);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); })) << "the lanes go on";
  expect_groups_equal();
}

// It would pile up: what moved stays known until it was seen on all owners.
TEST_F(RestlessTest, WhileANodeIsAwayNothingThatMovesIsLeftForTheNext) {
  const std::string away = owners("id7")[0] == "a0" ? "a1" : "a0";
  node(away).options().down = true;
  ASSERT_TRUE(world.run_until([&] { return !world.cluster().status(away).healthy; }));
  owner("id7").fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "documentAdditionOrUpdate") return "internal";
    return std::nullopt;
  });
  world.write(kIndex, {"id7"}, "lost", EntryKind::kMergeDocuments);
  world.run_for(Seconds(5));
  EXPECT_EQ(moving(pass_under_puts(PassKind::kLight, "id7")), 0U);
}

TEST_F(RestlessTest, NodeThatLagsUnderWritesIsInSyncAgain) {
  for (const std::string& lags : owners("id7")) {
    node(lags).options().task_delay_max = Seconds(16);
    ASSERT_TRUE(
        world.await(world.cluster().set_state(owners("id7")[0], ReplicaState::kStale, "a test")));
    const Json pass = pass_under_puts(PassKind::kLight, "id7", Milliseconds(200));
    EXPECT_EQ(world.cluster().status(owners("id7")[0]).state, ReplicaState::kInSync)
        << lags << to_text(pass);
    node(lags).options().task_delay_max = Milliseconds(200);
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
}

class ManyRestlessTest : public RestlessTest {
 protected:
  ManyRestlessTest() { options.unresolved_kept_max = 0; }
};

TEST_F(ManyRestlessTest, WhatMovedIsNotSaidToDiffer) {
  owner("id7").fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "documentAdditionOrUpdate") return "internal";
    return std::nullopt;
  });
  world.write(kIndex, {"id7"}, "lost", EntryKind::kMergeDocuments);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_EQ(moving(pass_under_puts(PassKind::kLight, "id7")), 1U);
  owner("id7").fail_tasks({});
  world.write(kIndex, {"id7"}, "last", EntryKind::kMergeDocuments);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  run_pass(PassKind::kLight);
  const Json pass = run_pass(PassKind::kLight);
  EXPECT_EQ(member(pass, "clean"), Json(true)) << to_text(pass);
}

// Of the three symbols of its stamp one is that of the right stamp too.
TEST_F(RestlessTest, StaleCopyThatSharesASymbolIsFoundUnderWrites) {
  std::map<std::string, Json> stale;
  for (int i = 0; i < 200; ++i) {
    const std::string id = "id" + std::to_string(i);
    stale[id] = document(owner(id), id);
  }
  write(0, 200, "second");
  std::erase_if(stale, [&](const auto& old) {
    const auto& [id, copy] = old;
    const Json right = document(owner(id), id);
    return std::ranges::count_if(kDigestFields, [&](std::string_view field) {
             return member(copy, field) == member(right, field);
           }) != 1;
  });
  ASSERT_FALSE(stale.empty());
  for (const auto& [id, copy] : stale) {
    owner(id).write_directly(kIndex, id, copy);
    EXPECT_EQ(number(pass_under_puts(PassKind::kLight, "id-moving"), "repaired"), 1U) << id;
    EXPECT_EQ(member(document(owner(id), id), "v"), Json("second"));
  }
}

// What a deep pass proves lets tombstones go.
TEST_F(RestlessTest, ADeepPassLeavesNothingForTheNext) {
  const Json deep = pass_under_puts(PassKind::kDeep, "id7");
  EXPECT_EQ(moving(deep), 0U) << to_text(deep);
  EXPECT_EQ(number(deep, "mismatches"), 0U);
}

}  // namespace
}  // namespace miroir
