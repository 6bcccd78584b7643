#include "anti_entropy/instruments.h"
#include "anti_entropy/reconciler_fake.h"
#include "anti_entropy/reports.h"

namespace miroir {
namespace {

TEST(InstrumentsTest, CountersStandAtZeroFromTheStart) {
  Metrics metrics;
  {
    anti_entropy::Instruments instruments(metrics);
    const std::string text = metrics.text();
    for (const char* name :
         {"miroir_antientropy_shards_scanned_total 0",
          "miroir_antientropy_mismatches_found_total 0", "miroir_antientropy_docs_repaired_total 0",
          "miroir_antientropy_scanned_bytes_total{tier=\"light\"} 0",
          "miroir_antientropy_scanned_bytes_total{tier=\"deep\"} 0",
          "miroir_antientropy_unresolved_documents{index=\"other\"} 0",
          "miroir_antientropy_conflicts_total{index=\"other\"} 0"}) {
      EXPECT_NE(text.find(name), std::string::npos) << name << "\n" << text;
    }
  }
}

// 200 indexes have labels of their own; what is wrong with another shows all the same, whichever
// index is shown after it.
TEST(InstrumentsTest, OtherIsTheSumOfTheIndexesWithoutALabel) {
  Metrics metrics;
  anti_entropy::Instruments instruments(metrics);
  std::set<std::string> uids;
  const auto show = [&](const std::string& uid, std::uint64_t undecided) {
    anti_entropy::IndexReport report;
    report.uid = uid;
    report.shards = 8;
    report.complete = true;
    report.unresolved = report.divergent = undecided;
    if (undecided > 0) report.notes[3].unresolved = report.notes[3].undecided = undecided;
    instruments.show(report);
    uids.insert(uid);
  };
  const auto other = [&](const std::string& name, Labels labels = {}) {
    labels["index"] = "other";
    return metrics.gauge("miroir_antientropy_" + name, "", labels).value();
  };
  const Labels quarantined{{"state", "quarantined"}, {"reason", "documents"}};
  for (int i = 0; i < 200; ++i) show("index" + std::to_string(i), 0);
  show("beyond1", 2);
  show("beyond2", 3);
  show("beyond3", 0);
  instruments.forget_all_but(uids);
  EXPECT_EQ(other("unresolved_documents"), 5);
  EXPECT_EQ(other("divergent_passes"), 1);
  EXPECT_EQ(other("shard_state", quarantined), 2);
  EXPECT_EQ(other("shard_state", {{"state", "in_sync"}, {"reason", "equal"}}), 22);

  uids.erase("beyond1");
  show("beyond2", 0);
  instruments.forget_all_but(uids);
  EXPECT_EQ(other("unresolved_documents"), 0);
  EXPECT_EQ(other("shard_state", quarantined), 0);
  EXPECT_EQ(other("shard_state", {{"state", "in_sync"}, {"reason", "equal"}}), 16);
}

// Else the alerts on them would fire for ever.
TEST_F(ReconcilerTest, WhereNoPassRunsNothingTellsWhenTheLastWas) {
  options.enabled = false;
  restart_after([] {});
  const std::string text = world.process->metrics.text();
  EXPECT_EQ(text.find("scan_completed_seconds"), std::string::npos) << text;
  EXPECT_NE(text.find("miroir_antientropy_mismatches_found_total 0"), std::string::npos);
}

TEST_F(ReconcilerTest, WhenPassesCompletedIsKnownAfterARestart) {
  const auto at = [&](const std::string& name) {
    return world.process->metrics.gauge("miroir_antientropy_" + name, "").value();
  };
  run_pass(PassKind::kDeep);
  const double deep = at("last_deep_scan_completed_seconds");
  EXPECT_GT(deep, 0);
  EXPECT_EQ(at("last_scan_completed_seconds"), deep);
  world.run_for(Seconds(60));
  run_pass(PassKind::kLight);
  const double light = at("last_scan_completed_seconds");
  EXPECT_GT(light, deep);
  EXPECT_EQ(at("last_deep_scan_completed_seconds"), deep);

  stop_reconciler();
  world.process->metrics.gauge("miroir_antientropy_last_scan_completed_seconds", "").set(0);
  world.process->metrics.gauge("miroir_antientropy_last_deep_scan_completed_seconds", "").set(0);
  start_reconciler();
  EXPECT_EQ(at("last_scan_completed_seconds"), light);
  EXPECT_EQ(at("last_deep_scan_completed_seconds"), deep);
}

TEST_F(ReconcilerTest, MetricsTellWhatAPassDid) {
  owner("id7").delete_directly(kIndex, "id7");
  owner("id8").corrupt(kIndex, "id8", "v", "flipped");
  run_pass(PassKind::kDeep);
  EXPECT_EQ(metric("miroir_antientropy_shards_scanned_total"), 8);
  EXPECT_EQ(metric("miroir_antientropy_mismatches_found_total"), 2);
  EXPECT_EQ(metric("miroir_antientropy_docs_repaired_total"), 2);
  EXPECT_EQ(metric("miroir_antientropy_conflicts_total", {{"index", kIndex}}), 1);
  const double seconds =
      world.process->metrics.gauge("miroir_antientropy_last_scan_completed_seconds", "").value();
  EXPECT_NEAR(
      seconds,
      static_cast<double>(
          std::chrono::duration_cast<Seconds>(world.clock.wall_now().time_since_epoch()).count()),
      2);
}

TEST_F(ReconcilerTest, PassesRunBySchedule) {
  stop_reconciler();
  options.light_interval = std::chrono::seconds(60);
  options.schedule = std::chrono::hours(1);
  start_reconciler();
  world.run_for(Seconds(200));
  const Json after_minutes = reconciler->status();
  EXPECT_EQ(number(member(after_minutes, "lastLight"), "pass"), 3U) << to_text(after_minutes);
  EXPECT_TRUE(member(after_minutes, "lastDeep").is_null());
  world.run_for(std::chrono::hours(1));
  EXPECT_EQ(member(member(reconciler->status(), "lastDeep"), "clean"), Json(true));

  // The schedule outlives the process: the next deep pass is due an hour after the last, not after
  // the start.
  stop_reconciler();
  start_reconciler();
  world.run_for(std::chrono::minutes(58));
  const Json passes = member(*world.await(reconciler->passes(1'000)), "results");
  std::size_t deep = 0;
  for (const Json& pass : passes.as_array()) deep += member(pass, "kind") == Json("deep") ? 1 : 0;
  EXPECT_EQ(deep, 2U);
}

TEST_F(ReconcilerTest, DisabledReconcilerRefuses) {
  stop_reconciler();
  options.enabled = false;
  start_reconciler();
  const auto refused = reconciler->start(PassKind::kLight, std::nullopt);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace miroir
