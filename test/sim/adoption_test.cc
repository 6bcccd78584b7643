#include "sim/adoption.h"

#include <gtest/gtest.h>

#include "sim/history.h"

namespace miroir::sim {
namespace {

Json stored(const std::string& value, const std::string& stamp) {
  return Json::object(
      {{"id", "w1"}, {"v", value}, {"_miroir_updated_at", stamp}, {"_miroir_base", stamp}});
}

class AdoptionTest : public ::testing::Test {
 protected:
  AdoptionTest() {
    for (const char* node : {"a0", "b0"}) adoption.disks[node].indexes["books"];
  }
  void hold(const std::string& node, Json document) {
    adoption.disks[node].indexes["books"].documents["w1"] = std::move(document);
  }
  void hold_key(const std::string& node, const std::string& name) {
    adoption.disks[node].keys["k"] = Json::object({{"uid", "k"}, {"name", name}});
  }
  Model remains() { return what_remains(before, adoption, topology); }
  std::string value() {
    return remains().indexes().at("books").documents.at("w1").find("v")->as_string();
  }

  Topology topology = *Topology::make({{"a0", "http://a0", 0}, {"b0", "http://b0", 1}}, 4);
  Model before;
  Adoption adoption;
};

TEST_F(AdoptionTest, WhatOneNodeHoldsRemains) {
  hold("b0", stored("one", "!!"));
  EXPECT_EQ(value(), "one");
}

TEST_F(AdoptionTest, TheNewestCopyRemains) {
  hold("a0", stored("newer", "!)"));
  hold("b0", stored("older", "!("));
  EXPECT_EQ(value(), "newer");
}

// A PUT that landed on another document there.
TEST_F(AdoptionTest, OfEquallyNewCopiesASourcesRemains) {
  hold("a0", stored("one", "!!"));
  hold("b0", stored("other", "!!"));
  adoption.sources = {"b0"};
  EXPECT_EQ(value(), "other");
}

// A PUT that landed where the delete before it was missed has a whole write under it, and is none.
TEST_F(AdoptionTest, OfEquallyNewCopiesWhatTheLogMakesOfItRemains) {
  Json merged = stored("merged", "!)");
  merged.set("_miroir_base", "");
  hold("a0", stored("missed", "!)"));
  hold("b0", merged);
  adoption.sources = {"a0", "b0"};
  EXPECT_EQ(value(), "missed");
  before.indexes()["books"].documents["w1"] = Json::object({{"id", "w1"}, {"v", "merged"}});
  EXPECT_EQ(value(), "missed") << "no delete is known";
  before.indexes()["books"].deleted = {"w1"};
  EXPECT_EQ(value(), "merged");
}

// Of a PUT that the log forgot, where a0 had failed the one before it (seed 2062561).
TEST_F(AdoptionTest, OfEquallyNewCopiesTheOneThatSkippedNoRequestRemains) {
  hold("a0", stored("forgotten", "!!"));
  Json whole = stored("forgotten", "!!");
  whole.set("tag", "t");
  hold("b0", whole);
  before.indexes()["books"].documents["w1"] =
      Json::object({{"id", "w1"}, {"v", "before"}, {"tag", "t"}});
  EXPECT_NE(remains().indexes().at("books").documents.at("w1").find("tag"), nullptr);
}

// Its disk was put back behind a sweep, and the deletes were forgotten (seed 715399).
TEST_F(AdoptionTest, WhatSourcesDeletedDoesNotComeBackFromWhoIsBehind) {
  const auto remain = [this] { return remains().indexes().at("books").documents.size(); };
  hold("a0", stored("swept", encode_stamp(5)));
  adoption.known = 5;
  EXPECT_EQ(remain(), 1) << "nobody says that it was deleted";
  adoption.sources = {"a0", "b0"};
  EXPECT_EQ(remain(), 1) << "it is not behind";
  adoption.in_doubt = {{"a0", "books"}};
  EXPECT_EQ(remain(), 0) << "but there it is";
  adoption.in_doubt.insert({"b0", "books"});
  EXPECT_EQ(remain(), 1) << "nobody can say";
  adoption.in_doubt.clear();
  adoption.sources = {"b0"};
  EXPECT_EQ(remain(), 0);
  adoption.known = 4;
  EXPECT_EQ(remain(), 1) << "the log may have lost it";
}

// A write that the log forgot is on the node that is behind; what the sources have is swept.
TEST_F(AdoptionTest, SubscribersAreToldWhatIsSweptUnderAForgottenWrite) {
  const auto told = [this](EntryStamp known) {
    hold("b0", stored("forgotten", encode_stamp(5)));
    adoption.known = known;
    adoption.position = 1;
    Ledger ledger;
    std::vector<Operation> none;
    for (const Position position : {Position{1}, Position{2}}) {
      Entry entry;
      entry.position = position;
      entry.origin = position == 1 ? Origin::kSystem : Origin::kTtlExpire;
      ledger.add(entry);
    }
    const Json old = stored("old", encode_stamp(3));
    const std::vector<Swept> swept = {{2, "a0", "books", "w1", old, 9},
                                      {2, "a1", "books", "w1", old, 9}};
    return replay(none, Chronicle{ledger, {}, {adoption}, swept, {}, {}, {}, {}, topology})
        .changes.size();
  };
  EXPECT_EQ(told(4), 1U);
  EXPECT_EQ(told(5), 1U) << "only a node that is behind has it";
  adoption.sources = {"b0"};
  EXPECT_EQ(told(5), 0U);
}

TEST_F(AdoptionTest, WhatTheStoreKnewAndNoNodeHoldsIsGone) {
  before.apply({Act::kReplace, "books", {"w1"}, "x"});
  before.apply({Act::kReplace, "films", {"w1"}, "x"});
  EXPECT_TRUE(remains().indexes().at("books").documents.empty());
  EXPECT_TRUE(remains().indexes().at("films").documents.empty()) << "the index itself stays";
}

TEST_F(AdoptionTest, WhereSourcesDifferInSettingsEithersRemain) {
  const Json the = Json::array({"the"});
  adoption.sources = {"a0", "b0"};
  adoption.disks["b0"].indexes["books"].settings.set("stopWords", the);
  const auto words = [this] { return remains().indexes().at("books").stop_words; };
  EXPECT_EQ(words(), Json());
  adoption.stop_words["books"] = the;
  EXPECT_EQ(words(), the);
  adoption.stop_words["books"] = Json::array({"nobody's"});
  EXPECT_EQ(words(), Json());
  adoption.stop_words["books"] = the;
  adoption.sources = {"a0"};
  EXPECT_EQ(words(), Json()) << "b0 is behind";
}

// Between Miroir's reading of the nodes and its entry.
TEST_F(AdoptionTest, WhereDocumentsAloneMadeAnIndexAgainTheStoresSettingsMayRemain) {
  const Json the = Json::array({"the"});
  const auto words = [this] { return remains().indexes().at("books").stop_words; };
  before.apply({Act::kSettings, "books", {}, "the"});
  adoption.sources = {"a0", "b0"};
  EXPECT_EQ(words(), Json());
  adoption.stop_words["books"] = the;
  EXPECT_EQ(words(), the);
  adoption.disks["a0"].indexes["books"].settings.set("filterableAttributes", Json::array());
  EXPECT_EQ(words(), Json()) << "somebody set it";
  adoption.sources = {"b0"};
  EXPECT_EQ(words(), the) << "a0 is behind";
}

TEST_F(AdoptionTest, KeysThatEveryNodeHoldsOrTheStoreKnewRemain) {
  hold_key("a0", "name");
  EXPECT_TRUE(remains().keys().empty());
  hold_key("b0", "name");
  EXPECT_EQ(remains().keys().at("k"), "name");
  before.keys()["k"] = "older name";
  EXPECT_EQ(remains().keys().at("k"), "name");
  hold_key("b0", "other");
  EXPECT_EQ(remains().keys().at("k"), "older name");
  before.keys()["lost"] = "x";
  EXPECT_FALSE(remains().keys().contains("lost"));
}

}  // namespace
}  // namespace miroir::sim
