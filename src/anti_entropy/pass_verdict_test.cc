// What a pass finds of a node while it compares.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

using PassVerdictTest = ReconcilerTest;

// What was written there changed nothing, and nobody knows that.
TEST_F(PassVerdictTest, APassIsNotCleanThatFoundANodeStale) {
  owner("id7", 1).delete_directly(kIndex, "id7");
  const std::string stale = owners("id7")[0];
  bool written = false;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (written || std::ranges::count(query.ids, "id7") == 0) return;
    written = true;
    ASSERT_TRUE(node(stale).enqueue(DeleteDocuments{kIndex, {"none"}}, std::nullopt, ""));
  };
  const Json light = run_pass(PassKind::kLight);
  world.before_documents = nullptr;
  ASSERT_TRUE(written);
  ASSERT_EQ(world.cluster().status(stale).state, ReplicaState::kStale) << to_text(light);
  EXPECT_EQ(member(light, "clean"), Json(false)) << to_text(light);
  const std::string told = member(member(light, "nodes"), stale).as_string();
  EXPECT_TRUE(told.starts_with("healing: ")) << told;
  run_pass(PassKind::kLight);
  EXPECT_EQ(world.cluster().status(stale).state, ReplicaState::kInSync);
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
}

}  // namespace
}  // namespace miroir
