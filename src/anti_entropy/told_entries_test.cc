// What a client was told of an entry stands, whoever has lost it or left since.
#include "anti_entropy/reconciler_fake.h"
#include "cluster/present_taints.h"

namespace miroir {
namespace {

class ToldEntriesTest : public ReconcilerTest {
 protected:
  static ForwardWorld::Options one_node_a_group() {
    ForwardWorld::Options options;
    options.nodes_per_group = 1;
    return options;
  }
  explicit ToldEntriesTest(ForwardWorld::Options options = one_node_a_group())
      : ReconcilerTest(std::move(options)) {}

  void fail(const std::string& type, std::set<std::string> names) {
    for (const std::string& name : names) {
      node(name).fail_tasks([type](const NodeTask& task) -> std::optional<std::string> {
        return task.type == type ? std::optional<std::string>("internal") : std::nullopt;
      });
    }
  }
  void settle() {
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    for (auto& [name, each] : world.nodes) each->fail_tasks({});
  }
  std::string told(Position task) { return world.await_task(task).status; }
  // By an empty node that joins as one that was never there.
  void replace(const std::string& name) {
    restart_after([&] {
      node(name).wipe();
      auto tables = world.store.snapshot();
      tables[static_cast<int>(Table::kNode)].erase(name);
      world.store.restore(tables);
    });
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
  bool has_tombstone(const std::string& id) {
    const Position index = world.log().catalogue().index(kIndex)->incarnation;
    return world.await(world.log().tombstone(index, id)).value().has_value();
  }
  void expect_clean() {
    run_pass(PassKind::kDeep);
    EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
    EXPECT_TRUE(present_index_taints(world.log(), world.topology()).empty());
    expect_groups_equal();
  }
};

TEST_F(ToldEntriesTest, ADeleteStandsWhereTheOnlyNodeThatCarriedItOutIsReplaced) {
  fail("documentDeletion", {"a0"});
  const Position removal = world.remove(kIndex, {"id7"});
  settle();
  ASSERT_EQ(told(removal), "succeeded");
  run_pass(PassKind::kLight);
  ASSERT_TRUE(document(node("a0"), "id7").is_null());
  replace("b0");
  EXPECT_TRUE(world.cluster().progress("b0").lacks(removal));
  EXPECT_TRUE(document(node("b0"), "id7").is_null()) << "the log has it still";
  EXPECT_TRUE(has_tombstone("id7"));
  expect_clean();
  EXPECT_TRUE(document(node("a0"), "id7").is_null());
  EXPECT_TRUE(document(node("b0"), "id7").is_null());
}

TEST_F(ToldEntriesTest, AWriteIsSentToTheNodeInThePlaceOfTheOnlyOneThatCarriedItOut) {
  fail("documentAdditionOrUpdate", {"a0"});
  ASSERT_EQ(told(world.write(kIndex, {"id7"}, "told")), "succeeded");
  settle();
  replace("b0");
  EXPECT_EQ(member(document(node("b0"), "id7"), "v"), Json("told"));
  expect_clean();
  EXPECT_EQ(member(document(node("a0"), "id7"), "v"), Json("told"));
}

class GroupTakenAwayTest : public ToldEntriesTest {
 protected:
  // A third group, away.
  void SetUp() override {
    ToldEntriesTest::SetUp();
    restart_after([&] { world.add_group(); });
    world.create_index("other");
    world.write("other", {"1"}, "x");
    settle();
    run_pass(PassKind::kDeep);
    node("c0").options().down = true;
    ASSERT_TRUE(world.run_until([&] { return !world.cluster().status("c0").healthy; }));
  }
  // Of what failed on the others nobody knows whether it happened there.
  void take_away(Position undecided) {
    world.run_for(Seconds(20));
    ASSERT_FALSE(world.task_end(undecided));
    remove_group();
    EXPECT_EQ(told(undecided), "failed");
    settle();
  }
  void remove_group() {
    restart_after([&] {
      world.remove_group();
      away_ = world.nodes.extract("c0");
    });
  }
  // With what it had.
  void come_back() {
    restart_after([&] {
      world.nodes.insert(std::move(away_));
      world.add_group();
      node("c0").options().down = false;
    });
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  }
  void expect_not_swapped() {
    for (const char* name : {"a0", "b0", "c0"}) {
      EXPECT_EQ(node(name).documents("other").size(), 1U) << name;
      EXPECT_EQ(node(name).documents(kIndex).size(), 200U) << name;
    }
  }

