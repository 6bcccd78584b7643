#include "anti_entropy/breaker.h"

#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class BreakerTest : public ReconcilerTest {
 protected:
  BreakerTest() { options.breaker = {.share = 0.05, .min_documents = 5}; }

  // Documents that were deleted are there again on one of their owners.
  void revive(int first, int end) {
    std::map<std::string, Json> old;
    std::vector<std::string> ids;
    for (int i = first; i < end; ++i) {
      ids.push_back("id" + std::to_string(i));
      old[ids.back()] = document(owner(ids.back()), ids.back());
    }
    world.remove(kIndex, ids);
    ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
    for (const auto& [id, text] : old) owner(id).write_directly(kIndex, id, text);
  }
  std::size_t revived(int first, int end) {
    std::size_t count = 0;
    for (int i = first; i < end; ++i) {
      const std::string id = "id" + std::to_string(i);
      count += document(owner(id), id).is_null() ? 0 : 1;
    }
    return count;
  }
  static std::string states(const Json& pass) {
    return to_text(member(member(pass, "indexes").as_array().at(0), "states"));
  }
};

TEST_F(BreakerTest, FewDeletesAreMade) {
  revive(0, 5);
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 5U);
  EXPECT_EQ(revived(0, 5), 0U);
}

TEST_F(BreakerTest, ManyDeletesInAShardWaitForAPersonAndSurviveARestart) {
  revive(0, 150);
  const Json first = run_pass(PassKind::kLight);
  EXPECT_GT(number(first, "unresolved"), 0U);
  EXPECT_EQ(revived(0, 150), number(first, "unresolved"));
  EXPECT_NE(states(first).find("repair_pending"), std::string::npos) << states(first);

  stop_reconciler();
  start_reconciler();
  const Json second = run_pass(PassKind::kLight);
  EXPECT_EQ(number(second, "repaired"), 0U) << "not a few more by every pass";
  EXPECT_EQ(number(second, "unresolved"), number(first, "unresolved"));
  const Json divergence = reconciler->divergence();
  const Json::Array& waiting = member(divergence, "breaker").as_array();
  ASSERT_FALSE(waiting.empty()) << to_text(divergence);
  for (const Json& trip : waiting) {
    EXPECT_EQ(member(trip, "pass"), member(first, "pass"));
    EXPECT_EQ(number(trip, "limit"), 5U);
  }

  EXPECT_FALSE(world.await(reconciler->approve(number(second, "pass")))) << "it stopped nothing";
  const auto approved = world.await(reconciler->approve(number(first, "pass")));
  ASSERT_TRUE(approved);
  EXPECT_EQ(number(*approved, "approved"), number(first, "unresolved"));
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
  EXPECT_EQ(revived(0, 150), 0U);
  EXPECT_EQ(member(reconciler->divergence(), "breaker").size(), 0U);
}

TEST_F(BreakerTest, AgreementIsForOnce) {
  revive(0, 150);
  const Json first = run_pass(PassKind::kLight);
  ASSERT_TRUE(world.await(reconciler->approve(number(first, "pass"))));
  run_pass(PassKind::kLight);
  ASSERT_EQ(revived(0, 150), 0U);
  write(0, 150, "again");
  revive(0, 150);
  EXPECT_GT(number(run_pass(PassKind::kLight), "unresolved"), 0U);
}

TEST_F(BreakerTest, LargeShardsAllowAShare) {
  options.breaker = {.share = 1.0, .min_documents = 5};
  stop_reconciler();
  start_reconciler();
  // 150 of 200 were deleted; the owner that has them again counts 200.
  revive(0, 150);
  EXPECT_EQ(number(run_pass(PassKind::kLight), "unresolved"), 0U);
}

TEST_F(BreakerTest, WhatIsMissingIsRestoredHoweverMuchItIs) {
  for (int i = 0; i < 150; ++i) {
    const std::string id = "id" + std::to_string(i);
    owner(id).delete_directly(kIndex, id);
  }
  EXPECT_EQ(number(run_pass(PassKind::kLight), "repaired"), 150U);
  expect_groups_equal();
}

TEST_F(BreakerTest, ShardsBesideGoOn) {
  revive(0, 150);
  owner("id190").delete_directly(kIndex, "id190");
  run_pass(PassKind::kLight);
  EXPECT_FALSE(document(owner("id190"), "id190").is_null());
}

