// Nodes that come back from before what the log still knows of deletes (DESIGN.md, invariant 4).
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

ForwardWorld::Options forgetful() {
  ForwardWorld::Options options;
  options.log.retention_age = std::chrono::hours(1);
  return options;
}

class HorizonTest : public ReconcilerTest {
 protected:
  explicit HorizonTest(ForwardWorld::Options world_options = forgetful())
      : ReconcilerTest(std::move(world_options)) {}

  void remove(const std::string& id) {
    world.remove(kIndex, {id});
    settle();
  }
  void write_one(const std::string& id, const std::string& value) {
    world.write(kIndex, {id}, value);
    settle();
  }
  void merge(const std::string& id, const std::string& value) {
    world.write(kIndex, {id}, value, EntryKind::kMergeDocuments);
    settle();
  }
  Position incarnation() { return world.log().catalogue().index(kIndex)->incarnation; }

  // Every delete so far is forgotten, and so are the bodies of the log.
  void pass_the_horizon() {
    remove("id199");
    ASSERT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
    world.run_for(std::chrono::hours(2));
    run_pass(PassKind::kDeep);
    ASSERT_EQ(world.log().tombstone_count(kIndex), 0U);
    ASSERT_GT(world.log().horizon(incarnation()), 0U);
    ASSERT_GT(world.log().trimmed(), 0U);
  }

  // By its stamp the victim's copy on that disk is what its peers hold: no light pass sees it.
  void flip_before_the_horizon() {
    victim = owners("id7")[0];
    ASSERT_TRUE(node(victim).corrupt(kIndex, "id7", "v", "flipped"));
    flipped = node(victim).snapshot();
    ASSERT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 1U);
    pass_the_horizon();
  }

  // As if the log had been lost, and the index was taken over as it is.
  void recover() {
    world.take_over_index(kIndex);
    settle();
  }

  // The other owner loses the document, and this one goes back to a disk that still holds it.
  void keep_only_on_a_stale_node(const std::string& id) {
    victim = owners(id)[0];
    const SimulatedNode::Disk disk = node(victim).snapshot();
    write(150, 160, "so that the disk is an older one");
    node(owners(id)[1]).delete_directly(kIndex, id);
    node(victim).restore(disk);
  }
  void stop_victim() { ASSERT_TRUE(world.set_down(victim, true)); }
  void write_what_is_not_kept() {
    for (int i = 0; i < 20; ++i) world.write(kIndex, {"id150"}, "not kept");
    world.run_for(std::chrono::hours(2));
  }
  void start_victim() {
    node(victim).options().down = false;
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status(victim).healthy; }));
    settle();
  }
  void expect_healed() {
    run_pass(PassKind::kLight);
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
    for (const auto& [name, each] : world.nodes)
      EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << name;
    expect_groups_equal();
  }

  std::string victim;
  SimulatedNode::Disk flipped;
};

TEST_F(HorizonTest, WhatWasDeletedBeforeItDoesNotComeBackFromAnOldDisk) {
  victim = owners("id7")[0];
  const SimulatedNode::Disk old = node(victim).snapshot();
  for (int i = 0; i < 20; ++i) world.remove(kIndex, {"id" + std::to_string(i)});
  write(20, 40, "replaced");
  pass_the_horizon();
  write(300, 310, "young");
  node(victim).restore(old);
  bool read_too_early = false;
  world.before_documents = [&](const std::string&, const DocumentQuery&) {
    read_too_early = read_too_early || world.cluster().readable(victim);
  };
  run_pass(PassKind::kLight);
  world.before_documents = nullptr;
  EXPECT_FALSE(read_too_early) << "not before all of it was compared";
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("absent_on_peers"));
  for (const auto& [name, each] : world.nodes)
    EXPECT_TRUE(document(*each, "id7").is_null()) << name;
  expect_healed();
}

