#include "anti_entropy/quarantine.h"

#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class QuarantineTest : public ReconcilerTest {
 protected:
  using ReconcilerTest::ReconcilerTest;
  // Lost again and again on the same node, whoever repairs it.
  void lose_and_repair(int times) {
    for (int i = 0; i < times; ++i) {
      owner("id7").delete_directly(kIndex, "id7");
      EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U);
    }
  }
  bool lost() { return document(owner("id7"), "id7").is_null(); }
};

TEST_F(QuarantineTest, DocumentRepairedAgainAndAgainIsLeftAndReported) {
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax);
  owner("id7").delete_directly(kIndex, "id7");
  owner("id8").delete_directly(kIndex, "id8");
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 1U) << "it holds back only itself";
  EXPECT_EQ(number(light, "unresolved"), 1U);
  EXPECT_TRUE(lost());
  const Json divergence = reconciler->divergence();
  EXPECT_EQ(member(member(divergence, "quarantined").as_array().at(0), "id"), Json("id7"));
  const Json& shard =
      member(member(divergence, "indexes").as_array().at(0), "shards").as_array().at(0);
  EXPECT_EQ(member(shard, "state"), Json("quarantined"));
  EXPECT_EQ(member(shard, "why"), Json("1 document"));
}

TEST_F(QuarantineTest, ItSurvivesARestart) {
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax);
  owner("id7").delete_directly(kIndex, "id7");
  stop_reconciler();
  start_reconciler();
  EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 1U);
  EXPECT_TRUE(lost());
}

TEST_F(QuarantineTest, MetricsTellOfItAfterARestartBeforeAnyPass) {
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax);
  owner("id7").delete_directly(kIndex, "id7");
  run_pass(PassKind::kLight);
  Metrics& metrics = world.process->metrics;
  Gauge shards =
      metrics.gauge("miroir_antientropy_shard_state", "",
                    {{"index", kIndex}, {"state", "quarantined"}, {"reason", "documents"}});
  Gauge documents =
      metrics.gauge("miroir_antientropy_unresolved_documents", "", {{"index", kIndex}});
  EXPECT_EQ(shards.value(), 1);
  stop_reconciler();
  for (Gauge* gauge : {&shards, &documents}) gauge->set(0);
  start_reconciler();
  EXPECT_EQ(shards.value(), 1);
  EXPECT_EQ(documents.value(), 1);
}

TEST_F(QuarantineTest, WriteOfAClientFreesIt) {
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax);
  write(7, 8, "second");
  owner("id7").delete_directly(kIndex, "id7");
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  EXPECT_FALSE(lost());
}

TEST_F(QuarantineTest, DeepPassThatFindsItRightFreesIt) {
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  owner("id7").delete_directly(kIndex, "id7");
  run_pass(PassKind::kLight);
  EXPECT_FALSE(lost());
}

TEST_F(QuarantineTest, DeepPassBetweenRepairsBeginsTheCountAnew) {
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax - 1);
  run_pass(PassKind::kDeep);
  lose_and_repair(anti_entropy::Quarantine::kRepairsMax);
}

TEST_F(QuarantineTest, PassesThatDoNotReadItsShardNeitherFreeItNorBeginTheCountAnew) {
  stop_reconciler();
  options.shards_per_pass = 3;
  options.schedule = Seconds(30);
  start_reconciler();
  const Gauge been_through_all =
      world.process->metrics.gauge("miroir_antientropy_last_deep_scan_completed_seconds", "");
  const auto rotate = [&] {
    ASSERT_TRUE(owner("id7").corrupt(kIndex, "id7", "v", "flipped"));
    const double before = been_through_all.value();
    ASSERT_TRUE(world.run_until([&] { return been_through_all.value() > before; }));
  };
  for (int i = 0; i < anti_entropy::Quarantine::kRepairsMax; ++i) {
    rotate();
    EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("first"));
  }
  rotate();
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("flipped"));
  EXPECT_EQ(member(reconciler->divergence(), "quarantined").size(), 1U);
}

TEST_F(QuarantineTest, ReplicaThatIsBeingHealedIsGivenItAllTheSame) {
  const std::string victim = owners("id7")[0];
  for (int i = 0; i < anti_entropy::Quarantine::kRepairsMax + 2; ++i) {
    ASSERT_TRUE(world.await(world.cluster().set_state(victim, ReplicaState::kStale, "damaged")));
    node(victim).delete_directly(kIndex, "id7");
    EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U);
    EXPECT_FALSE(lost());
    ASSERT_EQ(world.cluster().status(victim).state, ReplicaState::kInSync);
  }
  EXPECT_EQ(member(reconciler->divergence(), "quarantined").size(), 0U);
}

class ThreeGroupsTest : public QuarantineTest {
 protected:
  ThreeGroupsTest() : QuarantineTest({.groups = 3}) {}
};

TEST_F(ThreeGroupsTest, WhatIsLeftIsNotRepairedByWhatAReplicaThatIsBeingHealedIsGiven) {
  const auto damage = [&](std::size_t group) {
    ASSERT_TRUE(owner("id7", group).corrupt(kIndex, "id7", "v", "flipped"));
  };
  for (int i = 0; i < anti_entropy::Quarantine::kRepairsMax; ++i) {
    damage(0);
    EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 1U);
  }
  damage(0);
  damage(1);
  const std::string healed = owners("id7")[1];
  ASSERT_TRUE(world.await(world.cluster().set_state(healed, ReplicaState::kStale, "damaged")));
  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_EQ(number(deep, "repaired"), 0U);
  EXPECT_EQ(number(deep, "unresolved"), 1U);
  EXPECT_EQ(member(document(node(healed), "id7"), "v"), Json("first"));
  EXPECT_EQ(world.cluster().status(healed).state, ReplicaState::kInSync);
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("flipped"));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 1U) << "it is not forgotten";
  EXPECT_EQ(member(light, "clean"), Json(false));
}

}  // namespace
}  // namespace miroir
