// When passes may run, and where a deep one goes on.
#include "anti_entropy/reconciler_fake.h"

namespace miroir {
namespace {

class PauseTest : public ReconcilerTest {
 protected:
  void restart(Microseconds light, Microseconds deep) {
    stop_reconciler();
    options.light_interval = light;
    options.schedule = deep;
    start_reconciler();
  }
  std::vector<Json> passes(const char* kind) {
    std::vector<Json> found;
    auto rows = world.await(reconciler->passes(1'000));
    if (!rows) return found;
    for (const Json& pass : member(*rows, "results").as_array())
      if (member(pass, "kind") == Json(kind) && member(pass, "state") != Json("running"))
        found.push_back(pass);
    return found;  // newest first
  }
  int index3_seen = 0;
};

TEST_F(PauseTest, NoPassBeginsByItselfWhilePausedOverARestartToo) {
  ASSERT_TRUE(world.await(reconciler->pause()));
  restart(Seconds(10), std::chrono::minutes(10));
  EXPECT_EQ(member(reconciler->status(), "paused"), Json(true));
  world.run_for(std::chrono::minutes(30));
  EXPECT_TRUE(passes("light").empty());
  EXPECT_TRUE(passes("deep").empty());
  EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true)) << "by hand it runs";

  ASSERT_TRUE(world.await(reconciler->resume()));
  world.run_for(Seconds(30));
  EXPECT_FALSE(passes("deep").empty());
  EXPECT_EQ(member(reconciler->status(), "paused"), Json(false));
}

// Sweeps obey it too.
TEST_F(PauseTest, ItIsKnownOverARestartWhereNoPassesRun) {
  options.enabled = false;
  for (const bool paused : {true, false}) {
    ASSERT_TRUE(world.await(paused ? reconciler->pause() : reconciler->resume()));
    stop_reconciler();
    world.store.fail_reads([](Table table, const std::string&) { return table == Table::kMeta; });
    start_reconciler();
    EXPECT_TRUE(reconciler->paused()) << "nobody knows yet";
    world.store.fail_reads(nullptr);
    world.run_for(Seconds(2));
    EXPECT_EQ(reconciler->paused(), paused);
    EXPECT_EQ(member(reconciler->status(), "paused"), Json(paused));
  }
}

TEST_F(PauseTest, ScheduledDeepPassesKeepToTheWindowsAndLightOnesDoNot) {
  // The simulated world begins at midnight, UTC.
  options.windows = {Window::parse("00:30-00:45 UTC").value()};
  restart(std::chrono::minutes(5), std::chrono::minutes(20));
  world.run_for(std::chrono::minutes(29));
  EXPECT_TRUE(passes("deep").empty());
  EXPECT_FALSE(passes("light").empty());
  world.run_for(std::chrono::minutes(5));
  EXPECT_EQ(passes("deep").size(), 1U);
  const std::string next = member(reconciler->status(), "nextDeepAt").as_string();
  EXPECT_NE(next.find("T00:30:00"), std::string::npos) << next;
  world.run_for(std::chrono::hours(1));
  EXPECT_EQ(passes("deep").size(), 1U);
  EXPECT_EQ(member(run_pass(PassKind::kDeep), "clean"), Json(true)) << "by hand it runs";
}

TEST_F(PauseTest, ShardsTakeTurnsAndTombstonesWaitForAllOfThem) {
  options.shards_per_pass = 3;
  restart(std::chrono::hours(100), std::chrono::minutes(40));
  world.remove(kIndex, {"id3"});
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  const double once = [&] {
    double bytes = 0;
    for (const auto& [name, each] : world.nodes) {
      for (const auto& [id, text] : each->documents(kIndex))
        bytes += static_cast<double>(text.size());
    }
    return bytes;
  }();
  const auto until = [&](std::size_t count) {
    ASSERT_TRUE(
        world.run_until([&] { return passes("deep").size() == count; }, std::chrono::hours(2)));
  };
  until(2);
  EXPECT_EQ(member(passes("deep")[0], "whole"), Json(false));
  EXPECT_LT(scanned("deep"), once);
  EXPECT_EQ(world.log().tombstone_count(kIndex), 1U);
  until(3);
  EXPECT_EQ(member(passes("deep")[0], "whole"), Json(true));
  EXPECT_EQ(scanned("deep"), once) << "each document of each replica once";
  EXPECT_EQ(world.log().tombstone_count(kIndex), 0U) << "the first part began over an hour ago";
}

TEST_F(PauseTest, DeepPassThatWasCutOffGoesOnWhereItWas) {
  for (int i = 1; i < 4; ++i) world.create_index("index" + std::to_string(i));
  for (int i = 1; i < 4; ++i) world.write("index" + std::to_string(i), {"a", "b", "c"}, "v");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  restart(std::chrono::hours(100), std::chrono::minutes(5));
  // Beyond the first index in the order of their names.
  int first_index = 0;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (!query.ids.empty() || !query.fields.empty()) return;
    first_index += query.index_uid == "index1" ? 1 : 0;
    if (query.index_uid == "index3" && index3_seen++ == 0)
      tasks->spawn("pause",
                   [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  };
  ASSERT_TRUE(world.run_until([&] { return passes("deep").size() == 1; }, Seconds(600)));
  EXPECT_EQ(member(passes("deep")[0], "state"), Json("cut_off"));
  EXPECT_EQ(member(passes("deep")[0], "error"), Json("passes were paused"));
  const int read_before = first_index;
  EXPECT_GT(read_before, 0);
  stop_reconciler();
  start_reconciler();
  ASSERT_TRUE(world.await(reconciler->resume()));
  ASSERT_TRUE(world.run_until([&] { return passes("deep").size() == 2; }, Seconds(60)));
  const Json resumed = passes("deep")[0];
  EXPECT_EQ(member(resumed, "resumes"), member(passes("deep")[1], "pass"));
  EXPECT_EQ(member(resumed, "whole"), Json(true)) << to_text(resumed);
  EXPECT_NE(resumed.find("cleanSweep"), nullptr);
  EXPECT_EQ(first_index, read_before) << "what was read before is not read again";
}

// The disk was full when it began, and Miroir died before it ended.
TEST_F(PauseTest, DeepPassThatIsNotWrittenDownButReadIsGoneOnWith) {
  const Json sweep = Json::object({{"pass", 7},
                                   {"head", world.log().head()},
                                   {"startedMicroseconds", 0},
                                   {"clean", true},
                                   {"done", Json::array()}});
  ASSERT_TRUE(
      world.await(world.store.commit(Batch().put(Table::kMeta, "deep sweep", to_text(sweep)))));
  restart(std::chrono::hours(100), std::chrono::minutes(5));
  ASSERT_TRUE(world.run_until([&] { return passes("deep").size() == 1; }, Seconds(600)));
  EXPECT_EQ(member(passes("deep")[0], "pass"), Json(8));
  EXPECT_EQ(member(passes("deep")[0], "resumes"), Json(7));
}

TEST_F(PauseTest, ADocumentThatMovesWhereASweepHasBeenDoesNotSpoilIt) {
  world.create_index("series");
  world.write("series", {"a", "b", "c"}, "v");
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  restart(std::chrono::hours(100), std::chrono::minutes(5));
  bool paused = false;
  world.before_documents = [&](const std::string&, const DocumentQuery& query) {
    if (!query.ids.empty()) owner("id7").fail_tasks({});  // it was found unlike
    if (!query.ids.empty() || !query.fields.empty() || query.index_uid != "series") return;
    if (!std::exchange(paused, true))
      tasks->spawn("pause",
                   [](Reconciler& its) -> Async<void> { (void)co_await its.pause(); }(*reconciler));
  };
  ASSERT_TRUE(world.run_until([&] { return passes("deep").size() == 1; }, Seconds(600)));
  ASSERT_EQ(member(passes("deep")[0], "state"), Json("cut_off"));
  owner("id7").fail_tasks([](const NodeTask& task) -> std::optional<std::string> {
    if (task.type == "documentAdditionOrUpdate") return "internal";
    return std::nullopt;
  });
  world.write(kIndex, {"id7"}, "lost", EntryKind::kMergeDocuments);
  ASSERT_TRUE(world.run_until([&] { return world.all_done(); }));
  ASSERT_TRUE(world.await(reconciler->resume()));
  while (passes("deep").size() < 2) {
    world.write(kIndex, {"id7"}, std::to_string(++puts), EntryKind::kMergeDocuments);
    world.run_for(Milliseconds(20));
  }
  const Json resumed = passes("deep")[0];
  ASSERT_EQ(member(resumed, "whole"), Json(true)) << to_text(resumed);
  EXPECT_NE(resumed.find("cleanSweep"), nullptr) << to_text(resumed);
}

TEST_F(PauseTest, DeepPassThatAPersonStartsReadsEverything) {
  options.shards_per_pass = 1;
  restart(std::chrono::hours(100), std::chrono::minutes(5));
  ASSERT_TRUE(world.run_until([&] { return passes("deep").size() == 2; }, std::chrono::hours(1)));
  ASSERT_TRUE(owner("id7").corrupt(kIndex, "id7", "v", "flipped"));
  EXPECT_EQ(number(run_pass(PassKind::kDeep), "repaired"), 1U);
}

TEST_F(PauseTest, WhereAPassWasCutOffNoIndexIsWithoutAState) {
  world.create_index("books");
  set_settings(Json::object({{"stopWords", Json::array({"of"})}}), "books");
  world.write("books", {"book1"}, "of books");
  run_pass(PassKind::kLight);
  bool asked = false;
  world.before_documents = [&](const std::string&, const DocumentQuery&) { asked = true; };
  ASSERT_TRUE(reconciler->start(PassKind::kDeep, std::nullopt));
  ASSERT_TRUE(world.run_until([&] { return asked; }));
  world.before_documents = nullptr;
  stop_reconciler();
  start_reconciler();
  ASSERT_EQ(member(passes("deep")[0], "state"), Json("cut_off"));
  const Json indexes = member(reconciler->status(), "indexes");
  ASSERT_EQ(indexes.size(), 2U) << to_text(indexes);
  for (const Json& index : indexes.as_array())
    EXPECT_NE(to_text(member(index, "states")).find("not_compared"), std::string::npos)
        << to_text(index);
}

}  // namespace
}  // namespace miroir
