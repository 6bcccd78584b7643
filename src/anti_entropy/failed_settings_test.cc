// Changes of settings that failed on all nodes, or on some.
#include "anti_entropy/reconciler_fake.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

class FailedSettingsTest : public ReconcilerTest {
 protected:
  static ForwardWorld::Options one_node_a_group(int groups) {
    ForwardWorld::Options options;
    options.groups = groups;
    options.nodes_per_group = 1;
    options.log.retention_age = std::chrono::hours(1);
    return options;
  }
  explicit FailedSettingsTest(int groups = 2) : ReconcilerTest(one_node_a_group(groups)) {}

  void change(const Json& what) { change_settings(kIndex, what); }
  static Json stop_words(std::vector<std::string> words) {
    Json list = Json::array();
    for (std::string& word : words) list.push_back(std::move(word));
    return Json::object({{"stopWords", std::move(list)}});
  }
  static Json synonym(const std::string& word) {
    return Json::object({{"synonyms", Json::object({{word, Json::array({"x"})}})}});
  }
  static Json typo(const std::string& member, Json value) {
    return Json::object({{"typoTolerance", Json::object({{member, std::move(value)}})}});
  }

  // What is sent fails where these words are among it.
  void refuse(const std::string& name, std::vector<std::string> words) {
    node(name).fail_tasks([words](const NodeTask& task) -> std::optional<std::string> {
      const std::string text = to_text(task.details);
      const auto is_in = [&](const std::string& word) { return text.contains(word); };
      if (task.type == "settingsUpdate" && std::ranges::any_of(words, is_in)) return "internal";
      return std::nullopt;
    });
  }
  void refuse_everywhere(std::vector<std::string> words) {
    for (const auto& [name, each] : world.nodes) refuse(name, words);
  }
  // Somebody writes to b0 when a pass has healed its settings, and before it reads them again.
  template <class Write>
  void write_behind_a_heal(Write write) {
    node("b0").set_directly(kIndex, "stopWords", Json::array({"x"}));
    const std::uint64_t order = reconciler->start(PassKind::kLight, std::nullopt).value();
    const auto is_healed = [&] {
      const Json* words = node("b0").disk().indexes.at(kIndex).settings.find("stopWords");
      return words != nullptr && *words == Json::array({"a"});
    };
    ASSERT_TRUE(world.run_until(is_healed));
    write();
    ASSERT_TRUE(world.run_until([&] {
      const Json last = member(reconciler->status(), "lastLight");
      return !last.is_null() && number(last, "pass") == order;
    }));
  }
  void take(const std::string& name, bool away) {
    node(name).options().down = away;
    ASSERT_TRUE(world.run_until([&] { return world.cluster().status(name).healthy != away; }));
  }

  Json settings() { return world.log().catalogue().index(kIndex)->settings; }
  void expect(const Json& wanted) {
    settle();
    EXPECT_EQ(settings(), wanted);
    EXPECT_EQ(member(run_pass(PassKind::kLight), "clean"), Json(true));
    const Json on_nodes = settings_for_node(wanted, Json::object(), "id");
    for (const auto& [name, each] : world.nodes) {
      const Json& its = each->disk().indexes.at(kIndex).settings;
      for (const auto& [setting, value] : on_nodes.as_object()) {
        const Json* held = its.find(setting);
        EXPECT_EQ(held == nullptr ? Json() : *held, value) << name << " " << setting;
      }
    }
  }
};

TEST_F(FailedSettingsTest, WhatFailedEverywhereIsNotInTheWayOfTheNext) {
  refuse_everywhere({"bad"});
  change(stop_words({"bad"}));
  settle();
  EXPECT_EQ(settings(), stop_words({"a"}));
  change(synonym("good"));
  expect(merge_settings(stop_words({"a"}), synonym("good")));
}

TEST_F(FailedSettingsTest, WhatFailedWithItIsTakenBackToo) {
  refuse_everywhere({"bad"});
  change(stop_words({"bad"}));
  change(synonym("fails with it"));
  settle();
  EXPECT_EQ(settings(), stop_words({"a"})) << "both failed";
}

TEST_F(FailedSettingsTest, EachOfSeveralIsTakenBack) {
  refuse_everywhere({"bad", "worse"});
  change(typo("enabled", false));
  settle();
  change(stop_words({"bad"}));
  change(stop_words({"worse"}));
  change(typo("disableOnNumbers", true));  // fails with them
  settle();
  expect(merge_settings(stop_words({"a"}), typo("enabled", false)));
}

TEST_F(FailedSettingsTest, NothingIsDecidedWhileANodeIsAwayForAMoment) {
  for (const bool fails : {true, false}) {
    take("b0", true);
    refuse("a0", {"new"});
    refuse("b0", {fails ? "new" : "nothing"});
    change(stop_words({"new"}));
    world.run_for(Seconds(40));
    EXPECT_EQ(settings(), stop_words({"new"}));
    take("b0", false);
    settle();
    EXPECT_EQ(settings(), stop_words({fails ? "a" : "new"}));
    refuse("a0", {});
    run_pass(PassKind::kLight);
    expect(stop_words({fails ? "a" : "new"}));
  }
}

