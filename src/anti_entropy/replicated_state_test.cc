#include "anti_entropy/replicated_state.h"

#include <gtest/gtest.h>

#include "meili/task.h"

namespace miroir::anti_entropy {
namespace {

// `movies` with a primary key and settings, and one key.
Catalogue catalogue() {
  Catalogue catalogue;
  Entry birth;
  birth.position = 1;
  birth.stamp = 10;
  birth.kind = EntryKind::kCreateIndex;
  birth.index_uid = "movies";
  birth.incarnation = 1;
  birth.arguments = Json::object({{"primaryKey", "id"}});
  catalogue.apply(birth);
  Entry key;
  key.position = 2;
  key.stamp = 20;
  key.kind = EntryKind::kPutKey;
  key.arguments = Json::object({{"uid", "k1"},
                                {"name", "reader"},
                                {"actions", Json::array({"search"})},
                                {"indexes", Json::array({"*"})},
                                {"expiresAt", Json()}});
  catalogue.apply(key);
  return catalogue;
}

NodeState right() {
  NodeState state;
  state.indexes["movies"] = {.uid = "movies", .primary_key = "id", .created_at = ""};
  state.settings["movies"] = Json::object({{"stopWords", Json::array({"a"})}});
  state.keys["k1"] = Json::object({{"uid", "k1"},
                                   {"key", "secret"},
                                   {"name", "reader"},
                                   {"description", Json()},
                                   {"actions", Json::array({"search"})},
                                   {"indexes", Json::array({"*"})},
                                   {"expiresAt", Json()},
                                   {"createdAt", "2026-01-01T00:00:00Z"}});
  return state;
}

std::vector<StateDefect> defects(const std::map<std::string, NodeState>& nodes,
                                 const std::map<std::string, Json>& expected = {}) {
  std::vector<StateDefect> found;
  for (const StateDifference& difference :
       compare_states(catalogue(), nodes, {.settings = expected, .left = {}, .in_doubt = {}})) {
    found.push_back(difference.defect);
  }
  return found;
}

TEST(ReplicatedStateTest, NodesThatHoldWhatTheLogSaysDoNotDiffer) {
  EXPECT_TRUE(defects({{"a", right()}, {"b", right()}}).empty());
}

TEST(ReplicatedStateTest, OfAKeyThatHasExpiredNothingIsExpectedButThatItOpensNothing) {
  const Json expired("2026-01-01T00:00:00Z");
  Catalogue catalogue;
  Entry entry;
  entry.kind = EntryKind::kPutKey;
  entry.arguments = right().keys.at("k1");
  entry.arguments.set("expiresAt", expired);
  catalogue.apply(entry);
  NodeState held;
  held.keys["k1"] = entry.arguments;
  held.keys["k1"].set("name", "older name");
  const auto differ = [&](const NodeState& state, std::string_view now) {
    return compare_states(catalogue, {{"a", state}},
                          {.now = *meili::parse_date_time(now, false),
                           .settings = {},
                           .left = {},
                           .in_doubt = {}})
               .size() == 1;
  };
  EXPECT_TRUE(differ({}, "2025-12-31"));
  EXPECT_TRUE(differ(held, "2025-12-31"));
  EXPECT_FALSE(differ({}, "2026-01-02")) << "no node would take it";
  EXPECT_FALSE(differ(held, "2026-01-02"));
  held.keys["k1"].set("expiresAt", Json());
  EXPECT_TRUE(differ(held, "2026-01-02")) << "somebody prolonged it behind Miroir's back";
}

TEST(ReplicatedStateTest, MissingIndexIsSeen) {
  NodeState lost = right();
  lost.indexes.clear();
  lost.settings.clear();
  EXPECT_EQ(defects({{"a", right()}, {"b", lost}}), std::vector{StateDefect::kIndexMissing});
}

TEST(ReplicatedStateTest, UnknownIndexIsReportedAndNotHealable) {
  NodeState more = right();
  more.indexes["other"] = {.uid = "other", .primary_key = {}, .created_at = ""};
  const auto differences = compare_states(catalogue(), {{"a", more}}, {});
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_EQ(differences[0].defect, StateDefect::kIndexUnknown);
  EXPECT_FALSE(differences[0].healable());
}

TEST(ReplicatedStateTest, IndexWhoseDropFailedIsLeftThereAndHealable) {
  NodeState more = right();
  more.indexes["other"] = {.uid = "other", .primary_key = {}, .created_at = ""};
  const auto differences =
      compare_states(catalogue(), {{"a", more}, {"b", more}},
                     {.settings = {}, .left = {{"a", "other"}}, .in_doubt = {}});
  ASSERT_EQ(differences.size(), 2U);
  EXPECT_EQ(differences[0].defect, StateDefect::kIndexLeft);
  EXPECT_TRUE(differences[0].healable());
  EXPECT_EQ(differences[1].defect, StateDefect::kIndexUnknown) << "on b nothing failed";
}

TEST(ReplicatedStateTest, WhatMayBeTheLastOfAnIndexIsKept) {
  NodeState more = right();
  more.indexes["movies"].primary_key = "name";
  more.indexes["other"] = {.uid = "other", .primary_key = {}, .created_at = ""};
  Expectations expected;
  expected.left = expected.in_doubt = expected.kept = {{"a", "movies"}, {"a", "other"}};
  for (const bool in_doubt : {true, false}) {
    for (const Holds holds : {Holds::kNothing, Holds::kOurs, Holds::kForeign}) {
      if (!in_doubt) expected.in_doubt.clear();
      more.holds["movies"] = holds;
      const auto differences = compare_states(catalogue(), {{"a", more}}, expected);
      ASSERT_EQ(differences.size(), 2U);
      for (const StateDifference& difference : differences) {
        EXPECT_EQ(difference.defect, StateDefect::kIndexKept) << difference.sentence;
        EXPECT_FALSE(difference.healable());
      }
    }
  }
}

TEST(ReplicatedStateTest, PrimaryKeysAreCompared) {
  NodeState without = right();
  without.indexes["movies"].primary_key.reset();
  EXPECT_EQ(defects({{"a", without}}), std::vector{StateDefect::kPrimaryKeyMissing});
  NodeState other = right();
  other.indexes["movies"].primary_key = "name";
  for (const Holds holds : {Holds::kNothing, Holds::kOurs, Holds::kForeign}) {
    other.holds["movies"] = holds;
    const auto differences = compare_states(catalogue(), {{"a", other}}, {});
    ASSERT_EQ(differences.size(), 1U);
    EXPECT_EQ(differences[0].defect, holds == Holds::kNothing ? StateDefect::kPrimaryKeyOther
                                                              : StateDefect::kDocumentsUnknown);
    EXPECT_EQ(differences[0].healable(), holds == Holds::kNothing);
  }
  other.holds.clear();
  EXPECT_EQ(defects({{"a", other}}), std::vector{StateDefect::kDocumentsUnknown}) << "not known";
}

TEST(ReplicatedStateTest, AnotherIndexUnderTheNameOfOneInDoubtIsHealableWithoutStrangersDocuments) {
  NodeState other = right();
  other.indexes["movies"].primary_key = "name";
  other.holds["movies"] = Holds::kOurs;
  NodeState foreign = other;
  foreign.holds["movies"] = Holds::kForeign;
  const auto differences =
      compare_states(catalogue(), {{"a", other}, {"b", other}, {"c", foreign}},
                     {.settings = {}, .left = {}, .in_doubt = {{"a", "movies"}, {"c", "movies"}}});
  ASSERT_EQ(differences.size(), 3U);
  EXPECT_EQ(differences[0].defect, StateDefect::kIndexOther);
  EXPECT_TRUE(differences[0].healable());
  EXPECT_EQ(differences[1].defect, StateDefect::kDocumentsUnknown) << "on b nothing failed";
  EXPECT_EQ(differences[2].defect, StateDefect::kDocumentsUnknown);
}

TEST(ReplicatedStateTest, SettingsAreComparedWithWhatWasReadBack) {
  NodeState changed = right();
  changed.settings["movies"] = Json::object({{"stopWords", Json::array()}});
  const std::map<std::string, Json> expected = {{"movies", right().settings.at("movies")}};
  const auto differences = compare_states(catalogue(), {{"a", right()}, {"b", changed}},
                                          {.settings = expected, .left = {}, .in_doubt = {}});
  ASSERT_EQ(differences.size(), 1U);
  EXPECT_EQ(differences[0].node, "b");
  EXPECT_EQ(differences[0].defect, StateDefect::kSettings);
  // All changed alike: still not what the log's version reads as.
  EXPECT_EQ(defects({{"a", changed}, {"b", changed}}, expected).size(), 2U);
}

// Those that missed the same entry are alike too.
TEST(ReplicatedStateTest, WithoutAMemoryAllAreGivenThemAndThenTheMajorityIsRight) {
  NodeState changed = right();
  changed.settings["movies"] = Json::object({{"stopWords", Json::array()}});
  const std::map<std::string, NodeState> nodes = {{"a", right()}, {"b", changed}, {"c", right()}};
  EXPECT_EQ(compare_states(catalogue(), nodes, {}).size(), 3U);
  EXPECT_TRUE(compare_states(catalogue(), {{"a", changed}, {"b", changed}}, {}).empty());
  Expectations then;
  then.given_again.insert("movies");
  const auto left = compare_states(catalogue(), nodes, then);
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].node, "b");
  EXPECT_EQ(compare_states(catalogue(), {{"a", right()}, {"b", changed}}, then).size(), 2U);
}

TEST(ReplicatedStateTest, MissingAndChangedKeysAreSeenAndForeignKeysAreNobodysBusiness) {
  NodeState lost = right();
  lost.keys.clear();
  EXPECT_EQ(defects({{"a", lost}}), std::vector{StateDefect::kKey});
  NodeState widened = right();
  widened.keys["k1"].set("actions", Json::array({"*"}));
  EXPECT_EQ(defects({{"a", widened}}), std::vector{StateDefect::kKey});
  NodeState its_own_way = right();
  its_own_way.keys["k1"].set("expiresAt", Json());
  its_own_way.keys["k1"].set("actions", Json::array({"search"}));
  EXPECT_TRUE(defects({{"a", its_own_way}}).empty());
  NodeState more = right();
  more.keys["theirs"] = Json::object({{"uid", "theirs"}});
  EXPECT_TRUE(defects({{"a", more}}).empty());
}

}  // namespace
}  // namespace miroir::anti_entropy
