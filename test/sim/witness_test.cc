#include "sim/witness.h"

#include <gtest/gtest.h>

#include "base/simulated_clock_fake.h"
#include "log/entry.h"
#include "log/rows.h"

namespace miroir::sim {
namespace {

constexpr Stamp kStamp = 1'767'225'600'000'001;

Json document(Stamp stamp, const std::string& value) {
  return Json::object({{"id", "w1"}, {"v", value}, {"_miroir_updated_at", encode_stamp(stamp)}});
}

// Two replicas, told or not told; and what a Miroir writes down of them.
class WitnessTest : public ::testing::Test {
 protected:
  WitnessTest() {
    for (const NodeConfig& config : topology_.nodes()) {
      nodes_[config.id] =
          std::make_unique<SimulatedNode>(clock_, 1, SimulatedNode::Options{.id = config.id});
      nodes_[config.id]->write_directly("books", "w1", document(kStamp, "x"));
      journals_[config.id];
    }
  }

  void begin() {
    write(Table::kPass, R"({"pass":1,"kind":"light","state":"running"})");
    clock_.advance(Seconds(1));
  }
  void end_clean(const std::string& kind = "light", const std::string& resumes = "null",
                 const std::string& whole = "true") {
    clock_.advance(Seconds(1));
    write(Table::kPass, R"({"pass":1,"kind":")" + kind +
                            R"(","state":"completed","clean":true,"resumes":)" + resumes +
                            R"(,"whole":)" + whole + R"(,"indexes":[{"index":"books"}]})");
  }
  void answer_digests() {
    for (auto& [node, journal] : journals_) journal.digests["books"] = clock_.now();
  }
  void answer(const std::string& node, std::optional<Json> told) {
    journals_[node].documents[{"books", "w1"}] = {clock_.now(), std::move(told)};
  }
  void audit(bool repaired, const std::string& treatment, const std::string& row = "row 1",
             const Json& overwritten = Json()) {
    Json copies = Json::array();
    copies.push_back(Json::object({{"node", "a"}, {"treatment", "leave"}, {"stamp", kStamp}}));
    Json loser = Json::object({{"node", "b"}, {"treatment", treatment}});
    if (!overwritten.is_null()) {
      loser.set("presence", "present");
      loser.set("document", overwritten);
    }
    copies.push_back(std::move(loser));
    write(Table::kRepair,
          to_text(Json::object({{"pass", 1},
                                {"index", "books"},
                                {"id", "w1"},
                                {"winner", treatment == "delete" ? Json() : Json("a")},
                                {"repaired", repaired},
                                {"outcome", "sent"},
                                {"copies", std::move(copies)}})),
          row);
  }
  void write(Table table, std::string row, std::string key = "key") {
    witness_.committed(Batch().put(table, std::move(key), std::move(row)));
  }
  std::size_t wrong() { return witness_.take_wrong().size(); }

  Topology topology_ = *Topology::make({{"a", "http://a", 0}, {"b", "http://b", 1}}, 4);
  SimulatedClock clock_;
  Nodes nodes_;
  Journals journals_;
  Witness witness_{topology_, nodes_, journals_, clock_, 1};
};

TEST_F(WitnessTest, CleanPassThatAskedEverybodyHolds) {
  begin();
  answer_digests();
  end_clean();
  EXPECT_EQ(wrong(), 0U);
  EXPECT_EQ(witness_.judged().clean_passes, 1U);
  EXPECT_EQ(witness_.judged().equal_passes, 1U);
}

