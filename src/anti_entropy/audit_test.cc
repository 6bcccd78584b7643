// What is written down of the acts of a pass.
#include "anti_entropy/audit.h"

#include "anti_entropy/reconciler_fake.h"
#include "anti_entropy/reports.h"

namespace miroir {
namespace {

class AuditTest : public ReconcilerTest {
 protected:
  SimulatedNode& victim() { return *world.nodes.begin()->second; }
  const std::string& victim_name() { return world.nodes.begin()->first; }
  // Changes the node's disk, and leaves its queue as it is.
  void change(const std::function<void(SimulatedNode::Disk&)>& how) {
    SimulatedNode::Disk disk = victim().snapshot();
    how(disk);
    victim().restore(std::move(disk));
  }
  void make_key() {
    Entry entry;
    entry.kind = EntryKind::kPutKey;
    entry.arguments = Json::object({{"uid", "11111111-1111-4111-8111-111111111111"},
                                    {"name", "reader"},
                                    {"actions", Json::array({"search"})},
                                    {"indexes", Json::array({"*"})},
                                    {"expiresAt", Json()}});
    world.append(std::move(entry));
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
  // The rows of replicated state, newest first.
  std::vector<Json> state_rows() {
    std::vector<Json> rows;
    for (const Json& row : repairs().as_array())
      if (row.find("node") != nullptr) rows.push_back(row);
    return rows;
  }
  Json only_row() {
    const std::vector<Json> rows = state_rows();
    EXPECT_EQ(rows.size(), 1U) << to_text(repairs());
    return rows.empty() ? Json::object() : rows.front();
  }
  void expect_row(const Json& row, const std::string& reason, const std::string& outcome) {
    EXPECT_EQ(member(row, "node"), Json(victim_name())) << to_text(row);
    EXPECT_EQ(member(row, "action"), Json("heal")) << to_text(row);
    EXPECT_EQ(member(row, "reason"), Json(reason)) << to_text(row);
    EXPECT_EQ(member(row, "outcome"), Json(outcome)) << to_text(row);
    EXPECT_EQ(member(row, "repaired"), Json(true)) << to_text(row);
  }
};

TEST_F(AuditTest, SettingsThatWereHealedAreWrittenDownWithWhatTheyWere) {
  run_pass(PassKind::kLight);  // learns how they are read back
  victim().set_directly(kIndex, "stopWords", Json::array({"the"}));
  run_pass(PassKind::kLight);
  const Json row = only_row();
  expect_row(row, "settings", "settings set, verified");
  EXPECT_EQ(member(row, "index"), Json(kIndex));
  EXPECT_EQ(member(row, "held"), Json::object({{"stopWords", Json::array({"the"})}}));
  EXPECT_EQ(member(row, "wanted"), Json::object({{"stopWords", Json::array({"a"})}}));
}

TEST_F(AuditTest, KeysAreWrittenDownWithoutTheSecret) {
  make_key();
  change([](SimulatedNode::Disk& disk) {
    Json& key = disk.keys.begin()->second;
    key.set("key", "the secret");
    key.set("actions", Json::array({"*"}));
  });
  run_pass(PassKind::kLight);
  const Json row = only_row();
  expect_row(row, "key", "made anew, verified");
  EXPECT_EQ(member(row, "key"), Json("11111111-1111-4111-8111-111111111111"));
  EXPECT_TRUE(member(row, "index").is_null());
  EXPECT_EQ(member(member(row, "held"), "actions"), Json::array({"*"}));
  EXPECT_EQ(member(member(row, "wanted"), "actions"), Json::array({"search"}));
  EXPECT_EQ(to_text(row).find("the secret"), std::string::npos);
}

TEST_F(AuditTest, IndexesThatWereMissingAreWrittenDown) {
  change([](SimulatedNode::Disk& disk) { disk.indexes.erase(kIndex); });
  run_pass(PassKind::kLight);
  const Json row = only_row();
  expect_row(row, "index_missing", "made, verified");
  EXPECT_TRUE(member(row, "held").is_null());
  EXPECT_EQ(member(row, "wanted"), Json::object({{"primaryKey", "id"}}));
}

TEST_F(AuditTest, WhatIsOnlyReportedIsWrittenDownOnceADay) {
  change([](SimulatedNode::Disk& disk) { disk.indexes["theirs"].primary_key = "isbn"; });
  for (int pass = 0; pass < 3; ++pass) run_pass(PassKind::kLight);
  const Json row = only_row();
  EXPECT_EQ(member(row, "action"), Json("report"));
  EXPECT_EQ(member(row, "reason"), Json("index_unknown"));
  EXPECT_EQ(member(row, "outcome"), Json("left as it is"));
  EXPECT_EQ(member(row, "repaired"), Json(false));
  EXPECT_EQ(member(member(row, "held"), "primaryKey"), Json("isbn"));
  world.run_for(std::chrono::hours(25));
  for (int pass = 0; pass < 3; ++pass) run_pass(PassKind::kLight);
  EXPECT_EQ(repairs().size(), 2U);
}

TEST_F(AuditTest, WhatTheStoreDidNotTakeIsWrittenDownByTheNextPass) {
  const auto is_row = [](const Batch::Change& change) { return change.table == Table::kRepair; };
  const auto pass_twice = [&] {
    world.store.fail_commits(
        [&](const Batch& batch) { return std::ranges::any_of(batch.changes(), is_row); });
    EXPECT_EQ(member(run_pass(PassKind::kLight), "state"), Json("failed"));
    world.store.fail_commits(nullptr);
    run_pass(PassKind::kLight);
    return member(repairs().as_array().front(), "reason");
  };
  change([](SimulatedNode::Disk& disk) { disk.indexes["theirs"].primary_key = "isbn"; });
  EXPECT_EQ(pass_twice(), Json("index_unknown"));
  owner("alien").write_directly(kIndex, "alien", Json::object({{"id", "alien"}}));
  EXPECT_EQ(pass_twice(), Json("foreign"));
}

TEST_F(AuditTest, NothingIsCalledHealedWhileRepairsAreOff) {
  change([](SimulatedNode::Disk& disk) { disk.indexes.erase(kIndex); });
  run_pass(PassKind::kLight, false);
  const Json row = only_row();
  EXPECT_EQ(member(row, "outcome"), Json("reported only: repairs are off"));
  EXPECT_EQ(member(row, "repaired"), Json(false));
  EXPECT_FALSE(victim().disk().indexes.contains(kIndex));
}

TEST_F(AuditTest, WhatWasSentAndNotReadAgainIsNotCalledHealed) {
  run_pass(PassKind::kLight);
  victim().set_directly(kIndex, "stopWords", Json::array({"the"}));
  victim().watch([&](const NodeTask& task, const auto&) {
    if (task.type == "settingsUpdate") world.networks.at(victim_name()).cut = true;
  });
  const Json light = run_pass(PassKind::kLight);
  const Json row = only_row();
  EXPECT_EQ(member(row, "repaired"), Json(false)) << to_text(row);
  EXPECT_EQ(to_text(member(light, "problems")).find("(healed)"), std::string::npos);
}

TEST_F(AuditTest, RefusedHealingTellsWhatTheNodeSaid) {
  run_pass(PassKind::kLight);
  victim().set_directly(kIndex, "stopWords", Json::array({"the"}));
  victim().fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "settingsUpdate") return "internal";
    return std::nullopt;
  });
  run_pass(PassKind::kLight);
  const std::string outcome = member(only_row(), "outcome").as_string();
  EXPECT_TRUE(outcome.starts_with("sent, but it still differs; node " + victim_name())) << outcome;
}

