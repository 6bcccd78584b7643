// What becomes of documents that were written behind Miroir's back (`foreign_documents`).
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class ForeignDocumentsTest : public ReconcilerTest {
 protected:
  void choose(ForeignDocuments policy) {
    stop_reconciler();
    options.foreign_documents = policy;
    start_reconciler();
  }
  static Json alien(const std::string& id, const std::string& value = "from outside") {
    return Json::object({{"id", id}, {"v", value}, {"n", 7}});
  }
  // Through the node's own API, which makes the node stale.
  void write_through(SimulatedNode& where, const std::string& id) {
    WriteDocuments write{.index_uid = kIndex, .primary_key = "id", .ndjson = to_text(alien(id))};
    ASSERT_TRUE(where.enqueue(std::move(write), std::nullopt, ""));
    where.settle();
  }
  SimulatedNode& stranger_to(const std::string& id) {
    const std::vector<std::string> its = owners(id);
    for (auto& [name, each] : world.nodes)
      if (std::ranges::find(its, name) == its.end()) return *each;
    MIROIR_ASSERT(false);
  }
  void expect_version_everywhere(const std::string& id, const std::string& value = "from outside") {
    for (const std::string& name : owners(id)) {
      const auto copy = parse_copy(to_text(document(node(name), id)), "id", FieldNames());
      ASSERT_TRUE(copy) << name;
      EXPECT_EQ(copy->stored.slot, slot_of(id));
      ASSERT_TRUE(copy->stored.stamp);
      EXPECT_EQ(copy->stored.digest, digest_of(id, *copy->stored.stamp));
      EXPECT_EQ(copy->stored.base, copy->stored.stamp);
      EXPECT_EQ(member(document(node(name), id), "v"), Json(value));
    }
    expect_groups_equal();
  }
};

// Whoever writes a copy as it was read, but for its content, leaves the stamp as it ought to be.
TEST_F(ForeignDocumentsTest, NodeIsReadBeforeItIsTrustedAgainAfterAStrangersWrite) {
  Json copy = document(owner("id7", 1), "id7");
  copy.set("v", "stranger's");
  WriteDocuments write{.index_uid = kIndex, .primary_key = "id", .ndjson = to_text(copy)};
  ASSERT_TRUE(owner("id7", 1).enqueue(std::move(write), std::nullopt, ""));
  owner("id7", 1).settle();
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 1U) << to_text(light);
  EXPECT_EQ(member(document(owner("id7", 1), "id7"), "v"), Json("first"));
  EXPECT_EQ(member(document(owner("id7", 0), "id7"), "v"), Json("first"));
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
}

TEST_F(ForeignDocumentsTest, NodeIsAlsoReadWhoseDiskWasPutBackBeforeTheStrangersWrite) {
  SimulatedNode& its = owner("id7", 1);
  // So few that its last task is gone, and so many that it is a stranger's.
  for (const int writes : {1, 41}) {
    const SimulatedNode::Disk old = its.snapshot();
    for (int i = 0; i < 5; ++i) write(200, 205, "later");
    its.restore(old);
    Json copy = document(its, "id7");
    copy.set("v", "stranger's");
    for (int i = 0; i < writes; ++i) {
      WriteDocuments write{.index_uid = kIndex, .primary_key = "id", .ndjson = to_text(copy)};
      ASSERT_TRUE(its.enqueue(std::move(write), std::nullopt, ""));
      its.settle();
    }
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(world.cluster().status(owners("id7")[1]).state, ReplicaState::kInSync);
    EXPECT_EQ(member(document(its, "id7"), "v"), Json("first")) << writes << to_text(light);
    EXPECT_EQ(member(document(owner("id7", 0), "id7"), "v"), Json("first"));
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  }
}

TEST_F(ForeignDocumentsTest, AdoptedOnEveryOwnerByOneEntryThatIsNoClients) {
  choose(ForeignDocuments::kAdopt);
  owner("alien", 1).write_directly(kIndex, "alien", alien("alien"));
  const Position before = world.log().head();
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 1U) << to_text(light);
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  expect_version_everywhere("alien");
  ASSERT_EQ(world.log().head(), before + 1);
  const auto entry = world.await(world.log().entry(before + 1)).value();
  EXPECT_EQ(entry->origin, Origin::kAntiEntropy);
  EXPECT_EQ(entry->kind, EntryKind::kWriteDocuments);
  EXPECT_FALSE(entry->target);
  EXPECT_TRUE(entry->task_type.empty());
  const Json row = repair_of("alien");
  EXPECT_EQ(member(row, "reason"), Json("foreign_adopted"));
  EXPECT_EQ(member(row, "winner"), Json(owners("alien")[1]));
  EXPECT_EQ(member(row, "repaired"), Json(true));
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "mismatches"), Json(0));
}

