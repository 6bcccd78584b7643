#include "anti_entropy/reconciler_fake.h"
#include "node_api/alike_ids_fake.h"

namespace miroir {
namespace {

// Conditional deletes whose filter would take another document along.
class InseparableTest : public ReconcilerTest {
 protected:
  // Written by one request, so of one stamp.
  void write_both(const std::pair<std::string, std::string>& ids) {
    world.write(kIndex, {ids.first, ids.second}, "both");
    settle();
  }
  void put_back_deleted(const std::vector<std::string>& ids) {
    std::vector<Json> old;
    for (const std::string& id : ids) old.push_back(document(owner(id), id));
    world.remove(kIndex, ids);
    settle();
    for (std::size_t i = 0; i < ids.size(); ++i)
      owner(ids[i]).write_directly(kIndex, ids[i], old[i]);
  }
};

TEST_F(InseparableTest, CopyIsLeftAndReportedWhereTheDeleteWouldTakeALiveOneToo) {
  for (const auto& ids : {alike_ids(), alike_long_ids()}) {
    write_both(ids);
    put_back_deleted({ids.first});
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(number(light, "repaired"), 0U) << to_text(light);
    EXPECT_FALSE(document(owner(ids.first), ids.first).is_null());
    for (const std::string& name : owners(ids.second))
      EXPECT_FALSE(document(node(name), ids.second).is_null()) << "the live one";
    const Json row = repair_of(ids.first);
    EXPECT_EQ(member(row, "reason"), Json("deleted"));
    EXPECT_EQ(member(row, "repaired"), Json(false));
    EXPECT_NE(member(row, "outcome").as_string().find("another document"), std::string::npos)
        << to_text(row);
    // Nothing else is held back by it.
    owner("id7").delete_directly(kIndex, "id7");
    run_pass(PassKind::kLight);
    EXPECT_FALSE(document(owner("id7"), "id7").is_null());
    world.remove(kIndex, {ids.second});
    settle();
    run_pass(PassKind::kLight);
    EXPECT_TRUE(document(owner(ids.first), ids.first).is_null()) << "now it can be told apart";
    EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  }
}

TEST_F(InseparableTest, BothGoWhereBothAreToGo) {
  for (const auto& ids : {alike_ids(), alike_long_ids()}) {
    write_both(ids);
    put_back_deleted({ids.first, ids.second});
    const Json light = run_pass(PassKind::kLight);
    EXPECT_EQ(number(light, "repaired"), 2U) << to_text(light);
    for (const std::string& id : {ids.first, ids.second})
      EXPECT_TRUE(document(owner(id), id).is_null());
  }
}

TEST_F(InseparableTest, LostCopyIsRestoredBesideOneThatIsDeleted) {
  const auto ids = alike_ids();
  write_both(ids);
  put_back_deleted({ids.first});
  owner(ids.second).delete_directly(kIndex, ids.second);
  const Json light = run_pass(PassKind::kLight);
  EXPECT_EQ(number(light, "repaired"), 2U) << to_text(light);
  EXPECT_TRUE(document(owner(ids.first), ids.first).is_null());
  EXPECT_FALSE(document(owner(ids.second), ids.second).is_null());
}

}  // namespace
}  // namespace miroir
