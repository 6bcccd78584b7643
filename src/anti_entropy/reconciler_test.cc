#include "anti_entropy/merkle.h"
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

TEST_F(ReconcilerTest, LightPassReadsNoDocumentWhileReplicasAgree) {
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "state"), Json("completed"));
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  EXPECT_EQ(scanned("light"), 0);
  EXPECT_EQ(scanned("deep"), 0);
}

TEST_F(ReconcilerTest, DeepPassReadsEveryReplicaOnce) {
  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_EQ(member(deep, "clean"), Json(true)) << to_text(deep);
  double bytes = 0;
  for (const auto& [name, each] : world.nodes) {
    for (const auto& [id, text] : each->documents(kIndex))
      bytes += static_cast<double>(text.size());
  }
  EXPECT_EQ(scanned("deep"), bytes);
  EXPECT_EQ(scanned("light"), 0);
}

// Of a bucket that differs each copy once, and of the document that differs once more, by its id:
// then with its vectors.
TEST_F(ReconcilerTest, DeepPassReadsOnlyTheBucketThatDiffersAgain) {
  write(200, 3'000, "first");
  run_pass(PassKind::kDeep);
  const double whole = scanned("deep");
  const Topology& topology = world.topology();
  const anti_entropy::MerkleTree tree(topology.slots_of(topology.shard_of(slot_of("id7"))));
  const SlotRange bucket = tree.slots_of(tree.bucket_of(slot_of("id7")));
  owner("id7").corrupt(kIndex, "id7", "v", "f1rst");
  double again = 0;
  std::size_t neighbours = 0;
  for (const auto& [name, each] : world.nodes) {
    for (const auto& [id, text] : each->documents(kIndex)) {
      if (slot_of(id) < bucket.first || slot_of(id) > bucket.last) continue;
      again += static_cast<double>(text.size());
      if (id == "id7") {
        again += static_cast<double>(text.size() + std::string_view(R"(,"_vectors":{})").size());
      } else {
        ++neighbours;
      }
    }
  }
  ASSERT_GT(neighbours, 0U) << "or it would say nothing";
  const Json deep = run_pass(PassKind::kDeep, false);
  EXPECT_EQ(number(deep, "mismatches"), 1U) << to_text(deep);
  EXPECT_EQ(scanned("deep") - whole, whole + again);
}

TEST_F(ReconcilerTest, DeletedDocumentIsRestored) {
  const Json before = document(owner("id7"), "id7");
  owner("id7").delete_directly(kIndex, "id7");
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 1U) << to_text(light);
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  EXPECT_EQ(document(owner("id7"), "id7"), before);
  expect_groups_equal();
  const Json row = repair_of("id7");
  EXPECT_EQ(member(row, "reason"), Json("missing"));
  EXPECT_EQ(member(row, "repaired"), Json(true));
  EXPECT_EQ(member(row, "winner"), Json(owners("id7")[1]));
}

TEST_F(ReconcilerTest, StaleVersionThatWasPutBackIsReplaced) {
  const Json old = document(owner("id7"), "id7");
  write(7, 8, "second");
  owner("id7").write_directly(kIndex, "id7", old);
  run_pass(PassKind::kLight);
  expect_groups_equal();
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("second"));
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("highest_stamp"));
}