TEST_F(ForeignDocumentsTest, AdoptedFromTheNodeThatWasWrittenToWhichIsInSyncAgain) {
  choose(ForeignDocuments::kAdopt);
  const std::string name = owners("alien")[0];
  write_through(node(name), "alien");
  run_pass(PassKind::kLight);
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync);
  expect_version_everywhere("alien");
}

TEST_F(ForeignDocumentsTest, AdoptedByItsOwnersFromANodeThatDoesNotOwnItWhereItThenGoes) {
  choose(ForeignDocuments::kAdopt);
  stranger_to("alien").write_directly(kIndex, "alien", alien("alien"));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 2U) << to_text(light);
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  EXPECT_TRUE(document(stranger_to("alien"), "alien").is_null());
  expect_version_everywhere("alien");
}

TEST_F(ForeignDocumentsTest, WriteOfAClientThatComesMeanwhileIsNotOverwritten) {
  choose(ForeignDocuments::kAdopt);
  owner("alien").write_directly(kIndex, "alien", alien("alien"));
  std::size_t asked = 0;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (query.ids == std::vector<std::string>{"alien"}) ++asked;
  };
  ASSERT_TRUE(reconciler->start(PassKind::kLight, std::nullopt));
  ASSERT_TRUE(world.run_until([&] { return asked == world.nodes.size(); }));
  world.write(kIndex, {"alien"}, "a client's");
  ASSERT_TRUE(world.run_until([&] { return member(reconciler->status(), "running").is_null(); }));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  run_pass(PassKind::kLight);
  expect_version_everywhere("alien", "a client's");
}

TEST_F(ForeignDocumentsTest, WhatWasDeletedIsReportedNotAdopted) {
  choose(ForeignDocuments::kAdopt);
  world.remove(kIndex, {"id7"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  owner("id7").write_directly(kIndex, "id7", alien("id7"));
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "unresolved"), 1U) << to_text(light);
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("foreign"));
  EXPECT_TRUE(document(owner("id7", 1), "id7").is_null());
}

TEST_F(ForeignDocumentsTest, ExpiryOfAnAdoptedDocumentIsKeptAndOneThatIsNoneIsReported) {
  options.names.expiry = true;
  choose(ForeignDocuments::kAdopt);
  Json lasting = alien("lasting");
  lasting.set("_miroir_expires_at", 4'000'000'000'000);
  owner("lasting").write_directly(kIndex, "lasting", lasting);
  Json never = alien("never");
  never.set("_miroir_expires_at", "tomorrow");
  owner("never").write_directly(kIndex, "never", never);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 1U) << to_text(light);
  EXPECT_EQ(number(light, "unresolved"), 1U) << to_text(light);
  EXPECT_NE(member(repair_of("never"), "outcome").as_string().find("cannot be adopted"),
            std::string::npos);
  const auto copy =
      parse_copy(to_text(document(owner("lasting", 1), "lasting")), "id", FieldNames());
  EXPECT_EQ(copy->stored.expires_at, 4'000'000'000'000);
}

TEST_F(ForeignDocumentsTest, RemovedWhereverTheyAre) {
  choose(ForeignDocuments::kRemove);
  owner("alien").write_directly(kIndex, "alien", alien("alien"));
  stranger_to("guest").write_directly(kIndex, "guest", alien("guest"));
  write_through(owner("third", 1), "third");
  run_pass(PassKind::kLight);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(member(light, "clean"), Json(true)) << to_text(light);
  for (const auto& [name, each] : world.nodes) {
    EXPECT_EQ(world.cluster().status(name).state, ReplicaState::kInSync) << name;
    for (const std::string id : {"alien", "guest", "third"})
      EXPECT_TRUE(document(*each, id).is_null()) << name << id;
  }
  const Json row = repair_of("alien");
  EXPECT_EQ(member(row, "reason"), Json("foreign_removed"));
  EXPECT_EQ(member(row, "repaired"), Json(true));
  bool kept = false;
  for (const Json& copy : member(row, "copies").as_array())
    kept = kept || copy.find("document") != nullptr;
  EXPECT_TRUE(kept) << "its content was nowhere else";
}

TEST_F(ForeignDocumentsTest, RemovedWhateverIsInThePlaceOfTheirStamp) {
  choose(ForeignDocuments::kRemove);
  int number_of_them = 0;
  for (const Json& stamp : {Json(), Json(5), Json(true), Json("soon"), Json("2026-11-30")}) {
    const std::string id = "alien" + std::to_string(number_of_them++);
    Json its = alien(id);
    its.set("_miroir_updated_at", stamp);
    owner(id).write_directly(kIndex, id, its);
    EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 1U) << to_text(stamp);
    EXPECT_TRUE(document(owner(id), id).is_null()) << to_text(stamp);
  }
}