TEST_F(HorizonTest, WhatWasDeletedBeforeItDoesNotComeBackBeneathWhatIsPutAllTheTime) {
  victim = owners("id7")[0];
  const SimulatedNode::Disk old = node(victim).snapshot();
  remove("id7");
  pass_the_horizon();
  node(victim).restore(old);
  pass_under_puts(PassKind::kLight, "id7");
  pass_under_puts(PassKind::kLight, "id7");
  settle();
  run_pass(PassKind::kLight);
  expect_healed();
  for (const std::string& name : owners("id7"))
    EXPECT_EQ(document(node(name), "id7").find("v"), nullptr) << name;
}

TEST_F(HorizonTest, WhatOnlyTheNodeHoldsAndIsNewerComesBackEverywhere) {
  pass_the_horizon();
  write_one("late", "acknowledged");
  keep_only_on_a_stale_node("late");
  run_pass(PassKind::kLight);
  const Json row = repair_of("late");
  EXPECT_EQ(member(row, "reason"), Json("harvested"));
  EXPECT_EQ(member(row, "repaired"), Json(true));
  EXPECT_EQ(member(row, "winner"), Json(victim));
  for (const std::string& name : owners("late"))
    EXPECT_EQ(member(document(node(name), "late"), "v"), Json("acknowledged")) << name;
  expect_healed();
}

TEST_F(HorizonTest, WhatIsOlderThanItIsNot) {
  pass_the_horizon();
  keep_only_on_a_stale_node("id7");
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("absent_on_peers"));
  EXPECT_TRUE(document(node(victim), "id7").is_null());
  expect_healed();
}

TEST_F(HorizonTest, MergeIntoWhatMayHaveBeenDeletedIsLeftUntilSomebodySaysWhatItIs) {
  pass_the_horizon();
  merge("id7", "merged");
  keep_only_on_a_stale_node("id7");
  for (int pass = 0; pass < 2; ++pass) {
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(number(light, "unresolved"), 1U) << to_text(light);
    EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kInSync)
        << "holds up only itself";
    EXPECT_NE(to_text(document(node(victim), "id7")).find("merged"), std::string::npos);
    EXPECT_TRUE(document(owner("id7", 1), "id7").is_null());
    if (pass == 0) EXPECT_EQ(member(repair_of("id7"), "reason"), Json("maybe_deleted"));
  }
  write_one("id7", "whole");
  expect_healed();
}

TEST_F(HorizonTest, WhatADeleteByFilterMayHaveMeantIsNotHarvested) {
  pass_the_horizon();
  write_one("late", "acknowledged");
  const std::string name = owners("late")[0];
  const SimulatedNode::Disk disk = node(name).snapshot();
  node(owners("late")[1]).delete_directly(kIndex, "late");
  node(name).delete_directly(kIndex, "late");
  world.remove_by_filter(kIndex, Json("v = acknowledged"));
  write(150, 160, "so that the disk is an older one");
  node(name).restore(disk);
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("late"), "reason"), Json("maybe_deleted"));
  EXPECT_TRUE(document(owner("late", 1), "late").is_null());
}

TEST_F(HorizonTest, StampThatTheLogGaveToAnotherDocumentHarvestsNothing) {
  pass_the_horizon();
  write_one("late", "acknowledged");
  Json forged = document(owner("late"), "late");
  const auto stamp = parse_copy(to_text(forged), "id", FieldNames())->stored.stamp.value();
  forged = *parse_json(R"({"id":"forged","v":"acknowledged"})");
  const Hash128 content = content_hash_of_copy(to_text(forged), FieldNames()).value();
  std::string text;
  append_stored(text, to_text(forged),
                fields_of_whole_write("forged", stamp, checksum_of(content), FieldNames()),
                FieldNames());
  victim = owners("forged")[0];
  const SimulatedNode::Disk disk = node(victim).snapshot();
  write(150, 160, "so that the disk is an older one");
  node(victim).restore(disk);
  node(victim).write_directly(kIndex, "forged", *parse_json(text));
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("forged"), "reason"), Json("absent_on_peers"));
  expect_healed();
}