TEST_F(FailedSettingsTest, AMemberThatALaterChangeCarriedIsTakenBackOnTheNodesToo) {
  change(typo("enabled", false));
  settle();
  for (const auto& [name, each] : world.nodes) {
    each->fail_tasks([failed = 0](const NodeTask& task) mutable -> std::optional<std::string> {
      if (task.type != "settingsUpdate" || ++failed > 1) return std::nullopt;
      return "internal";
    });
  }
  change(typo("disableOnNumbers", true));
  change(synonym("good"));  // applied, and with it the member that had failed
  expect(
      merge_settings(merge_settings(stop_words({"a"}), typo("enabled", false)), synonym("good")));
}

TEST_F(FailedSettingsTest, WhatFailedIsKeptFromANodeThatIsAwayForLong) {
  take("b0", true);
  refuse("a0", {"new"});
  change(stop_words({"new"}));
  const Position failed = world.log().head();
  EXPECT_EQ(world.await_task(failed).status, "failed");
  EXPECT_EQ(settings(), stop_words({"a"}));
  take("b0", false);
  settle();
  EXPECT_FALSE(node("b0").disk().tasks.contains(static_cast<TaskUid>(failed)));
  expect(stop_words({"a"}));
}

TEST_F(FailedSettingsTest, WhatFailedOnOneNodeAloneStands) {
  refuse("b0", {"good"});
  change(stop_words({"good"}));
  settle();
  refuse("b0", {});
  run_pass(PassKind::kLight);
  expect(stop_words({"good"}));
}

// One host cannot reach what the settings name.
class RefusedByOneTest : public FailedSettingsTest {
 protected:
  RefusedByOneTest() : FailedSettingsTest(3) {}
  void SetUp() override {
    FailedSettingsTest::SetUp();
    refuse("b0", {"new"});
    change(stop_words({"new"}));
    settle();
  }
  static std::vector<std::string> problems(const Json& report) {
    std::vector<std::string> found;
    for (const Json& index : member(report, "indexes").as_array())
      for (const Json& problem : member(index, "problems").as_array())
        found.push_back(problem.as_string());
    return found;
  }
  void expect_left_over_alone(const Json& report) {
    const auto left = problems(report);
    ASSERT_FALSE(left.empty());
    for (const std::string& problem : left)
      EXPECT_NE(problem.find("node b0"), std::string::npos) << problem;
  }
};

TEST_F(RefusedByOneTest, TheOthersAreComparedAndRepaired) {
  expect_left_over_alone(run_pass(PassKind::kLight));
  node("c0").delete_directly(kIndex, "id7");
  const Json report = run_pass(PassKind::kLight);
  expect_left_over_alone(report);
  EXPECT_EQ(number(report, "mismatches"), 2U) << "the document, and its settings";
  EXPECT_EQ(number(report, "repaired"), 1U);
  EXPECT_FALSE(document(node("c0"), "id7").is_null());
  refuse("b0", {});
  run_pass(PassKind::kLight);
  expect(stop_words({"new"}));
}

TEST_F(RefusedByOneTest, WhoAppliedThemIsGivenThemOnceMoreOnlyThoughAnotherIsAway) {
  take("c0", true);
  run_pass(PassKind::kLight);
  const TaskUid before = node("a0").disk().tasks.rbegin()->first;
  expect_left_over_alone(run_pass(PassKind::kLight));
  EXPECT_EQ(node("a0").disk().tasks.rbegin()->first, before);
}

TEST_F(RefusedByOneTest, ItIsReportedAloneWhereNothingIsRepaired) {
  for (int i = 0; i < 2; ++i) {
    const Json report = run_pass(PassKind::kLight, false);
    expect_left_over_alone(report);
    EXPECT_EQ(number(report, "mismatches"), 1U);
  }
}

// They may have missed the same entry.
TEST_F(RefusedByOneTest, WhatTheOthersHoldIsNotTakenForTheLogsUntilTheyWereGivenIt) {
  for (const char* name : {"a0", "c0"})
    node(name).set_directly(kIndex, "stopWords", Json::array({"x"}));
  run_pass(PassKind::kLight);
  expect_left_over_alone(run_pass(PassKind::kLight));
  refuse("b0", {});
  run_pass(PassKind::kLight);
  expect(stop_words({"new"}));
}

// There is nobody to outvote it.
TEST_F(FailedSettingsTest, OfTwoTheOneThatAppliedThemIsRight) {
  refuse("b0", {"new"});
  change(stop_words({"new"}));
  settle();
  node("a0").set_directly(kIndex, "stopWords", Json::array({"x"}));
  run_pass(PassKind::kLight);
  refuse("b0", {});
  run_pass(PassKind::kLight);
  expect(stop_words({"new"}));
}

TEST_F(FailedSettingsTest, WhatAStrangerWroteBehindAHealIsNotWantedForEver) {
  change(stop_words({"a"}));
  settle();
  run_pass(PassKind::kLight);
  take("a0", true);
  write_behind_a_heal([&] { node("b0").set_directly(kIndex, "stopWords", Json::array({"y"})); });
  take("a0", false);
  run_pass(PassKind::kLight);
  run_pass(PassKind::kLight);
  expect(stop_words({"a"}));
}