 private:
  std::map<std::string, std::unique_ptr<SimulatedNode>>::node_type away_;
};

TEST_F(GroupTakenAwayTest, ASwapThatFailedOnAllThatAreLeftIsTakenBack) {
  fail("indexSwap", {"a0", "b0"});
  take_away(world.swap_indexes(kIndex, "other"));
  expect_clean();
  for (const char* name : {"a0", "b0"}) {
    EXPECT_EQ(node(name).documents("other").size(), 1U) << name;
    EXPECT_EQ(node(name).documents(kIndex).size(), 200U) << name;
  }
}

TEST_F(GroupTakenAwayTest, ASwapThatFailedWithoutItIsNotSentToItWhenItComesBack) {
  remove_group();
  fail("indexSwap", {"a0", "b0"});
  ASSERT_EQ(told(world.swap_indexes(kIndex, "other")), "failed");
  settle();
  come_back();
  expect_not_swapped();
  expect_clean();
  expect_not_swapped();
}

TEST_F(GroupTakenAwayTest, ASwapThatItAloneMadeIsUndoneWhereItWasTakenBackWithoutIt) {
  node("c0").options().down = false;
  node("c0").options().automatic = false;
  ASSERT_TRUE(world.run_until([&] { return world.cluster().status("c0").healthy; }));
  fail("indexSwap", {"a0", "b0"});
  const Position swap = world.swap_indexes(kIndex, "other");
  ASSERT_TRUE(world.run_until([&] { return world.cluster().progress("c0").acknowledged >= swap; }));
  node("c0").options().down = true;
  node("c0").options().automatic = true;
  take_away(swap);
  come_back();
  EXPECT_EQ(node("c0").documents("other").size(), 200U) << "it is swapped there";
  expect_clean();
  expect_not_swapped();
}

TEST_F(GroupTakenAwayTest, ADeleteThatFailedOnAllThatAreLeftIsForgotten) {
  fail("documentDeletion", {"a0", "b0"});
  take_away(world.remove(kIndex, {"id7"}));
  EXPECT_FALSE(has_tombstone("id7"));
  expect_clean();
  EXPECT_EQ(member(document(node("a0"), "id7"), "v"), Json("first"));
}

// Two nodes a group: of what failed on one of them only, while the other group is away for long.
class PartlyFailedTest : public ToldEntriesTest {
 protected:
  PartlyFailedTest() : ToldEntriesTest({}) {}
  void away(bool away) {
    for (const char* name : {"b0", "b1"}) {
      node(name).options().down = away;
      ASSERT_TRUE(world.run_until([&] { return world.cluster().status(name).healthy != away; }));
    }
  }
};

TEST_F(PartlyFailedTest, AnOperationThatOneNodeCarriedOutStandsOnAll) {
  away(true);
  fail("settingsUpdate", {"a0"});
  const Json wanted = Json::object({{"stopWords", Json::array({"told"})}});
  change_settings(kIndex, wanted);
  EXPECT_EQ(told(world.log().head()), "failed") << "on a part of the shards";
  away(false);
  settle();
  EXPECT_EQ(*node("b0").disk().indexes.at(kIndex).settings.find("stopWords"),
            *wanted.find("stopWords"));
  expect_clean();
  EXPECT_EQ(world.log().catalogue().index(kIndex)->settings, wanted);
}

TEST_F(PartlyFailedTest, ADeleteAllIsKeptFromTheShardsInWhichItFailed) {
  away(true);
  fail("documentDeletion", {"a0"});
  EXPECT_EQ(told(world.clear(kIndex)), "failed") << "on a part of the shards";
  away(false);
  settle();
  const auto left = node("a0").documents(kIndex);
  ASSERT_FALSE(left.empty());
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kDeep);
  EXPECT_EQ(node("a0").documents(kIndex), left);
  EXPECT_TRUE(node("a1").documents(kIndex).empty());
  expect_groups_equal();
}

}  // namespace
}  // namespace miroir