TEST_F(WitnessTest, CleanPassWithoutAReplicaIsWrong) {
  answer_digests();
  clock_.advance(Seconds(1));
  begin();
  journals_["a"].digests["books"] = clock_.now();
  end_clean();
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, CleanPassNeedNotHaveSeenWhatWasWrittenMeanwhile) {
  begin();
  witness_.committed(Batch().put(Table::kEntry, key_of(1), "{}"));
  end_clean();
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(WitnessTest, CleanPassOverUnlikeReplicasIsWrong) {
  nodes_["b"]->write_directly("books", "w1", document(kStamp + 1, "x"));
  begin();
  answer_digests();
  end_clean();
  EXPECT_EQ(wrong(), 1U);
  nodes_["b"]->delete_directly("books", "w1");
  begin();
  answer_digests();
  end_clean();
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, OnlyADeepPassSeesContents) {
  nodes_["b"]->write_directly("books", "w1", document(kStamp, "y"));
  begin();
  answer_digests();
  end_clean();
  EXPECT_EQ(wrong(), 0U);
  begin();
  answer_digests();
  end_clean("deep", "7");  // it may have read them before they changed
  EXPECT_EQ(wrong(), 0U);
  begin();
  answer_digests();
  end_clean("deep", "null", "false");  // it read those of other shards
  EXPECT_EQ(wrong(), 0U);
  begin();
  answer_digests();
  end_clean("deep");
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, CleanPassOverWhatStrangersWroteIsWrong) {
  for (auto& [id, node] : nodes_)
    node->write_directly("books", "w1", Json::object({{"id", "w1"}, {"v", "x"}}));
  begin();
  answer_digests();
  end_clean();
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, AdoptedMeansSeenWithAStampAlike) {
  const Json bare = Json::object({{"id", "w1"}, {"v", "x"}});
  begin();
  answer("a", document(kStamp, "x"));
  answer("b", document(kStamp, "x"));
  audit(true, "adopt");
  EXPECT_EQ(wrong(), 0U);
  answer("b", document(kStamp, "y"));
  audit(true, "adopt");
  EXPECT_EQ(wrong(), 1U);
  answer("a", bare);
  answer("b", bare);
  audit(true, "adopt");
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, DamageDuringAPassIsNotItsFault) {
  begin();
  answer_digests();
  witness_.damaged(clock_.now());
  nodes_["b"]->delete_directly("books", "w1");
  end_clean();
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(WitnessTest, DeletionWithoutReadingEveryOwnerIsWrong) {
  begin();
  answer("b", document(kStamp, "x"));
  audit(false, "delete");
  EXPECT_EQ(wrong(), 1U);
  answer("a", std::nullopt);
  witness_.agreed();
  audit(false, "delete");
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(WitnessTest, MoreDeletesThanAgreedToAreWrong) {
  begin();
  answer("a", std::nullopt);
  answer("b", document(kStamp, "x"));
  audit(false, "delete", "row 1");
  audit(false, "delete", "row 1");
  EXPECT_EQ(wrong(), 0U) << "written again: one act";
  audit(false, "delete", "row 2");
  EXPECT_EQ(wrong(), 1U);
  witness_.agreed();
  audit(false, "delete", "row 3");
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(WitnessTest, MoreTieBreaksThanAgreedToAreWrong) {
  const auto breaks = [this](const std::string& reason, bool in_sync, const std::string& key) {
    Json copy = Json::object(
        {{"node", "b"}, {"treatment", "replace"}, {"presence", "present"}, {"inSync", in_sync}});
    write(Table::kRepair,
          to_text(Json::object({{"pass", 1},
                                {"index", "books"},
                                {"id", "w1"},
                                {"reason", reason},
                                {"winner", "a"},
                                {"repaired", false},
                                {"outcome", "sent"},
                                {"copies", Json::array({std::move(copy)})}})),
          key);
  };
  begin();
  breaks("tie_hash", true, "row 1");
  breaks("newest", true, "row 2");
  breaks("tie_hash", false, "row 3");
  EXPECT_EQ(wrong(), 0U);
  breaks("tie_hash", true, "row 4");
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, WhatARepairChangedIsKept) {
  Entry entry;
  entry.kind = EntryKind::kRepairDeletes;
  const auto before = nodes_["a"]->snapshot().indexes;
  nodes_["a"]->delete_directly("books", "w1");
  NodeTask task;
  task.index_uid = "books";
  task.custom_metadata = "miroir:7:1";
  witness_.applied("a", task, before);
  EXPECT_TRUE(witness_.repaired().empty()) << "no repair";
  witness_.committed(Batch().put(Table::kEntry, key_of(7), encode(entry)));
  witness_.applied("a", task, before);
  ASSERT_EQ(witness_.repaired().size(), 1U);
  EXPECT_EQ(witness_.repaired()[0].id, "w1");
  EXPECT_TRUE(witness_.repaired()[0].before);
  EXPECT_FALSE(witness_.repaired()[0].after);
}

TEST_F(WitnessTest, RepairedMeansSeenWithTheWinner) {
  begin();
  answer("a", document(kStamp, "x"));
  audit(true, "replace");
  EXPECT_EQ(wrong(), 1U) << "never read";
  answer("b", std::nullopt);
  audit(true, "replace");
  EXPECT_EQ(wrong(), 1U) << "read, and not there";
  answer("b", document(kStamp - 1, "x"));
  audit(true, "replace");
  EXPECT_EQ(wrong(), 1U) << "older";
  answer("b", document(kStamp, "y"));
  audit(true, "replace");
  EXPECT_EQ(wrong(), 1U) << "another content";
  answer("b", document(kStamp, "x"));
  audit(true, "replace");
  EXPECT_EQ(wrong(), 0U);
  witness_.agreed();
  audit(true, "delete");
  EXPECT_EQ(wrong(), 1U) << "still there";
  answer("b", std::nullopt);
  audit(true, "delete");
  EXPECT_EQ(wrong(), 0U);
}

TEST_F(WitnessTest, WhatIsOverwrittenIsInTheAudit) {
  begin();
  answer("a", document(kStamp, "x"));
  answer("b", document(kStamp, "x"));
  audit(true, "replace", "row 1", to_text(document(kStamp - 1, "old")));
  EXPECT_EQ(wrong(), 0U);
  audit(true, "replace", "row 1", "");
  EXPECT_EQ(wrong(), 1U);
}

TEST_F(WitnessTest, CollectedMeansForgottenAndNotMoved) {
  const Tombstone tombstone{.incarnation = 1, .id = "w1", .position = 2};
  const Batch horizon = Batch().put(Table::kMeta, horizon_row(1), key_of(kStamp));
  witness_.committed(horizon);
  Batch collection = horizon;
  collection.erase(Table::kTombstone, tombstone_row(tombstone));
  witness_.committed(collection);
  EXPECT_EQ(witness_.judged().collections, 1U);
  collection.put(Table::kTombstone, tombstone_row(tombstone), encode(tombstone));
  witness_.committed(collection);
  EXPECT_EQ(witness_.judged().collections, 1U) << "it has another index";
}

}  // namespace
}  // namespace miroir::sim