TEST_F(ReconcilerTest, DeletedDocumentThatWasPutBackIsDeletedAgain) {
  const Json old = document(owner("id7"), "id7");
  world.remove(kIndex, {"id7"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  owner("id7").write_directly(kIndex, "id7", old);
  run_pass(PassKind::kLight);
  EXPECT_TRUE(document(owner("id7"), "id7").is_null());
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("deleted"));
  EXPECT_EQ(member(repair_of("id7"), "repaired"), Json(true));
}

TEST_F(ReconcilerTest, DeletedDocumentPutBackOnEveryReplicaStaysAsItIsUntilOneIsMissing) {
  // Equal replicas are not looked at: the sums agree.
  const Json old = document(owner("id7"), "id7");
  world.remove(kIndex, {"id7"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (const std::string& name : owners("id7")) node(name).write_directly(kIndex, "id7", old);
  owner("id7").delete_directly(kIndex, "id7");
  run_pass(PassKind::kLight);
  for (const std::string& name : owners("id7")) EXPECT_TRUE(document(node(name), "id7").is_null());
}

TEST_F(ReconcilerTest, RepairIsVerifiedThoughTheDiskWasPutBackBeforeItWasReadAgain) {
  const std::string victim = owners("id7")[0];
  node(victim).delete_directly(kIndex, "id7");
  const SimulatedNode::Disk damaged = node(victim).snapshot();
  int asked = 0;
  world.before_documents = [&](const std::string& name, const DocumentQuery& query) {
    if (name == victim && !query.ids.empty() && ++asked == 2) node(victim).restore(damaged);
  };
  const Json light = run_pass(PassKind::kLight);
  EXPECT_GE(asked, 3);
  EXPECT_EQ(number(light, "repaired"), 1U) << to_text(light);
  EXPECT_EQ(member(repair_of("id7"), "repaired"), Json(true));
  EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kStale) << "until the next pass";
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kInSync);
  expect_groups_equal();
}

TEST_F(ReconcilerTest, ForeignDocumentIsReportedAndLeft) {
  owner("alien").write_directly(kIndex, "alien",
                                Json::object({{"id", "alien"}, {"v", "from outside"}}));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 1U) << to_text(light);
  EXPECT_EQ(member(light, "clean"), Json(false));
  EXPECT_FALSE(document(owner("alien"), "alien").is_null());
  EXPECT_EQ(member(repair_of("alien"), "reason"), Json("foreign"));
  // Known by now: the audit does not grow with every pass.
  const std::size_t rows = repairs().size();
  EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 1U);
  EXPECT_EQ(repairs().size(), rows);
}

TEST_F(ReconcilerTest, ChangedContentIsSeenByTheDeepPassWhichNamesTheCorruptCopy) {
  ASSERT_TRUE(owner("id7").corrupt(kIndex, "id7", "v", "flipped"));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("flipped"));

  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_EQ(number(deep, "repaired"), 1U) << to_text(deep);
  expect_groups_equal();
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("first"));
  const Json row = repair_of("id7");
  EXPECT_EQ(member(row, "reason"), Json("checksum"));
  for (const Json& copy : member(row, "copies").as_array()) {
    const bool damaged = member(copy, "node") == Json(owners("id7")[0]);
    EXPECT_EQ(member(copy, "finding"), Json(damaged ? "corrupt" : "right"));
  }
}

TEST_F(ReconcilerTest, CopyCorruptOnEveryReplicaIsQuarantined) {
  for (const std::string& name : owners("id7"))
    ASSERT_TRUE(node(name).corrupt(kIndex, "id7", "v", "flipped"));
  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_EQ(number(deep, "unresolved"), 1U) << to_text(deep);
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("no_good_copy"));
  EXPECT_EQ(member(document(owner("id7"), "id7"), "v"), Json("flipped"));
}

TEST_F(ReconcilerTest, WhatOnlyADeepPassSawIsAskedAboutByTheLightPassesThatFollow) {
  for (const std::string& name : owners("id7"))
    ASSERT_TRUE(node(name).corrupt(kIndex, "id7", "v", "flipped"));
  ASSERT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 0U);
  ASSERT_EQ(number(run_pass(PassKind::kDeep), "unresolved"), 1U);
  EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 1U);
  stop_reconciler();
  start_reconciler();
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 1U);
  const auto state = [&](const char* which, const char* reason) {
    return world.process->metrics
        .gauge("miroir_antientropy_shard_state", "",
               {{"index", kIndex}, {"state", which}, {"reason", reason}})
        .value();
  };
  EXPECT_EQ(state("quarantined", "documents"), 1) << to_text(light);
  EXPECT_EQ(state("in_sync", "equal"), 7);
  write(7, 8, "second");
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  EXPECT_EQ(state("quarantined", "documents"), 0);
}

