// What an index was before something on it was taken back is by then another's past.
#include "anti_entropy/harvest.h"
#include "anti_entropy/taken_back_fake.h"

namespace miroir {
namespace {

// c0 was sent what comes first and is away, but not what comes next: that ends without it.
class LateOutcomeTest : public TakenBackTest {
 protected:
  LateOutcomeTest() : TakenBackTest(3) {}

  void fail_all() {
    for (auto& [name, each] : world.nodes)
      each->fail_tasks([](const NodeTask&) { return std::optional<std::string>("internal"); });
  }
  Position remove_sent_to_all(const std::string& uid, const std::string& id) {
    fail_all();
    node("c0").options().automatic = false;
    const Position removal = world.remove(uid, {id});
    goes_with(removal);
    return removal;
  }
  void goes_with(Position position) {
    EXPECT_TRUE(world.run_until([&] { return sent_to_c0(position); }));
    node("c0").options().down = true;
    world.run_for(Seconds(10));
  }
  bool sent_to_c0(Position position) {
    return node("c0").disk().tasks.contains(static_cast<TaskUid>(position));
  }
  // …and c0 comes back, and fails what it was sent.
  void end_without_c0(Position operation) {
    EXPECT_EQ(world.await_task(operation).status, "failed");
    world.run_for(Seconds(1));
    EXPECT_FALSE(sent_to_c0(operation));
    node("c0").options().down = false;
    node("c0").options().automatic = true;
  }
  void expect_never_deleted(Position removal, std::set<std::string> ids) {
    EXPECT_EQ(world.await_task(removal).status, "failed");
    settle();
    for (const auto& [uid, index] : world.log().catalogue().indexes()) {
      EXPECT_EQ(world.await(world.log().deleted_by(index.incarnation, removal)).value(),
                std::vector<std::string>())
          << uid;
      for (const Taint& taint : world.log().taints(index.incarnation))
        EXPECT_EQ(std::ranges::count(taint.failed, removal), 0) << uid;
    }
    expect_clean(true);
    expect_holds(kOne, std::move(ids));
  }
};

TEST_F(LateOutcomeTest, DeleteThatFailedEverywhereKillsNothingThoughASwapBehindItWasTakenBack) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "x");
  settle();
  const Position removal = remove_sent_to_all(kOne, "1");
  end_without_c0(world.swap_indexes(kOne, "other"));
  expect_never_deleted(removal, {"1", "2"});
}

TEST_F(LateOutcomeTest, OrARenameToANameThatWasUsedSince) {
  world.write(kOne, {"1", "2"}, "x");
  settle();
  const Position removal = remove_sent_to_all(kOne, "1");
  rename(kOne, "renamed");
  const Position renamed = world.log().head();
  for (const std::string name : {"a0", "b0"}) node(name).fail_tasks({});
  world.fail_tasks({"indexUpdate"});
  world.write("renamed", {"5"}, "x");
  end_without_c0(renamed);
  world.fail_tasks({"documentDeletion"}, "c0");
  expect_never_deleted(removal, {"1", "2"});
}

TEST_F(LateOutcomeTest, OrADropOfWhatWasMadeAnew) {
  world.write(kOne, {"1", "2"}, "x");
  settle();
  const Position removal = remove_sent_to_all(kOne, "1");
  world.drop_index(kOne);
  const Position dropped = world.log().head();
  for (const std::string name : {"a0", "b0"}) node(name).fail_tasks({});
  world.fail_tasks({"indexDeletion"});
  make(kOne);
  world.write(kOne, {"5"}, "x");
  end_without_c0(dropped);
  world.fail_tasks({"documentDeletion"}, "c0");
  expect_never_deleted(removal, {"1", "2", "5"});
}

// What it applies late is healed on the others.
TEST_F(LateOutcomeTest, DeleteThatANodeAppliesLateIsMadeOnAll) {
  world.create_index("other");
  world.write(kOne, {"1", "2"}, "x");
  world.write("other", {"1"}, "x");
  settle();
  const Position removal = remove_sent_to_all(kOne, "1");
  end_without_c0(world.swap_indexes(kOne, "other"));
  node("c0").fail_tasks({});
  EXPECT_EQ(world.await_task(removal).status, "succeeded");
  settle();
  expect_clean(true);
  expect_holds(kOne, {"2"});
  expect_holds("other", {"1"});
}

