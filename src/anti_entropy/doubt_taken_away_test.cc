// A group that is taken away while something failed on one of its nodes.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class DoubtTakenAwayTest : public ReconcilerTest {
 protected:
  DoubtTakenAwayTest() : ReconcilerTest({.groups = 3}) {}

  void take_away() {
    restart_after([&] { world.remove_group(); });
    settle();
  }
  void give_back() {
    restart_after([&] { world.add_group(); });
    settle();
  }
  void expect_clean(PassKind kind) {
    const Json pass = run_pass(kind);
    EXPECT_EQ(member(pass, "state"), Json("completed")) << to_text(pass);
    EXPECT_EQ(member(pass, "clean"), Json(true)) << to_text(pass);
  }
};

TEST_F(DoubtTakenAwayTest, ItsIndexInDoubtIsNobodysUntilItIsBack) {
  world.fail_tasks({"documentDeletion"}, "c0");
  world.clear(kIndex);
  settle();
  world.fail_tasks({});
  ASSERT_EQ(world.log().index_taints().size(), 1U);
  take_away();
  expect_clean(PassKind::kLight);
  expect_clean(PassKind::kDeep);

  give_back();
  ASSERT_FALSE(node("c0").documents(kIndex).empty());
  run_pass(PassKind::kLight);
  EXPECT_TRUE(node("c0").documents(kIndex).empty());
  EXPECT_TRUE(world.log().index_taints().empty());
}

}  // namespace
}  // namespace miroir