TEST_F(HorizonTest, WriteThatFailedOnAPeerIsNotHarvested) {
  pass_the_horizon();
  const std::string peer = owners("late")[1];
  node(peer).fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "documentAdditionOrUpdate") return "internal";
    return std::nullopt;
  });
  write_one("late", "acknowledged");
  node(peer).fail_tasks({});
  // The doubt is over, and what failed is remembered all the same.
  world.await(world.log().clear_taints(world.log().taints(incarnation())));
  keep_only_on_a_stale_node("late");
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("late"), "reason"), Json("maybe_deleted"));
  EXPECT_TRUE(document(node(peer), "late").is_null());
}

TEST_F(HorizonTest, NothingOfIndexesThatTookEachOthersNameMeanwhileIsMixedUp) {
  world.create_index("books");
  set_settings(Json::object({{"stopWords", Json::array({"of"})}}), "books");
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back("id" + std::to_string(i));
  for (int i = 0; i < 40; ++i) ids.push_back("book" + std::to_string(i));
  world.write("books", ids, "of books");  // newer than their namesakes in movies
  settle();
  victim = world.nodes.begin()->first;
  stop_victim();
  world.write(kIndex, {"id150"}, "so that something is not kept");
  world.swap_indexes(kIndex, "books");
  world.run_for(std::chrono::hours(2));
  start_victim();
  ASSERT_EQ(world.cluster().status(victim).state, ReplicaState::kStale);
  expect_healed();
  const auto& groups = world.topology().groups();
  EXPECT_EQ(world.documents_of_group(groups[0], kIndex).size(), 80U);
  EXPECT_EQ(world.documents_of_group(groups[0], "books").size(), 200U);
  EXPECT_EQ(world.documents_of_group(groups[1], kIndex).size(), 80U);
  EXPECT_TRUE(world.log().index_taints().empty());
}

// The repairs that ended the doubt are gone, and the disk is from before them.
TEST_F(HorizonTest, DiskFromWhenAnIndexWasInDoubtIsInDoubtAgain) {
  world.create_index("books");
  set_settings(Json::object({{"stopWords", Json::array({"of"})}}), "books");
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back("id" + std::to_string(i));
  world.write("books", ids, "of books");  // newer than their namesakes in movies
  settle();
  victim = world.nodes.begin()->first;
  node(victim).fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "indexSwap") return "internal";
    return std::nullopt;
  });
  world.swap_indexes(kIndex, "books");
  settle();
  node(victim).fail_tasks({});
  const SimulatedNode::Disk disk = node(victim).snapshot();
  expect_healed();
  ASSERT_TRUE(world.log().index_taints().empty());
  write_what_is_not_kept();
  stop_victim();
  node(victim).restore(disk);
  start_victim();
  ASSERT_EQ(world.cluster().status(victim).state, ReplicaState::kStale);
  expect_healed();
  for (const std::size_t group : {0U, 1U})
    for (const auto& [id, text] :
         world.documents_of_group(world.topology().groups()[group], "books"))
      EXPECT_FALSE(text.contains("of books")) << id;
  EXPECT_TRUE(world.log().index_taints().empty());
}

// The bodies that it missed are gone, or even the entries.
class MissedDropTest : public HorizonTest, public ::testing::WithParamInterface<bool> {
 protected:
  MissedDropTest() {
    if (GetParam()) world.options.log.tasks_kept = 5;
  }
};
INSTANTIATE_TEST_SUITE_P(TrimmedAndForgotten, MissedDropTest, ::testing::Bool());