TEST_F(BreakerTest, AgreementIsForOnceThoughThePassIsCutOff) {
  revive(0, 150);
  const Json first = run_pass(PassKind::kLight);
  const Position head = world.log().head();
  bool asked = false;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (query.ids.empty() || world.log().head() == head || std::exchange(asked, true)) return;
    tasks->spawn("pause",
                 [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  };
  const auto approved = world.await(reconciler->approve(number(first, "pass")));
  ASSERT_TRUE(approved);
  ASSERT_TRUE(world.run_until([&] {
    const Json last = member(reconciler->status(), "lastLight");
    return number(last, "pass") == number(*approved, "pass");
  }));
  world.before_documents = nullptr;
  ASSERT_EQ(member(member(reconciler->status(), "lastLight"), "state"), Json("cut_off"));
  ASSERT_EQ(revived(0, 150), 0U);
  write(0, 150, "again");
  revive(0, 150);
  EXPECT_GT(number(run_pass(PassKind::kLight), "unresolved"), 0U);
}

class BreakerBeyondTheListTest : public BreakerTest {
 protected:
  BreakerBeyondTheListTest() { options.unresolved_max = 10; }
  std::uint64_t waiting() {
    std::uint64_t documents = 0;
    for (const Json& trip : member(reconciler->divergence(), "breaker").as_array())
      documents += number(trip, "documents");
    return documents;
  }
};

TEST_F(BreakerBeyondTheListTest, EachDocumentWaitsOnce) {
  revive(0, 150);
  owner("id190").delete_directly(kIndex, "id190");  // restored: all are looked at once more
  const Json first = run_pass(PassKind::kDeep);
  ASSERT_EQ(number(first, "repaired"), 1U);
  EXPECT_EQ(waiting(), 150U);
  for (const PassKind kind : {PassKind::kLight, PassKind::kDeep}) {
    EXPECT_EQ(number(run_pass(kind), "repaired"), 0U) << "not a few more by every pass";
    EXPECT_EQ(waiting(), 150U);
  }
  const auto approved = world.await(reconciler->approve(number(first, "pass")));
  ASSERT_TRUE(approved);
  EXPECT_EQ(number(*approved, "approved"), 150U);
  run_pass(PassKind::kDeep);
  EXPECT_EQ(revived(0, 150), 0U);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true));
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(BreakerTest, DryRunTripsNothing) {
  revive(0, 150);
  const Json dry = run_pass(PassKind::kLight, false);
  EXPECT_EQ(number(dry, "unresolved"), 150U);
  EXPECT_NE(states(dry).find("repairs_off"), std::string::npos) << states(dry);
  EXPECT_EQ(member(reconciler->divergence(), "breaker").size(), 0U);
}

// Of more shards than are read between two savings of how far a pass is.
class BreakerOfManyShardsTest : public ReconcilerTest {
 protected:
  BreakerOfManyShardsTest() : ReconcilerTest(with_shards(16)) {
    options.tie = TieRule::kHash;
    options.breaker = {.share = 0, .min_documents = 0};
  }
  static ForwardWorld::Options with_shards(std::uint32_t shards) {
    ForwardWorld::Options its;
    its.shards = shards;
    return its;
  }
  void await_deep(std::uint64_t pass) {
    ASSERT_TRUE(world.run_until([&] {
      const Json last = member(reconciler->status(), "lastDeep");
      return !last.is_null() && number(last, "pass") == pass;
    }));
  }
  Json last_deep() { return member(reconciler->status(), "lastDeep"); }
};

TEST_F(BreakerOfManyShardsTest, PassThatGoesOnWithAnotherDoesNotForgetWhatThatOneStopped) {
  constexpr Slot kHalf = 32'768;
  std::string id = "m";
  while (slot_of(id) >= kHalf) id += "m";
  Entry merge;
  merge.kind = EntryKind::kMergeDocuments;
  merge.index_uid = kIndex;
  world.append_records(std::move(merge), {{slot_of(id), 0, id, R"({"id":")" + id + R"(","v":1})"}});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_TRUE(owner(id).corrupt(kIndex, id, "v", "flipped"));  // a tie that no digest shows

  stop_reconciler();
  options.schedule = std::chrono::minutes(5);
  bool asked = false;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    const bool other_half = query.ids.empty() && query.fields.empty() && !query.slots.empty() &&
                            query.slots.front().first >= kHalf;
    if (!other_half || std::exchange(asked, true)) return;
    tasks->spawn("pause",
                 [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  };
  start_reconciler();
  await_deep(1);
  world.before_documents = nullptr;
  ASSERT_EQ(member(last_deep(), "state"), Json("cut_off"));
  ASSERT_EQ(member(reconciler->divergence(), "breaker").size(), 1U);

  ASSERT_TRUE(world.await(reconciler->resume()));
  await_deep(2);
  const Json resumed = last_deep();
  ASSERT_EQ(number(resumed, "resumes"), 1U) << to_text(resumed);
  ASSERT_EQ(member(resumed, "whole"), Json(true)) << to_text(resumed);
  EXPECT_EQ(number(resumed, "unresolved"), 1U) << to_text(resumed);
  EXPECT_EQ(member(resumed, "clean"), Json(false)) << to_text(resumed);
  EXPECT_EQ(member(reconciler->divergence(), "breaker").size(), 1U);

  ASSERT_TRUE(world.await(reconciler->approve(1)));
  await_deep(3);
  expect_groups_equal();
  EXPECT_EQ(member(reconciler->divergence(), "breaker").size(), 0U);
}

}  // namespace
}  // namespace miroir