TEST_F(ForeignDocumentsTest, RemovingThemStopsAtTheBreaker) {
  options.breaker = {.share = 0, .min_documents = 3};
  choose(ForeignDocuments::kRemove);
  const ShardId shard = world.topology().shard_of(slot_of("alien"));
  int written = 0;
  for (int i = 0; written < 4; ++i) {
    const std::string id = "alien" + std::to_string(i);
    if (world.topology().shard_of(slot_of(id)) != shard) continue;
    owner(id).write_directly(kIndex, id, alien(id));
    ++written;
  }
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 0U) << to_text(light);
  EXPECT_EQ(number(light, "unresolved"), 4U);
}

TEST_F(ForeignDocumentsTest, NothingIsDoneToThemWhileRepairsAreOff) {
  owner("alien").write_directly(kIndex, "alien", alien("alien"));
  for (const ForeignDocuments policy : {ForeignDocuments::kAdopt, ForeignDocuments::kRemove}) {
    choose(policy);
    const Position head = world.log().head();
    EXPECT_EQ(number(run_pass(PassKind::kLight, false), "unresolved"), 1U);
    EXPECT_EQ(world.log().head(), head);
    EXPECT_EQ(document(owner("alien"), "alien"), alien("alien"));
  }
}

// A node compares ids in lower case, and no stamp tells these apart.
TEST_F(ForeignDocumentsTest, WhatItsNodeCannotTellFromAnotherIsNotDeleted) {
  options.names.expiry = true;
  choose(ForeignDocuments::kAdopt);
  world.write(kIndex, {"alien"}, "ours");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  SimulatedNode& where = stranger_to("alien");
  where.write_directly(kIndex, "alien", alien("alien"));
  Json other = alien("ALIEN");
  other.set("_miroir_expires_at", "tomorrow");  // so that it is not adopted, and stays as it is
  where.write_directly(kIndex, "ALIEN", other);
  const Json light = run_pass(PassKind::kLight, std::nullopt);
  EXPECT_FALSE(document(where, "alien").is_null() || document(where, "ALIEN").is_null())
      << to_text(light);
  EXPECT_NE(member(repair_of("alien"), "outcome").as_string().find("matches another document"),
            std::string::npos);
}

// An index that no client has written to has no primary key.
class ForeignDocumentsInAnEmptyIndexTest : public ForeignDocumentsTest {
 protected:
  void SetUp() override {
    ForeignDocumentsTest::SetUp();
    Entry birth;
    birth.kind = EntryKind::kCreateIndex;
    birth.index_uid = "notes";
    birth.arguments = Json::object({{"primaryKey", Json()}});
    world.append(std::move(birth));
    set_settings(Json::object({{"stopWords", Json::array({"of"})}}), "notes");
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
  void put(const Json& document) {
    WriteDocuments write{
        .index_uid = "notes", .primary_key = "id", .ndjson = to_text(document) + "\n"};
    ASSERT_TRUE(node("b0").enqueue(std::move(write), std::nullopt, ""));
    node("b0").settle();
    ASSERT_EQ(node("b0").documents("notes").size(), 1U);
  }
  void expect_made_anew() {
    run_pass(PassKind::kLight);
    EXPECT_TRUE(node("b0").documents("notes").empty());
    EXPECT_FALSE(node("b0").disk().indexes.at("notes").primary_key);
    EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
    EXPECT_EQ(world.cluster().status("b0").state, ReplicaState::kInSync);
  }
};

TEST_F(ForeignDocumentsInAnEmptyIndexTest, TheyAreReportedAndLeftWhateverThePolicy) {
  put(alien("alien"));
  for (const ForeignDocuments policy :
       {ForeignDocuments::kReport, ForeignDocuments::kAdopt, ForeignDocuments::kRemove}) {
    choose(policy);
    run_pass(PassKind::kLight);
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(member(light, "clean"), Json(false));
    EXPECT_NE(to_text(light).find("index `notes` holds documents that were written behind"),
              std::string::npos)
        << to_text(light);
    EXPECT_EQ(node("b0").documents("notes").size(), 1U);
  }
}

TEST_F(ForeignDocumentsInAnEmptyIndexTest, AVersionOfAnIndexThatWasDroppedGoes) {
  put(document(owner("id7"), "id7"));
  expect_made_anew();
}

}  // namespace
}  // namespace miroir