TEST_P(MissedDropTest, IndexThatWasDroppedMeanwhileGoesFromTheNodeThatWasAway) {
  for (const char* index : {"books", "films"}) {
    world.create_index(index);
    set_settings(Json::object({{"stopWords", Json::array({"of"})}}), index);
    world.write(index, {"book1", "book2", "book3"}, "of books");
  }
  settle();
  victim = world.nodes.begin()->first;
  stop_victim();
  const auto drop = [&](const std::string& index) {
    Entry entry;
    entry.kind = EntryKind::kDropIndex;
    entry.index_uid = index;
    entry.incarnation = world.log().catalogue().index(index)->incarnation;
    world.append(std::move(entry));
  };
  for (int i = 0; i < 5; ++i) world.write(kIndex, {"id150"}, "not kept");
  drop("books");
  drop("films");
  world.create_index("films");
  write_what_is_not_kept();
  ASSERT_GT(world.log().trimmed(), 20U);
  ASSERT_EQ(world.log().forgotten() > 20U, GetParam());
  // Somebody's own, of which Miroir knows nothing.
  SimulatedNode::Disk disk = node(victim).snapshot();
  disk.indexes["theirs"].primary_key = "key";
  node(victim).restore(disk);
  start_victim();
  EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kStale);
  EXPECT_FALSE(node(victim).disk().indexes.contains("books"));
  EXPECT_TRUE(node(victim).documents("films").empty());
  EXPECT_TRUE(node(victim).disk().indexes.contains("theirs"));
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kInSync);
  EXPECT_TRUE(node(victim).disk().indexes.contains("theirs"));
  disk = node(victim).snapshot();
  disk.indexes.erase("theirs");
  node(victim).restore(disk);
  expect_healed();
}

class OneShardTest : public HorizonTest {
 protected:
  OneShardTest() : HorizonTest(one_shard()) {}
  static ForwardWorld::Options one_shard() {
    ForwardWorld::Options options = forgetful();
    options.shards = 1;
    options.log.tasks_kept = 5;
    return options;
  }
};

TEST_F(OneShardTest, NodeThatOwnsNothingAndMissedEntriesIsInSyncAgain) {
  for (const auto& [name, each] : world.nodes)
    if (world.topology().shards_of(name).empty()) victim = name;
  ASSERT_FALSE(victim.empty());
  stop_victim();
  write_what_is_not_kept();
  ASSERT_GT(world.log().forgotten(), world.cluster().status(victim).done);
  start_victim();
  expect_healed();
}

// Miroir's store was lost, and nothing tells what had been deleted before. Nobody deleted it since.
TEST_F(HorizonTest, WhatARecoveryTookOverIsNotDeletedForANodeThatIsSkippedBeforeAnyPass) {
  recover();
  victim = owners("id7")[0];
  node(owners("id7")[1]).delete_directly(kIndex, "id7");
  stop_victim();
  world.remove(kIndex, {"id8"});
  write_what_is_not_kept();
  ASSERT_GT(world.log().trimmed(), world.cluster().status(victim).done);
  start_victim();
  ASSERT_EQ(world.cluster().status(victim).state, ReplicaState::kStale);
  expect_healed();
  for (const std::string& owner : owners("id7")) {
    EXPECT_EQ(member(document(node(owner), "id7"), "v"), Json("first")) << owner;
  }
  for (const std::string& owner : owners("id8"))
    EXPECT_FALSE(node(owner).disk().indexes.at(kIndex).documents.contains("id8")) << owner;
}

TEST_F(HorizonTest, WhatARecoveryTookOverIsNotDeletedFromANodeThatSomebodyElseWroteTo) {
  recover();
  victim = owners("id7")[0];
  node(owners("id7")[1]).delete_directly(kIndex, "id7");
  ASSERT_TRUE(node(victim).enqueue(DeleteDocuments{kIndex, {"id9"}}, std::nullopt, ""));
  node(victim).settle();
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("maybe_deleted"));
  run_pass(PassKind::kDeep);
  EXPECT_EQ(member(document(node(victim), "id7"), "v"), Json("first"));
}

// The log, which lacks what a recovery could not bring back, proves no replay complete.
TEST_F(HorizonTest, NodeThatGoesBackIsComparedByContentWhereARecoveryTookTheIndexOver) {
  recover();
  run_pass(PassKind::kDeep);
  victim = owners("id7")[0];
  SimulatedNode::Disk old = node(victim).snapshot();
  old.indexes.at(kIndex).documents.at("id7").set("v", "flipped");
  write(150, 160, "so that the disk is an older one");
  node(victim).restore(old);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(document(node(victim), "id7"), "v"), Json("first")) << to_text(light);
  expect_healed();
}

