// What a pass knows to differ and no digest shows stays known until it was seen equal.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class RememberedTest : public ReconcilerTest {
 protected:
  // Equal stamps, different contents, and no checksum that tells who is right.
  void tie(const std::string& id) {
    world.write(kIndex, {id}, "put", EntryKind::kMergeDocuments);
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    ASSERT_TRUE(owner(id).corrupt(kIndex, id, "v", "flipped"));
  }
  std::uint64_t unresolved(PassKind kind) { return number(run_pass(kind), "unresolved"); }
};

TEST_F(RememberedTest, WhileANodeThatHoldsItIsAway) {
  tie("id7");
  ASSERT_EQ(unresolved(PassKind::kDeep), 1U);
  const std::string away = owners("id7")[0];
  node(away).options().down = true;
  ASSERT_TRUE(world.run_until([&] { return !world.cluster().status(away).healthy; }));
  run_pass(PassKind::kLight);
  node(away).options().down = false;
  ASSERT_TRUE(
      world.run_until([&] { return world.cluster().status(away).healthy && world.all_done(); }));
  EXPECT_EQ(unresolved(PassKind::kLight), 1U);
}

TEST_F(RememberedTest, WhileItMovesAndOthersAreRepaired) {
  tie("id7");
  ASSERT_EQ(unresolved(PassKind::kDeep), 1U);
  owner("id8").delete_directly(kIndex, "id8");
  ASSERT_EQ(number(pass_under_puts(PassKind::kLight, "id7"), "repaired"), 1U);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  EXPECT_EQ(unresolved(PassKind::kLight), 1U);
}

class ManyRememberedTest : public RememberedTest {
 protected:
  ManyRememberedTest() { options.unresolved_kept_max = 2; }
  void SetUp() override {
    RememberedTest::SetUp();
    for (const std::string id : {"id1", "id2", "id3", "id4", "id5"}) tie(id);
  }
};

TEST_F(ManyRememberedTest, NoPassIsCleanThatHasForgottenSome) {
  ASSERT_EQ(unresolved(PassKind::kDeep), 5U);
  for (const int id : {1, 2, 3, 4}) write(id, id + 1, "settles it");
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(false));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(false));
  EXPECT_EQ(unresolved(PassKind::kDeep), 1U);
  write(5, 6, "settles it");
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

TEST_F(ManyRememberedTest, APassSaysThatThereAreMore) {
  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_NE(member(member(deep, "indexes").as_array().at(0), "problems"), Json::array())
      << to_text(deep);
}

class MoreThanAPassListsTest : public RememberedTest {
 protected:
  MoreThanAPassListsTest() { options.unresolved_max = 2; }
};

TEST_F(MoreThanAPassListsTest, OthersAreRepaired) {
  for (const std::string id : {"id1", "id2", "id3"}) tie(id);
  ASSERT_EQ(unresolved(PassKind::kDeep), 3U);
  ASSERT_TRUE(owner("id8").corrupt(kIndex, "id8", "v", "flipped"));
  const Json deep = run_pass(PassKind::kDeep);
  EXPECT_EQ(number(deep, "repaired"), 1U) << to_text(deep);
  EXPECT_EQ(number(deep, "unresolved"), 2U) << to_text(deep);
  EXPECT_NE(to_text(deep).find("than are known by id"), std::string::npos) << to_text(deep);
  EXPECT_EQ(document(owner("id8", 0), "id8"), document(owner("id8", 1), "id8"));
}

}  // namespace
}  // namespace miroir
