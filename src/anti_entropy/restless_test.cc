#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

// Documents that are PUT all the time, also while passes look at them.
class RestlessTest : public ReconcilerTest {
 protected:
  Json pass_under_puts(PassKind kind) {
    const std::uint64_t order = reconciler->start(kind, std::nullopt).value();
    const char* last = kind == PassKind::kDeep ? "lastDeep" : "lastLight";
    const auto ended = [&] {
      const Json pass = member(reconciler->status(), last);
      return !pass.is_null() && number(pass, "pass") == order;
    };
    while (!ended()) {
      world.write(kIndex, {"id7"}, std::to_string(++puts_), EntryKind::kMergeDocuments);
      world.run_for(Milliseconds(20));
    }
    return member(reconciler->status(), last);
  }
  static std::uint64_t moving(const Json& pass) {
    return number(member(pass, "indexes").as_array().at(0), "moving");
  }

  int puts_ = 0;
};

TEST_F(RestlessTest, LostCopyComesBackWithThePutsOnTop) {
  SimulatedNode& damaged = owner("id7");
  damaged.delete_directly(kIndex, "id7");
  std::uint64_t repaired = number(pass_under_puts(PassKind::kDeep), "repaired");
  for (int passes = 0; passes < 2 && repaired == 0; ++passes)
    repaired += number(pass_under_puts(PassKind::kLight), "repaired");
  EXPECT_EQ(repaired, 1U);
  EXPECT_EQ(member(document(damaged, "id7"), "v"), Json("first"));
  EXPECT_EQ(member(repair_of("id7"), "reason"), Json("greater_base"));
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  expect_groups_equal();
  EXPECT_EQ(member(document(damaged, "id7"), "m"), Json(std::to_string(puts_)));
}

TEST_F(RestlessTest, WhatMovedInOnePassIsJudgedInTheNextWhileTheLanesStand) {
  const std::uint64_t first = moving(pass_under_puts(PassKind::kDeep));
  const Json second = pass_under_puts(PassKind::kLight);
  EXPECT_EQ(first, 1U);
  EXPECT_EQ(moving(second), 0U) << to_text(second);
  EXPECT_EQ(number(second, "mismatches"), 0U);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); })) << "the lanes go on";
  expect_groups_equal();
}

}  // namespace
}  // namespace miroir