// What was proven after the first time was proven of another disk.
TEST_F(HorizonTest, NodeThatGoesBackTwiceIsComparedByContentTwice) {
  flip_before_the_horizon();
  for (int time = 0; time < 2; ++time) {
    node(victim).restore(flipped);
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(member(document(node(victim), "id7"), "v"), Json("first")) << time << to_text(light);
    EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kInSync);
    world.run_for(std::chrono::hours(2));  // the repair itself is not sent again
  }
}

class SwappedWhileReadTest : public HorizonTest {
 protected:
  void SetUp() override {
    HorizonTest::SetUp();
    world.create_index("books");
    set_settings(Json::object({{"stopWords", Json::array({"of"})}}), "books");
    world.write("books", {"book1"}, "of books");
    settle();
  }
  void swap() { world.swap_indexes(kIndex, "books"); }
  void swap_and_back() {
    swap();
    swap();
  }
  // A pass that has begun to read the index, and what is done then.
  Json pass_while(PassKind kind, const std::function<void()>& act) {
    bool asked = false;
    world.before_documents = [&](const std::string&, const DocumentQuery& query) {
      asked = asked || (query.index_uid == kIndex && query.slots.size() == 1 && query.ids.empty());
    };
    world.before_digests = [&](const std::string& index) {
      asked = asked || (kind == PassKind::kLight && index == kIndex);
    };
    EXPECT_TRUE(reconciler->start(kind, std::nullopt));
    EXPECT_TRUE(world.run_until([&] { return asked; }));
    world.before_documents = nullptr;
    world.before_digests = nullptr;
    act();
    EXPECT_TRUE(world.run_until([&] { return member(reconciler->status(), "running").is_null(); }));
    return member(reconciler->status(), kind == PassKind::kDeep ? "lastDeep" : "lastLight");
  }
};

TEST_F(SwappedWhileReadTest, IndexThatTookAnotherNameWasNotRead) {
  const Json deep = pass_while(PassKind::kDeep, [&] { swap(); });
  EXPECT_EQ(member(deep, "whole"), Json(false)) << to_text(deep);
  EXPECT_EQ(number(deep, "mismatches"), 0U);
}

TEST_F(SwappedWhileReadTest, IndexThatHadAnotherNameInBetweenWasNotRead) {
  const Json deep = pass_while(PassKind::kDeep, [&] { swap_and_back(); });
  EXPECT_EQ(member(deep, "whole"), Json(false)) << to_text(deep);
  EXPECT_EQ(number(deep, "mismatches"), 0U);
}

TEST_F(SwappedWhileReadTest, OfWhatHadAnotherNameALightPassSaysNothing) {
  const Json light = pass_while(PassKind::kLight, [&] { swap_and_back(); });
  EXPECT_EQ(member(light, "clean"), Json(false)) << to_text(light);
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(SwappedWhileReadTest, NobodyIsProvenBySuchAPass) {
  ASSERT_TRUE(world.await(world.cluster().set_state("b0", ReplicaState::kStale, "a test")));
  pass_while(PassKind::kLight, [&] { swap_and_back(); });
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kStale);
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kInSync);
}

TEST_F(HorizonTest, NodeThatMissedEntriesIsComparedByContentBeforeItIsRead) {
  flip_before_the_horizon();
  node(victim).restore(flipped);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(document(node(victim), "id7"), "v"), Json("first")) << to_text(light);
  EXPECT_EQ(world.cluster().status(victim).state, ReplicaState::kInSync);
  // Once is enough.
  const double read = scanned("deep");
  run_pass(PassKind::kLight);
  EXPECT_EQ(scanned("deep"), read);
}

// What the log no longer holds is a whole write; the merge after it lands on nothing.
TEST_F(HorizonTest, EmptiedNodeIsFilledWithWholeDocuments) {
  pass_the_horizon();
  merge("id7", "merged");
  victim = owners("id7")[0];
  const Json before = document(node(victim), "id7");
  node(victim).wipe();
  run_pass(PassKind::kLight);
  settle();
  run_pass(PassKind::kLight);
  EXPECT_EQ(document(node(victim), "id7"), before);
  expect_healed();
}

}  // namespace
}  // namespace miroir
