// When the memory of a delete may go (DESIGN.md, invariant 4).
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class TombstoneCollectionTest : public ReconcilerTest {
 protected:
  void remove(const std::string& id) {
    world.remove(kIndex, {id});
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
  std::uint64_t kept() { return world.log().tombstone_count(kIndex); }
};

TEST_F(TombstoneCollectionTest, OutlivesACleanDeepPassByAnHour) {
  remove("id7");
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  world.run_for(std::chrono::minutes(50));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(kept(), 1U);
  world.run_for(std::chrono::minutes(11));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(kept(), 0U);
}

TEST_F(TombstoneCollectionTest, PassThatBeganBeforeTheDeleteSaysNothingOfIt) {
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  remove("id7");
  world.run_for(std::chrono::hours(2));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(kept(), 1U);
}

TEST_F(TombstoneCollectionTest, LightPassesAndPassesThatAreNotCleanDoNotCount) {
  const Json old = document(owner("id7"), "id7");
  remove("id7");
  run_pass(PassKind::kLight);
  node("b1").options().down = true;
  world.run_for(Seconds(30));
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(false));
  world.run_for(std::chrono::hours(2));
  node("b1").options().down = false;
  world.run_for(Seconds(30));
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_EQ(kept(), 1U);
  // It is needed.
  owner("id7").write_directly(kIndex, "id7", old);
  run_pass(PassKind::kLight);
  EXPECT_TRUE(document(owner("id7"), "id7").is_null());
}

TEST_F(TombstoneCollectionTest, KeptBeyondTheRetentionUntilADeepPassIsClean) {
  stop_reconciler();
  options.tombstone_retention = std::chrono::hours(2);
  start_reconciler();
  const Json old = document(owner("id7"), "id7");
  remove("id7");
  owner("alien").write_directly(kIndex, "alien", Json::object({{"id", "alien"}}));
  for (int pass = 0; pass < 3; ++pass) {
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(false));
    world.run_for(std::chrono::hours(3));
    EXPECT_EQ(kept(), 1U);
  }
  // It is needed.
  owner("id7").write_directly(kIndex, "id7", old);
  run_pass(PassKind::kLight);
  EXPECT_TRUE(document(owner("id7"), "id7").is_null());

  owner("alien").delete_directly(kIndex, "alien");
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_EQ(kept(), 0U) << "one is enough: the delete is older than the retention";
}

// What the collection goes by outlives the audit.
TEST_F(TombstoneCollectionTest, DoesNotWaitForTheAudit) {
  stop_reconciler();
  options.audit_retention = Seconds(1);
  start_reconciler();
  remove("id7");
  ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  world.run_for(std::chrono::minutes(30));
  run_pass(PassKind::kLight);
  world.run_for(std::chrono::minutes(31));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(kept(), 0U) << "a clean deep pass began after the delete, an hour ago";
}

TEST_F(TombstoneCollectionTest, GoesByTheRetentionWhateverIsFoundMeanwhile) {
  stop_reconciler();
  options.tombstone_retention = std::chrono::hours(2);
  options.audit_retention = std::chrono::hours(1);
  options.light_interval = Seconds(60);
  start_reconciler();
  remove("id7");
  owner("alien").write_directly(kIndex, "alien", Json::object({{"id", "alien"}}));
  world.run_for(std::chrono::minutes(119));
  remove("id8");
  world.run_for(std::chrono::minutes(5));
  owner("alien").delete_directly(kIndex, "alien");
  EXPECT_EQ(kept(), 2U);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_EQ(kept(), 1U) << "the delete that is older";
}

// A wall clock that was ahead for a while puts nothing off.
TEST_F(TombstoneCollectionTest, GoesOnWhereTheClockWasAhead) {
  remove("id7");
  world.clock.set_wall_offset(std::chrono::hours(24 * 365));
  run_pass(PassKind::kDeep);
  world.clock.set_wall_offset(Seconds(0));
  run_pass(PassKind::kDeep);
  world.run_for(std::chrono::minutes(62));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(kept(), 0U);
}

}  // namespace
}  // namespace miroir