// Nor is anything of the other index in doubt for it.
TEST_F(LateOutcomeTest, WriteThatFailsLateTaintsTheIndexThatItWasFor) {
  world.create_index("other");
  world.write(kOne, {"1"}, "x");
  world.write("other", {"1"}, "x");
  settle();
  fail_all();
  for (const std::string name : {"a0", "b0"}) world.fail_tasks({"indexSwap"}, name);
  node("c0").options().automatic = false;
  const Position write = world.write(kOne, {"1"}, "y");
  goes_with(write);
  end_without_c0(world.swap_indexes(kOne, "other"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const Catalogue& catalogue = world.log().catalogue();
  EXPECT_TRUE(world.log().tainted(catalogue.index(kOne)->incarnation, "1", "c0"));
  EXPECT_FALSE(world.log().tainted(catalogue.index("other")->incarnation, "1", "c0"));
  settle();
  expect_clean(true);
  EXPECT_NE(node("c0").documents(kOne).at("1").find("\"y\""), std::string::npos);
}

// …and what is first on nodes is taken back last.
class TakenBackFirstTest : public LateOutcomeTest {
 protected:
  void SetUp() override {
    LateOutcomeTest::SetUp();
    for (const char* uid : {"other", "third"}) world.create_index(uid);
    for (const char* uid : {kOne.c_str(), "other", "third"}) {
      stop_word(uid, uid);
      world.write(uid, {uid, "deleted"}, "x");
      world.remove(uid, {"deleted"});
    }
    settle();
    fail_all();
    node("c0").options().automatic = false;
  }
  void expect_as_before() {
    settle();
    expect_clean(true);
    for (const char* uid : {kOne.c_str(), "other", "third"}) {
      EXPECT_EQ(settings(uid), Json::object({{"stopWords", Json::array({uid})}})) << uid;
      expect_holds(uid, {uid});
    }
  }
};

TEST_F(TakenBackFirstTest, SwapOfWhatALaterOneExchangedIsOfWhatHasThePasts) {
  goes_with(world.swap_indexes(kOne, "other"));
  end_without_c0(world.swap_indexes("other", "third"));
  expect_as_before();
}

TEST_F(TakenBackFirstTest, AndAfterARestartInBetween) {
  goes_with(world.swap_indexes(kOne, "other"));
  const Position later = world.swap_indexes(kOne, "third");
  EXPECT_EQ(world.await_task(later).status, "failed");
  world.run_for(Seconds(1));
  restart_after([] {});
  end_without_c0(later);
  expect_as_before();
}

TEST_F(TakenBackFirstTest, SoIsARename) {
  rename(kOne, "renamed");
  goes_with(world.log().head());
  end_without_c0(world.swap_indexes("renamed", "third"));
  expect_as_before();
}

class LostSinceTest : public TakenBackTest {
 protected:
  void SetUp() override {
    TakenBackTest::SetUp();
    set_settings(Json::object({{"filterableAttributes", Json::array({"v"})}}), kOne);
    world.create_index("other");
    world.write(kOne, {"1", "2"}, "x");
    settle();
  }
  void fail_swap() {
    world.fail_tasks({"indexSwap"});
    EXPECT_EQ(world.await_task(world.swap_indexes(kOne, "other")).status, "failed");
    settle();
  }
  // b0 loses it, and a0 is not in sync.
  void keep_only_on_a_stale_node(const std::string& id, SimulatedNode::Disk disk) {
    world.write(kOne, {"9"}, "so that the disk is an older one");
    settle();
    node("b0").delete_directly(kOne, id);
    node("a0").restore(std::move(disk));
  }
};

TEST_F(LostSinceTest, DocumentFromBeforeASwapThatWasTakenBackIsHarvested) {
  fail_swap();
  keep_only_on_a_stale_node("1", node("a0").snapshot());
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("1"), "reason"), Json("harvested"));
  expect_clean();
  expect_holds(kOne, {"1", "2", "9"});
}

TEST_F(LostSinceTest, NorWhereTheNameWasUsedSince) {
  world.fail_tasks({"indexUpdate"});
  rename(kOne, "renamed");
  world.write("renamed", {"5"}, "x");
  settle();
  expect_clean(true);
  expect_names({kOne, "other", "renamed"});
  keep_only_on_a_stale_node("1", node("a0").snapshot());
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("1"), "reason"), Json("harvested"));
  expect_holds(kOne, {"1", "2", "9"});
}

TEST_F(LostSinceTest, UnlessADeleteByFilterFromBeforeItMayHaveMeantIt) {
  const SimulatedNode::Disk disk = node("a0").snapshot();
  for (const std::string name : {"a0", "b0"}) node(name).delete_directly(kOne, "1");
  world.remove_by_filter(kOne, Json("v = x"));
  settle();
  fail_swap();
  keep_only_on_a_stale_node("1", disk);
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(repair_of("1"), "reason"), Json("maybe_deleted"));
}