TEST_F(ReconcilerTest, ConflictIsCountedOnceHoweverOftenItIsSeen) {
  Entry merge;
  merge.kind = EntryKind::kMergeDocuments;
  merge.index_uid = kIndex;
  world.append_records(std::move(merge), {{slot_of("m1"), 0, "m1", R"({"id":"m1","v":1})"}});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_TRUE(owner("m1").corrupt(kIndex, "m1", "v", "flipped"));  // no checksum tells who is right
  for (const PassKind kind : {PassKind::kDeep, PassKind::kLight, PassKind::kDeep})
    EXPECT_EQ(number(run_pass(kind), "unresolved"), 1U);
  EXPECT_EQ(member(repair_of("m1"), "reason"), Json("tie"));
  EXPECT_EQ(metric("miroir_antientropy_conflicts_total", {{"index", kIndex}}), 1);
}

TEST_F(ReconcilerTest, AuditKeepsTheContentThatWasOverwritten) {
  const Json old = document(owner("id7"), "id7");
  write(7, 8, "second");
  owner("id7").write_directly(kIndex, "id7", old);
  run_pass(PassKind::kLight);
  for (const Json& copy : member(repair_of("id7"), "copies").as_array()) {
    const bool overwritten = member(copy, "treatment") == Json("replace");
    EXPECT_EQ(copy.find("document") != nullptr, overwritten) << to_text(copy);
  }
}

TEST_F(ReconcilerTest, ManyKindsOfDamageAtOnceAreHealed) {
  const Json old_30 = document(owner("id30", 1), "id30");
  const Json old_40 = document(owner("id40"), "id40");
  write(30, 31, "second");
  world.remove(kIndex, {"id40"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  for (int i = 0; i < 25; ++i) {
    const std::string id = "id" + std::to_string(i);
    owner(id, static_cast<std::size_t>(i % 2)).delete_directly(kIndex, id);
  }
  owner("id30", 1).write_directly(kIndex, "id30", old_30);
  owner("id40").write_directly(kIndex, "id40", old_40);
  owner("id50").corrupt(kIndex, "id50", "v", "flipped");
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 27U) << to_text(light);
  EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 1U);
  expect_groups_equal();
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

// One is missing and another back, and their symbols cancel in the first position, where a third
// keeps one unequal: it alone is led to.
TEST_F(ReconcilerTest, SymbolsThatCancelHideNothing) {
  const auto symbol = [&](const std::string& id) {
    const Json its = member(document(owner(id), id), kDigestFields[0]);
    return decode_symbol(its.as_string()).value();
  };
  std::map<std::uint8_t, std::vector<std::string>> by_symbol;
  for (int i = 0; i < 200; ++i)
    by_symbol[symbol("id" + std::to_string(i))].push_back("id" + std::to_string(i));
  const auto same =
      std::ranges::find_if(by_symbol, [](const auto& its) { return its.second.size() > 1; });
  ASSERT_NE(same, by_symbol.end());
  const std::string missing = same->second[0];
  const std::string back = same->second[1];
  const std::string third =
      (same == by_symbol.begin() ? std::next(same) : by_symbol.begin())->second[0];
  const Json old = document(owner(back), back);
  world.remove(kIndex, {back});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  owner(back).write_directly(kIndex, back, old);
  owner(missing).delete_directly(kIndex, missing);
  owner(third).delete_directly(kIndex, third);

  EXPECT_EQ(number(run_pass(PassKind::kLight, false), "mismatches"), 3U);
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 3U);
  expect_groups_equal();
}

TEST_F(ReconcilerTest, EmptiedIndexIsRestoredDocumentByDocument) {
  write(200, 3'000, "more");
  SimulatedNode& emptied = *world.nodes.begin()->second;
  const std::size_t documents = emptied.documents(kIndex).size();
  SimulatedNode::Disk disk = emptied.snapshot();
  disk.indexes.at(kIndex).documents.clear();
  emptied.restore(std::move(disk));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), documents) << to_text(light);
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  expect_groups_equal();
}