// It shows no rule of Miroir's, and its peer is not there to tell.
TEST_F(FailedSettingsTest, WhatAnIndexMadeAnewBehindAHealReadsBackIsNotBelieved) {
  change(stop_words({"a"}));
  settle();
  run_pass(PassKind::kLight);
  take("a0", true);
  write_behind_a_heal([&] {
    for (const char* setting : {"stopWords", "filterableAttributes"})
      node("b0").set_directly(kIndex, setting, Json::array());
  });
  run_pass(PassKind::kLight);
  EXPECT_EQ(member(node("b0").disk().indexes.at(kIndex).settings, "stopWords"), Json::array({"a"}));
  take("a0", false);
  run_pass(PassKind::kLight);
  expect(stop_words({"a"}));
}

class AmongThreeTest : public FailedSettingsTest {
 protected:
  AmongThreeTest() : FailedSettingsTest(3) {}
  // What b0 reads back is remembered.
  void write_while_the_others_are_away() {
    change(stop_words({"a"}));
    settle();
    run_pass(PassKind::kLight);
    take("a0", true);
    take("c0", true);
    write_behind_a_heal([&] { node("b0").set_directly(kIndex, "stopWords", Json::array({"y"})); });
  }
  void bring_them_back_a0_without_the_index() {
    world.fail_tasks({"indexCreation", "settingsUpdate"}, "a0");
    node("a0").drop_directly(kIndex);
    take("a0", false);
    take("c0", false);
    run_pass(PassKind::kLight);
    run_pass(PassKind::kLight);
  }
};

// Who has no such index says nothing of its settings.
TEST_F(AmongThreeTest, WhatAStrangerWroteBehindAHealIsForgottenThoughAnotherHasNoIndex) {
  write_while_the_others_are_away();
  bring_them_back_a0_without_the_index();
  for (const char* each : {"b0", "c0"}) {
    EXPECT_EQ(member(node(each).disk().indexes.at(kIndex).settings, "stopWords"),
              Json::array({"a"}));
  }
}

// Nobody reads it back any more.
TEST_F(AmongThreeTest, WhatAStrangerWroteBehindAHealAndNobodyKeptIsForgottenToo) {
  write_while_the_others_are_away();
  node("b0").set_directly(kIndex, "stopWords", Json::array({"z"}));
  bring_them_back_a0_without_the_index();
  const TaskUid given = node("b0").disk().tasks.rbegin()->first;
  run_pass(PassKind::kLight);
  EXPECT_EQ(node("b0").disk().tasks.rbegin()->first, given) << "it is given them again";
}

// a0 failed it, and b0, whose disk was put back, skips it.
class SkippedSettingsTest : public FailedSettingsTest {
 protected:
  void SetUp() override {
    FailedSettingsTest::SetUp();
    const SimulatedNode::Disk old = node("b0").snapshot();
    world.write(kIndex, {"id150"}, "not kept");
    refuse("a0", {"good"});
    change(stop_words({"good"}));
    good = world.log().head();
    ASSERT_EQ(world.await_task(good).status, "succeeded");
    settle();
    for (int i = 0; i < 20; ++i) world.write(kIndex, {"id150"}, "not kept");
    settle();
    world.run_for(std::chrono::hours(2));
    ASSERT_GT(world.log().trimmed(), good);
    node("b0").restore(old);
    run_pass(PassKind::kLight);  // notices
    ASSERT_TRUE(world.run_until([&] { return world.cluster().progress("b0").lacks(good); }));
    settle();
  }
  Position good = 0;
};

TEST_F(SkippedSettingsTest, WhatTheOnlyNodeThatAppliedItSkippedSinceStands) {
  EXPECT_EQ(settings(), stop_words({"good"}));
  const auto taints = world.log().index_taints();
  EXPECT_TRUE(std::ranges::any_of(taints, [](const Taint& taint) { return taint.node == "a0"; }))
      << "it lacks them";
  refuse("a0", {});
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kDeep);
  expect(stop_words({"good"}));
}

TEST_F(SkippedSettingsTest, WhatStandsIsNotTakenBackWithALaterOne) {
  refuse("a0", {});
  run_pass(PassKind::kDeep);
  run_pass(PassKind::kDeep);
  ASSERT_EQ(settings(), stop_words({"good"}));
  refuse_everywhere({"bad"});
  change(synonym("bad"));
  ASSERT_EQ(world.await_task(world.log().head()).status, "failed");
  settle();
  EXPECT_EQ(settings(), stop_words({"good"}));
}

TEST_F(FailedSettingsTest, AResetThatFailedIsTakenBackAndOneThatDidNotStands) {
  refuse_everywhere({"bad"});
  change(stop_words({"bad"}));
  change(Json());
  expect(Json::object());
  for (const auto& [name, each] : world.nodes)
    each->fail_tasks([](const NodeTask&) { return std::optional<std::string>("internal"); });
  change(stop_words({"b"}));
  settle();
  EXPECT_EQ(settings(), Json::object());
}

}  // namespace
}  // namespace miroir