TEST_F(LostSinceTest, DeleteAllThatIsKnownNoMoreIsRememberedThoughTheIndexGotAnothers) {
  const auto clear = [&] {
    for (std::size_t i = 0; i <= IndexState::kClearsMax; ++i) world.clear(kOne);
  };
  clear();
  settle();
  const Position forgotten = world.log().catalogue().index(kOne)->clears.front().position - 1;
  const EntryStamp stamp = world.await(world.log().entry(forgotten)).value()->stamp;
  world.fail_tasks({"indexSwap"});
  world.swap_indexes(kOne, "other");
  clear();
  settle();
  EXPECT_GE(anti_entropy::horizon_of(world.log(), *world.log().catalogue().index(kOne)), stamp);
}

// Its copies differ, and no digest shows it.
class DifferingTest : public LostSinceTest {
 protected:
  void SetUp() override {
    LostSinceTest::SetUp();
    world.write(kOne, {"1"}, "put", EntryKind::kMergeDocuments);
    settle();
    ASSERT_TRUE(node("a0").corrupt(kOne, "1", "v", "flipped"));
    ASSERT_EQ(number(run_pass(PassKind::kDeep), "unresolved"), 1U);
  }
  void expect_known() { EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 1U); }
};

TEST_F(DifferingTest, StaysKnownThoughTheIndexGotAnothersPast) {
  fail_swap();
  expect_known();
  restart_after([] {});
  expect_known();
  fail_swap();
  expect_known();
  world.await_task(world.swap_indexes(kOne, "other"));
  expect_known();
}

TEST_F(DifferingTest, AndWhileNobodyKnowsYetWhetherItWill) {
  world.fail_tasks({"indexSwap"});
  node("b0").options().automatic = false;
  const Position swap = world.swap_indexes(kOne, "other");
  run_pass(PassKind::kLight);
  node("b0").options().automatic = true;
  EXPECT_EQ(world.await_task(swap).status, "failed");
  settle();
  expect_known();
}

TEST_F(DifferingTest, NorIsItForgottenBeforeTheDropOfItsIndexIsKnownToHaveFailed) {
  world.fail_tasks({"indexDeletion"});
  node("b0").options().automatic = false;
  world.drop_index(kOne);
  make(kOne);
  run_pass(PassKind::kLight);
  node("b0").options().automatic = true;
  settle();
  expect_holds(kOne, {"1", "2"});
  expect_known();
}

// It was compared by content, and what has its name by now was not.
TEST_F(DifferingTest, NobodyIsTrustedWithoutBeingReadUnderTheNameThatAnIndexGot) {
  const SimulatedNode::Disk disk = node("a0").snapshot();
  world.write(kIndex, {"9"}, "so that the disk is an older one");
  settle();
  node("a0").restore(disk);
  EXPECT_EQ(number(run_pass(PassKind::kLight, false), "unresolved"), 1U);
  ASSERT_EQ(world.cluster().status("a0").state, ReplicaState::kStale);
  fail_swap();
  world.write("other", {"3"}, "put", EntryKind::kMergeDocuments);
  settle();
  ASSERT_TRUE(node("a0").corrupt("other", "3", "v", "flipped"));
  run_pass(PassKind::kLight);
  EXPECT_TRUE(node("a0").documents("other") == node("b0").documents("other") ||
              world.cluster().status("a0").state != ReplicaState::kInSync);
}

// More than one index remembers of itself.
TEST_F(LostSinceTest, SwapsThatFailedOneAfterTheOtherAreTakenBackOnceEach) {
  world.write("other", {"8"}, "x");
  stop_word(kOne, "the");
  settle();
  world.fail_tasks({"indexSwap"});
  const Position first = world.log().head() + 1;
  for (int i = 0; i < 41; ++i) world.swap_indexes(kOne, "other");
  settle();
  std::map<Position, int> taken_back;
  for (Position position = first; position <= world.log().head(); ++position) {
    const auto entry = world.await(world.log().entry(position)).value();
    if (entry->kind == EntryKind::kTakeBack)
      ++taken_back[entry->arguments.find("entry")->as_uint64()];
  }
  EXPECT_EQ(taken_back.size(), 41U);
  for (const auto& [swap, times] : taken_back) EXPECT_EQ(times, 1) << swap;
  expect_clean(true);
  expect_holds(kOne, {"1", "2"});
  expect_holds("other", {"8"});
}

}  // namespace
}  // namespace miroir