TEST_F(AuditTest, HealingThatIsCutOffBeforeItIsReadAgainIsWrittenDown) {
  run_pass(PassKind::kLight);
  victim().set_directly(kIndex, "stopWords", Json::array({"the"}));
  victim().watch([&](const NodeTask& task, const auto&) {
    if (task.type != "settingsUpdate") return;
    tasks->spawn("pause",
                 [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  });
  const Json light = run_pass(PassKind::kLight);
  victim().watch(nullptr);
  EXPECT_EQ(member(light, "state"), Json("cut_off")) << to_text(light);
  EXPECT_EQ(number(light, "mismatches"), 1U);
  const Json row = only_row();
  EXPECT_EQ(member(row, "repaired"), Json(false)) << to_text(row);
  EXPECT_EQ(member(row, "held"), Json::object({{"stopWords", Json::array({"the"})}}));
}

// Whatever repairs it, it is damaged again before it is read again.
TEST_F(AuditTest, WhatEachFailedRepairOverwroteIsWrittenDown) {
  int damaged = 0;
  const auto damage = [&] {
    owner("id7").corrupt(kIndex, "id7", "v", "flipped " + std::to_string(++damaged));
  };
  owner("id7").watch([&](const NodeTask& task, const auto&) {
    if (task.type == "documentAdditionOrUpdate") damage();
  });
  damage();
  for (int pass = 0; pass < 2; ++pass)
    EXPECT_EQ(number(run_pass(PassKind::kDeep), "unresolved"), 1U);
  owner("id7").watch(nullptr);
  EXPECT_EQ(damaged, 3);
  const Json rows = repairs();
  ASSERT_EQ(rows.size(), 2U) << to_text(rows);
  EXPECT_NE(to_text(rows.as_array()[0]).find("flipped 2"), std::string::npos) << "newest first";
  EXPECT_NE(to_text(rows.as_array()[1]).find("flipped 1"), std::string::npos);
}

TEST_F(AuditTest, RepairThatIsRefusedInTheSameWayIsWrittenDownOnce) {
  owner("id7").delete_directly(kIndex, "id7");
  owner("id7").fail_tasks([](const NodeTask&) { return std::optional<std::string>("internal"); });
  for (int pass = 0; pass < 3; ++pass)
    EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 1U);
  EXPECT_EQ(repairs().size(), 1U) << to_text(repairs());
}

// Sees an act through up to where it was sent and is to be read again.
class AuditOfWhatWasSentTest : public AuditTest {
 protected:
  void damage() { ASSERT_TRUE(owner("id7").corrupt(kIndex, "id7", "v", "flipped")); }
  void when_read_again(std::function<void()> then) {
    const Position head = world.log().head();
    world.before_documents = [this, head, then, asked = false](const std::string&,
                                                               const DocumentQuery& query) mutable {
      if (query.ids.empty() || world.log().head() == head || std::exchange(asked, true)) return;
      then();
    };
  }
  Json only_repair() {
    const Json rows = repairs();
    EXPECT_EQ(rows.size(), 1U) << to_text(rows);
    return rows.size() == 0 ? Json::object() : rows.as_array()[0];
  }
};

TEST_F(AuditOfWhatWasSentTest, CutOffBeforeItIsReadAgain) {
  damage();
  when_read_again([&] {
    tasks->spawn("pause",
                 [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  });
  const Json pass = run_pass(PassKind::kDeep);
  world.before_documents = nullptr;
  EXPECT_EQ(member(pass, "state"), Json("cut_off")) << to_text(pass);
  EXPECT_EQ(number(pass, "mismatches"), 1U) << to_text(pass);
  EXPECT_EQ(metric("miroir_antientropy_mismatches_found_total"), 1);
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("first"));
  const Json row = only_repair();
  EXPECT_EQ(member(row, "repaired"), Json(false));
  EXPECT_TRUE(member(row, "outcome").as_string().starts_with("sent, but")) << to_text(row);
  EXPECT_NE(to_text(row).find("flipped"), std::string::npos) << to_text(row);
}

TEST_F(AuditOfWhatWasSentTest, DurableBeforeItIsReadAgainAndThenReplaced) {
  damage();
  bool asked = false;
  when_read_again([&] { asked = true; });
  const std::uint64_t pass = reconciler->start(PassKind::kDeep, std::nullopt).value();
  ASSERT_TRUE(world.run_until([&] { return asked; }));
  world.before_documents = nullptr;
  const Json before = only_repair();
  EXPECT_EQ(member(before, "outcome"), Json("being sent, and not read again yet"));
  EXPECT_EQ(member(before, "repaired"), Json(false));
  EXPECT_NE(to_text(before).find("flipped"), std::string::npos) << to_text(before);

  ASSERT_TRUE(world.run_until([&] {
    const Json last = member(reconciler->status(), "lastDeep");
    return !last.is_null() && number(last, "pass") == pass;
  }));
  EXPECT_EQ(member(only_repair(), "repaired"), Json(true));
}

TEST_F(AuditOfWhatWasSentTest, OfSettingsDurableBeforeTheyAreReadAgainAndThenReplaced) {
  run_pass(PassKind::kLight);
  victim().set_directly(kIndex, "stopWords", Json::array({"the"}));
  bool applied = false;
  victim().watch([&](const NodeTask& task, const auto&) {
    applied = applied || task.type == "settingsUpdate";
  });
  const std::uint64_t pass = reconciler->start(PassKind::kLight, std::nullopt).value();
  ASSERT_TRUE(world.run_until([&] { return applied; }));
  victim().watch(nullptr);
  const Json before = only_repair();
  EXPECT_EQ(member(before, "outcome"), Json("being sent, and not read again yet"));
  EXPECT_EQ(member(before, "repaired"), Json(false));
  EXPECT_EQ(member(before, "held"), Json::object({{"stopWords", Json::array({"the"})}}));

  ASSERT_TRUE(world.run_until([&] {
    const Json last = member(reconciler->status(), "lastLight");
    return !last.is_null() && number(last, "pass") == pass;
  }));
  expect_row(only_repair(), "settings", "settings set, verified");
}

TEST_F(AuditOfWhatWasSentTest, NotWrittenDownWhereTheLogDidNotTakeIt) {
  const Json old = document(owner("id7"), "id7");
  world.remove(kIndex, {"id7"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  owner("id7").write_directly(kIndex, "id7", old);
  bool dropped = false;
  // The node is asked what the delete's filter matches.
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (!query.filter || std::exchange(dropped, true)) return;
    tasks->spawn("drop", [](Log& log) -> Async<void> {
      (void)co_await log.append([](const Catalogue&, Position) -> Result<std::vector<Entry>> {
        Entry drop;
        drop.kind = EntryKind::kDropIndex;
        drop.index_uid = kIndex;
        return std::vector<Entry>{drop};
      });
    }(world.log()));
  };
  run_pass(PassKind::kLight);
  world.before_documents = nullptr;
  EXPECT_TRUE(dropped);
  EXPECT_EQ(repairs().size(), 0U) << to_text(repairs());
}

// A copy on a node that does not own it is adopted by its owners, and then deleted where it was.
TEST_F(AuditTest, EveryActOnADocumentHasItsRow) {
  stop_reconciler();
  options.foreign_documents = ForeignDocuments::kAdopt;
  start_reconciler();
  const std::vector<std::string> its = owners("alien");
  for (auto& [name, each] : world.nodes) {
    if (std::ranges::find(its, name) != its.end()) continue;
    each->write_directly(kIndex, "alien", Json::object({{"id", "alien"}}));
    break;
  }
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 2U);
  std::vector<std::string> reasons;
  for (const Json& row : repairs().as_array()) reasons.push_back(member(row, "reason").as_string());
  EXPECT_EQ(reasons, (std::vector<std::string>{"stray", "foreign_adopted"})) << "newest first";
}

// With the pass that it was done in, and by a pass that finds nothing as well.
TEST_F(AuditTest, RowsAreKeptForAsLongAsIsSaidAndNoLonger) {
  stop_reconciler();
  options.audit_retention = std::chrono::hours(2);
  start_reconciler();
  const auto repaired = [&] {
    std::vector<std::string> ids;
    for (const Json& row : repairs().as_array()) ids.push_back(member(row, "id").as_string());
    return ids;
  };
  const auto heal = [&](const std::string& id) {
    owner(id).delete_directly(kIndex, id);
    ASSERT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U);
  };
  heal("id1");
  world.run_for(std::chrono::minutes(60));
  heal("id2");
  world.run_for(std::chrono::minutes(59));
  run_pass(PassKind::kLight);
  EXPECT_EQ(repaired(), (std::vector<std::string>{"id2", "id1"})) << "newest first";
  world.run_for(std::chrono::minutes(2));
  run_pass(PassKind::kLight);
  EXPECT_EQ(repaired(), std::vector<std::string>{"id2"});
  world.run_for(std::chrono::minutes(60));
  run_pass(PassKind::kLight);
  EXPECT_EQ(repaired(), std::vector<std::string>{});
  EXPECT_TRUE(world.await(world.store.scan(Table::kRepair, "", "", 10, false))->empty());
}

// A pass may take longer than its rows are kept: these are as young as its end.
TEST_F(AuditTest, WhatALongPassWroteIsKeptFromItsEndOn) {
  stop_reconciler();
  options.audit_retention = Milliseconds(1);
  start_reconciler();
  owner("id1").delete_directly(kIndex, "id1");
  const Json pass = run_pass(PassKind::kLight);
  EXPECT_EQ(number(pass, "repaired"), 1U);
  EXPECT_GT(number(pass, "endedMicroseconds"), number(pass, "startedMicroseconds") + 1'000);
  EXPECT_EQ(repairs().size(), 1U);
  EXPECT_EQ(member(*world.await(reconciler->passes(10)), "results").size(), 1U);
}

TEST_F(AuditTest, EndThatCouldNotBeWrittenIsWrittenWithTheNext) {
  world.before_documents = [&](const std::string&, const DocumentQuery&) {
    world.store.fill_disk(true);
  };
  run_pass(PassKind::kDeep);
  world.before_documents = nullptr;
  world.store.fill_disk(false);
  const auto states = [&] {
    std::vector<std::string> states;
    for (const Json& pass : member(*world.await(reconciler->passes(10)), "results").as_array())
      states.push_back(member(pass, "state").as_string());
    return states;
  };
  EXPECT_EQ(states(), std::vector<std::string>{"running"});
  run_pass(PassKind::kLight);
  EXPECT_EQ(states(), (std::vector<std::string>{"completed", "failed"}));
}

// The disk was full when it began, and Miroir died before it ended.
TEST_F(AuditTest, NumberOfAPassThatIsNotWrittenDownButRepairedIsNotGivenAgain) {
  owner("id1").delete_directly(kIndex, "id1");
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U);
  stop_reconciler();
  ASSERT_TRUE(world.await(world.store.commit(Batch().erase(Table::kPass, key_of(1)))));
  start_reconciler();
  EXPECT_EQ(number(run_pass(PassKind::kLight), "pass"), 2U);
  EXPECT_EQ(number(repairs().as_array().front(), "pass"), 1U);
}

TEST_F(AuditTest, WhatIsUnresolvedHasARowForAsLongAsItIs) {
  stop_reconciler();
  options.audit_retention = std::chrono::hours(2);
  start_reconciler();
  owner("alien").write_directly(kIndex, "alien", Json::object({{"id", "alien"}}));
  for (int pass = 0; pass < 12; ++pass) {
    run_pass(PassKind::kLight);
    EXPECT_GE(repairs().size(), 1U) << "pass " << pass;
    EXPECT_LE(repairs().size(), 3U) << "pass " << pass;
    world.run_for(std::chrono::minutes(25));
  }
}

// Passes that end by a clock that is ahead for a while hold up nobody.
TEST_F(AuditTest, GoesOnWhereTheClockWasAhead) {
  stop_reconciler();
  options.audit_retention = std::chrono::hours(2);
  start_reconciler();
  world.clock.set_wall_offset(std::chrono::hours(24 * 365));
  owner("id1").delete_directly(kIndex, "id1");
  run_pass(PassKind::kLight);
  world.clock.set_wall_offset(Seconds(0));
  owner("id2").delete_directly(kIndex, "id2");
  run_pass(PassKind::kLight);
  EXPECT_EQ(repairs().size(), 2U);
  world.run_for(std::chrono::hours(3));
  run_pass(PassKind::kLight);
  EXPECT_EQ(repairs().size(), 0U);
}

// However many did.
TEST_F(AuditTest, GoesOnWhereTheClockWasAheadForLong) {
  stop_reconciler();
  anti_entropy::PassReport ahead;
  ahead.ended = world.clock.wall_now() + std::chrono::hours(24 * 365);
  while (++ahead.number <= 1'100)
    ASSERT_TRUE(world.await(anti_entropy::save_pass(world.store, ahead)));
  options.audit_retention = std::chrono::hours(2);
  start_reconciler();
  owner("id1").delete_directly(kIndex, "id1");
  run_pass(PassKind::kLight);
  EXPECT_EQ(repairs().size(), 1U);
  world.run_for(std::chrono::hours(3));
  run_pass(PassKind::kLight);
  EXPECT_EQ(repairs().size(), 0U);
}

// Otherwise its number is given again.
TEST_F(AuditTest, ThePassThatHasJustEndedIsKeptThoughTheClockLeaps) {
  stop_reconciler();
  options.audit_retention = std::chrono::hours(2);
  start_reconciler();
  world.store.observe([this](const Batch& batch) {
    for (const Batch::Change& change : batch.changes())
      if (change.table == Table::kPass && change.value.contains("endedMicroseconds"))
        world.clock.set_wall_offset(std::chrono::hours(3));
  });
  const std::uint64_t before = number(run_pass(PassKind::kDeep), "pass");
  world.store.observe({});
  stop_reconciler();
  start_reconciler();
  EXPECT_GT(number(run_pass(PassKind::kDeep), "pass"), before);
}

}  // namespace
}  // namespace miroir