TEST_F(ReconcilerTest, StrayCopyIsDeletedWhereItIsNotOwned) {
  const std::vector<std::string> its_owners = owners("id7");
  const auto other = std::ranges::find_if(world.nodes, [&](const auto& each) {
    return std::ranges::find(its_owners, each.first) == its_owners.end();
  });
  ASSERT_NE(other, world.nodes.end());
  other->second->write_directly(kIndex, "id7", document(owner("id7"), "id7"));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 1U) << to_text(light);
  EXPECT_TRUE(document(*other->second, "id7").is_null());
  EXPECT_FALSE(document(owner("id7"), "id7").is_null());
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("stray"));
}

TEST_F(ReconcilerTest, ReportOnlyRepairsNothing) {
  owner("id7").delete_directly(kIndex, "id7");
  const Position head = world.log().head();
  const Json light = run_pass(PassKind::kLight, false);
  EXPECT_EQ(number(light, "mismatches"), 1U);
  EXPECT_EQ(number(light, "repaired"), 0U);
  EXPECT_EQ(number(light, "unresolved"), 1U);
  EXPECT_EQ(world.log().head(), head);
  EXPECT_TRUE(document(owner("id7"), "id7").is_null());
  EXPECT_EQ(metric("miroir_antientropy_mismatches_found_total"), 1);
}

TEST_F(ReconcilerTest, NodeThatCannotBeReadIsUnknownNeverEmpty) {
  // id7 is deleted in the log and back on the one owner that answers; id8 is lost there.
  const Json old = document(owner("id7", 1), "id7");
  world.remove(kIndex, {"id7"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  owner("id7", 1).write_directly(kIndex, "id7", old);
  world.networks.at(owners("id7")[0]).cut = true;
  world.run_for(Seconds(30));

  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "clean"), Json(false));
  EXPECT_FALSE(document(owner("id7", 1), "id7").is_null());
  bool unknown = false;
  for (const Json& state : member(member(light, "indexes").as_array().at(0), "states").as_array()) {
    unknown = unknown || member(state, "state") == Json("unknown");
  }
  EXPECT_TRUE(unknown) << to_text(light);

  world.networks.at(owners("id7")[0]).cut = false;
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status(owners("id7")[0]).healthy; }));
  run_pass(PassKind::kLight);
  EXPECT_TRUE(document(owner("id7", 1), "id7").is_null());
}

TEST_F(ReconcilerTest, RestoredNodeReplaysTheLogAndIsInSyncOnceProven) {
  SimulatedNode& restored = *world.nodes.begin()->second;
  const std::string name = world.nodes.begin()->first;
  const SimulatedNode::Disk older = restored.snapshot();
  write(50, 150, "second");
  restored.restore(older);
  const Json light = run_pass(PassKind::kLight);  // notices, waits for the replay, compares
  EXPECT_EQ(member(member(light, "nodes"), name), Json("in_sync: proven equal to its peers"));
  EXPECT_EQ(number(light, "repaired"), 0U) << to_text(light);
  EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << to_text(light);
  expect_groups_equal();
}

TEST_F(ReconcilerTest, WipedNodeIsHealed) {
  SimulatedNode& wiped = *world.nodes.begin()->second;
  const std::string name = world.nodes.begin()->first;
  wiped.wipe();
  run_pass(PassKind::kLight);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync);
  expect_groups_equal();
}

