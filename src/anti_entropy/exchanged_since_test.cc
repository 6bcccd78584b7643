// What was kept of an index before its past was exchanged is not of what it has by now.
#include "anti_entropy/taken_back_fake.h"

namespace miroir {
namespace {

class ExchangedSinceTest : public TakenBackTest {
 protected:
  ExchangedSinceTest() {
    options.breaker = {.share = 0.05, .min_documents = 5};
    for (int i = 0; i < 120; ++i) ids.push_back("id" + std::to_string(i));
  }
  void SetUp() override {
    TakenBackTest::SetUp();
    world.create_index("other");
    for (const std::string& uid : {kOne, std::string("other")}) world.write(uid, ids, "x");
    settle();
  }
  void exchange() {
    const Position before = world.log().catalogue().index(kOne)->incarnation;
    world.fail_tasks({"indexSwap"});
    EXPECT_EQ(world.await_task(world.swap_indexes(kOne, "other")).status, "failed");
    settle();
    ASSERT_EQ(world.log().catalogue().index("other")->incarnation, before);
  }
  // Documents that were deleted are there again on a0.
  void revive(const std::string& uid) {
    const auto old = node("a0").disk().indexes.at(uid).documents;
    world.remove(uid, ids);
    settle();
    for (const auto& [id, document] : old) node("a0").write_directly(uid, id, document);
  }
  std::vector<std::string> ids;
};

TEST_F(ExchangedSinceTest, WhatAPersonAgreedToIsNotDoneToAnotherIndex) {
  revive(kOne);
  const Json first = run_pass(PassKind::kLight);
  ASSERT_GT(number(first, "unresolved"), 100U);
  exchange();
  revive("other");
  ASSERT_TRUE(world.await(reconciler->approve(number(first, "pass"))));
  run_pass(PassKind::kLight);
  EXPECT_EQ(node("a0").documents("other").size(), 120U);
  std::set<std::uint64_t> passes;
  const Json divergence = reconciler->divergence();
  for (const Json& trip : member(divergence, "breaker").as_array())
    passes.insert(number(trip, "pass"));
  EXPECT_FALSE(passes.contains(number(first, "pass")));
  for (const std::uint64_t pass : passes) EXPECT_TRUE(world.await(reconciler->approve(pass)));
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  expect_holds("other", {});
}

TEST_F(ExchangedSinceTest, AReadingThatGoesOnReadsWhatItHasNotRead) {
  stop_reconciler();
  options.schedule = std::chrono::minutes(5);
  start_reconciler();
  bool paused = false;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (!query.ids.empty() || !query.fields.empty() || query.index_uid != "other") return;
    if (!std::exchange(paused, true))
      tasks->spawn("pause",
                   [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  };
  const auto last = [&] { return member(reconciler->status(), "lastDeep"); };
  ASSERT_TRUE(world.run_until([&] { return !last().is_null() && paused; }));
  ASSERT_TRUE(world.run_until([&] { return member(last(), "state") == Json("cut_off"); }));
  world.before_documents = nullptr;
  ASSERT_TRUE(node("a0").corrupt("other", "id7", "v", "flipped"));
  exchange();
  ASSERT_TRUE(world.await(reconciler->resume()));
  ASSERT_TRUE(world.run_until([&] { return member(last(), "state") == Json("completed"); }));
  EXPECT_EQ(member(last(), "whole"), Json(true));
  EXPECT_EQ(number(last(), "repaired"), 1U) << to_text(last());
}

}  // namespace
}  // namespace miroir