TEST_F(ReconcilerTest, ChangedSettingsAreHealedFromTheLog) {
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  SimulatedNode& changed = *world.nodes.begin()->second;
  const Json before = changed.disk().indexes.at(kIndex).settings;
  SimulatedNode::Disk disk = changed.snapshot();
  disk.indexes.at(kIndex).settings.set("stopWords", Json::array({"the"}));
  changed.restore(std::move(disk));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "mismatches"), 1U) << to_text(light);
  EXPECT_EQ(changed.disk().indexes.at(kIndex).settings, before);
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(ReconcilerTest, KeyThatANodeLostOrWidenedIsMadeAgain) {
  Entry entry;
  entry.kind = EntryKind::kPutKey;
  entry.arguments = Json::object({{"uid", "11111111-1111-4111-8111-111111111111"},
                                  {"name", "reader"},
                                  {"description", Json()},
                                  {"actions", Json::array({"search"})},
                                  {"indexes", Json::array({kIndex})},
                                  {"expiresAt", Json()}});
  world.append(entry);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  const std::string uid = "11111111-1111-4111-8111-111111111111";
  SimulatedNode& lost = *world.nodes.begin()->second;
  lost.delete_key(uid);
  SimulatedNode& widened = *world.nodes.rbegin()->second;
  SimulatedNode::Disk disk = widened.snapshot();
  disk.keys.at(uid).set("actions", Json::array({"*"}));
  widened.restore(std::move(disk));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "mismatches"), 2U) << to_text(light);
  ASSERT_TRUE(lost.disk().keys.contains(uid));
  EXPECT_EQ(member(widened.disk().keys.at(uid), "actions"), Json::array({"search"}));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(ReconcilerTest, DeletedKeyThatANodeStillHasIsDeletedThere) {
  const std::string uid = "11111111-1111-4111-8111-111111111111";
  Entry entry;
  entry.kind = EntryKind::kPutKey;
  entry.arguments = Json::object({{"uid", uid}, {"name", "reader"}});
  world.append(entry);
  entry.kind = EntryKind::kDeleteKey;
  world.append(entry);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  SimulatedNode& node = *world.nodes.begin()->second;
  node.put_key(Json::object({{"uid", uid}, {"name", "reader"}}));
  node.put_key(Json::object({{"uid", "its own"}, {"name", "reader"}}));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "mismatches"), 1U) << to_text(light);
  EXPECT_FALSE(node.disk().keys.contains(uid));
  EXPECT_TRUE(node.disk().keys.contains("its own"));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(ReconcilerTest, DroppedIndexIsMadeAgain) {
  SimulatedNode& damaged = *world.nodes.begin()->second;
  SimulatedNode::Disk disk = damaged.snapshot();
  disk.indexes.erase(kIndex);
  damaged.restore(std::move(disk));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  expect_groups_equal();
}

TEST_F(ReconcilerTest, IndexMadeBehindMiroirsBackIsReportedAndKept) {
  SimulatedNode& damaged = *world.nodes.begin()->second;
  SimulatedNode::Disk disk = damaged.snapshot();
  disk.indexes["intruder"] = disk.indexes.at(kIndex);
  damaged.restore(std::move(disk));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "clean"), Json(false));
  EXPECT_NE(to_text(member(light, "problems")).find("intruder"), std::string::npos);
  EXPECT_TRUE(damaged.disk().indexes.contains("intruder"));
}

TEST_F(ReconcilerTest, SteadyWritesRaiseNoFalseAlarm) {
  int written = 0;
  for (int pass = 0; pass < 5; ++pass) {
    const std::uint64_t order = reconciler->start(PassKind::kDeep, std::nullopt).value();
    auto ended = [&] {
      const Json last = reconciler->status();
      return !member(last, "lastDeep").is_null() &&
             number(member(last, "lastDeep"), "pass") == order;
    };
    while (!ended()) {
      const std::string id = "id" + std::to_string(written % 200);
      if (++written % 5 == 0) {
        world.remove(kIndex, {id});
      } else {
        world.write(kIndex, {id}, "w" + std::to_string(written),
                    written % 3 == 0 ? EntryKind::kMergeDocuments : EntryKind::kWriteDocuments);
      }
      world.run_for(Milliseconds(20));
    }
    const Json deep = member(reconciler->status(), "lastDeep");
    EXPECT_EQ(number(deep, "mismatches"), 0U) << to_text(deep);
    EXPECT_EQ(member(deep, "state"), Json("completed"));
  }
  EXPECT_GT(written, 10);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  expect_groups_equal();
}

}  // namespace
}  // namespace miroir
