#include "forward/replay.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "cluster/cluster.h"
#include "cluster/own_tasks.h"
#include "forward/forward_world_fake.h"

namespace miroir {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;  // key and value, JSON texts

std::string object_of(const Members& members) {
  std::string text = "{";
  for (const auto& [key, value] : members) text += (text.size() > 1 ? "," : "") + key + ':' + value;
  return text + '}';
}

// Keys that mean the same in other letters, keys given twice, numbers whose text must survive.
Members draw_members() {
  Members members;
  const int count = *rc::gen::inRange(0, 6);
  for (int i = 0; i < count; ++i) {
    members.emplace_back(
        *rc::gen::element<std::string>(R"("a")", R"("\u0061")", R"("b")", R"("c.d")", R"("")"),
        *rc::gen::element<std::string>("null", "1", "-0", "4.1099999999999997e+189", "0.1",
                                       "18446744073709551615", R"("x\"}")", R"([1,{"a":2}])",
                                       R"({"a":{"b":3}})", "[ ]"));
  }
  return members;
}

// The obvious reference: maps of unescaped keys to texts.
using Fields = std::map<std::string, std::string>;

void put_over(Fields& fields, const std::string& text) {
  for (const FieldView& field : top_level_fields(text).value())
    fields[field.key] = std::string(field.value);
}

Fields fields_of(const std::string& text) {
  Fields fields;
  put_over(fields, text);
  return fields;
}

RC_GTEST_PROP(ReplayTest, DocumentIsTheCopyWithThePutsOnTopInOrder, ()) {
  const FieldNames names;
  std::string copy;
  append_spliced(copy, object_of(draw_members()), fields_of_whole_write("1", 7, 42, names));
  Fields expected = fields_of(copy);
  Replay replay({{.slot = slot_of("1"), .checksum = 42, .id = "1", .document = copy}}, names);
  const int puts = *rc::gen::inRange(0, 4);
  for (int i = 0; i < puts; ++i) {
    const BodyRecord put{slot_of("1"), 0, "1", object_of(draw_members())};
    const auto stamp = static_cast<EntryStamp>(100 + i);
    replay.merge(put, stamp);
    put_over(expected, put.document);
    for (const StoredField& field : fields_of_merge("1", stamp, names))
      expected[std::string(field.key)] = field.value;
  }
  const auto records = replay.take();
  RC_ASSERT(records.size() == 1u);
  RC_ASSERT(fields_of(records[0].document) == expected);
  RC_ASSERT(parse_json(records[0].document).has_value());
}

class ReplayedDocumentTest : public ::testing::Test {
 protected:
  std::optional<std::string> after(const std::string& put, FieldNames names = {}) {
    Replay replay({{.slot = 0, .checksum = 0, .id = "1", .document = copy_}}, names);
    replay.merge({.slot = 0, .checksum = 0, .id = "1", .document = put}, 9);
    auto records = replay.take();
    return records.empty() ? std::nullopt : std::optional(records[0].document);
  }
  std::string copy_ = R"({"id":1,"n":1.50,"_miroir_base":"!"})";
};

TEST_F(ReplayedDocumentTest, BaseStaysAndTheStampIsThePuts) {
  const Fields fields = fields_of(after(R"({"id":"1","m":2.50})").value());
  EXPECT_EQ(fields.at("_miroir_base"), R"("!")");
  EXPECT_EQ(fields.at(FieldNames().updated_at), '"' + encode_stamp(9) + '"');
  EXPECT_EQ(fields.at("id"), R"("1")");
  EXPECT_EQ(fields.at("n"), "1.50");
  EXPECT_EQ(fields.at("m"), "2.50");
}

TEST_F(ReplayedDocumentTest, ExpiryIsStoredAsThePutWouldHaveIt) {
  FieldNames names;
  names.expiry = true;
  EXPECT_EQ(
      fields_of(after(R"({"id":1,"_miroir_expires_at":1000})", names).value()).at(names.expires_at),
      '"' + encode_expiry(1000) + '"');
  copy_ = R"({"id":1,"_miroir_expires_at":"!"})";
  EXPECT_EQ(fields_of(after(R"({"id":1})", names).value()).at(names.expires_at), R"("!")");
  EXPECT_EQ(
      fields_of(after(R"({"id":1,"_miroir_expires_at":null})", names).value()).at(names.expires_at),
      "null");
}

TEST_F(ReplayedDocumentTest, CopiedVectorsStayAndPutOnesLeaveTheDocumentOut) {
  copy_ = R"({"id":1,"_vectors":{"e":[0.5]}})";
  EXPECT_EQ(fields_of(after(R"({"id":1})").value()).at("_vectors"), R"({"e":[0.5]})");
  EXPECT_FALSE(after(R"({"id":1,"_vectors":{"e":[1]}})"));
  EXPECT_FALSE(after(R"({"id":1,"\u005fvectors":null})"));
}

// A repair of "1" on b0 whose copies were read before something else befell the document.
class OvertakenTest : public ::testing::Test {
 protected:
  explicit OvertakenTest(ForwardWorld::Options given = options()) : world_(71, std::move(given)) {
    world_.start();
    world_.create_index("books");
    read_at_ = world_.write("books", {"1", "2"}, "a");
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    copy_ = world_.documents_of_group(0, "books");
    for (const char* id : {"1", "2"}) node("b0").delete_directly("books", id);
  }

  static ForwardWorld::Options options() {
    ForwardWorld::Options given;
    given.nodes_per_group = 1;
    return given;
  }

  Position repair(const std::vector<std::string>& ids) {
    Entry entry;
    entry.origin = Origin::kAntiEntropy;
    entry.kind = EntryKind::kRepairDocuments;
    entry.index_uid = "books";
    entry.target = "b0";
    entry.arguments = Json::object({{"readAt", read_at_}});
    std::vector<BodyRecord> records;
    for (const std::string& id : ids) records.push_back({slot_of(id), 0, id, copy_.at(id)});
    return world_.append_records(std::move(entry), std::move(records));
  }
  Position merge(const std::string& value) {
    return world_.write("books", {"1"}, value, EntryKind::kMergeDocuments);
  }
  // A PUT that fails on these nodes.
  Position failing_merge(const std::string& value, const std::vector<std::string>& on) {
    const Position position = world_.log().head() + 1;
    for (const std::string& name : on) {
      node(name).fail_alone([position](std::string_view metadata) {
        const auto mark = parse_task_metadata(metadata);
        return mark && mark->position == position;
      });
    }
    EXPECT_EQ(merge(value), position);
    return position;
  }
  bool done(const std::string& name, Position position) {
    return world_.run_until([&] { return world_.cluster().status(name).done >= position; });
  }

  SimulatedNode& node(const std::string& id) { return *world_.nodes.at(id); }
  std::map<std::string, std::string> on_b0() {
    EXPECT_TRUE(world_.run_until([&] { return world_.all_done(); }));
    return world_.documents_of_group(1, "books");
  }
  Json json_on(int group, const std::string& id) {
    const auto documents = world_.documents_of_group(group, "books");
    const auto found = documents.find(id);
    return found == documents.end() ? Json() : parse_json(found->second).value();
  }

  ForwardWorld world_;
  Position read_at_ = 0;
  std::map<std::string, std::string> copy_;
};

TEST_F(OvertakenTest, RepairThatNothingOvertookIsSent) {
  repair({"1", "2"});
  EXPECT_EQ(on_b0(), copy_);
}

TEST_F(OvertakenTest, WholeWriteInBetweenIsNotSetBack) {
  world_.write("books", {"1"}, "newer");
  repair({"1", "2"});
  const auto documents = on_b0();
  EXPECT_EQ(documents.at("1"), world_.documents_of_group(0, "books").at("1"));
  EXPECT_EQ(documents.at("2"), copy_.at("2")) << "only what was overtaken is left out";
}

TEST_F(OvertakenTest, DeletedDocumentDoesNotComeBack) {
  world_.remove("books", {"1"});
  repair({"1", "2"});
  EXPECT_FALSE(on_b0().contains("1"));
}

TEST_F(OvertakenTest, PutsInBetweenAreReplayedOnTheCopy) {
  merge("first");
  merge("second");
  repair({"1", "2"});
  merge("after");
  on_b0();
  EXPECT_EQ(json_on(1, "1"), json_on(0, "1"));
  EXPECT_EQ(*json_on(1, "1").find("v"), Json("a")) << "the copy";
  EXPECT_EQ(*json_on(1, "1").find("m"), Json("after"));
}

TEST_F(OvertakenTest, PutThatFailedOnAllOwnersIsNotReplayed) {
  merge("first");
  const Position failed = failing_merge("never", {"a0", "b0"});
  ASSERT_TRUE(done("a0", failed) && done("b0", failed));
  repair({"1"});
  on_b0();
  EXPECT_EQ(*json_on(0, "1").find("m"), Json("first"));
  EXPECT_EQ(json_on(1, "1"), json_on(0, "1"));
}

TEST_F(OvertakenTest, PutThatFailedOnlyWhereTheRepairGoesIsReplayed) {
  ASSERT_TRUE(done("b0", failing_merge("first", {"b0"})));
  repair({"1"});
  on_b0();
  EXPECT_EQ(*json_on(1, "1").find("m"), Json("first"));
  EXPECT_EQ(json_on(1, "1"), json_on(0, "1"));
}

TEST_F(OvertakenTest, RepairWaitsUntilItIsKnownWhetherThePutHappened) {
  failing_merge("never", {"a0", "b0"});
  repair({"1"});
  on_b0();
  EXPECT_EQ(json_on(1, "1"), parse_json(copy_.at("1")).value());
}

TEST_F(OvertakenTest, DocumentIsLeftOutWhereNobodyCanSayWhetherThePutHappened) {
  world_.networks.at("a0").cut = true;
  failing_merge("who knows", {"b0"});
  repair({"1", "2"});
  ASSERT_TRUE(world_.run_until([&] { return !json_on(1, "2").is_null(); }));
  EXPECT_TRUE(json_on(1, "1").is_null());
  world_.networks.at("a0").cut = false;
  on_b0();
  EXPECT_EQ(*json_on(0, "1").find("m"), Json("who knows"));
}

TEST_F(OvertakenTest, RepairThatIsSentAgainToAnOlderDiskIsTheSame) {
  SimulatedNode::Disk older = node("b0").snapshot();
  merge("first");
  repair({"1"});
  on_b0();
  const Json before = json_on(1, "1");
  ASSERT_EQ(*before.find("m"), Json("first"));
  node("b0").restore(std::move(older));
  world_.run_for(Seconds(2));  // after silence the lane looks before it sends
  world_.write("books", {"3"}, "noticed");
  on_b0();
  EXPECT_EQ(json_on(1, "1"), before);
}

class TrimmedTest : public OvertakenTest {
 protected:
  TrimmedTest() : OvertakenTest(options()) {}
  static ForwardWorld::Options options() {
    ForwardWorld::Options given = OvertakenTest::options();
    given.log.retention_age = Microseconds(0);
    return given;
  }
};

TEST_F(TrimmedTest, RepairIsNotSentWithoutThePutsThatTheLogForgot) {
  const Position put = merge("forgotten");
  on_b0();
  ASSERT_TRUE(world_.run_until([&] { return world_.log().trimmed() >= put; }));
  repair({"1", "2"});
  EXPECT_FALSE(on_b0().contains("2"));
  EXPECT_EQ(json_on(1, "1").find("v"), nullptr);
}

class ForgetfulTest : public OvertakenTest {
 protected:
  ForgetfulTest() : OvertakenTest(options()) {}
  static ForwardWorld::Options options() {
    ForwardWorld::Options given = OvertakenTest::options();
    given.log.retention_age = Microseconds(0);
    given.log.tasks_kept = 3;
    return given;
  }
};

TEST_F(ForgetfulTest, RepairIsNotSentOverALogThatForgotWhatCameBetween) {
  const Position overtaking = world_.remove("books", {"1"});
  for (int n = 0; n < 5; ++n) world_.await_task(world_.write("books", {"3"}, std::to_string(n)));
  ASSERT_TRUE(world_.run_until([&] { return world_.log().forgotten() >= overtaking; }));
  world_.crash();  // the newest entries are still in memory
  world_.start();
  repair({"1", "2"});
  const auto documents = on_b0();
  EXPECT_FALSE(documents.contains("1"));
  EXPECT_FALSE(documents.contains("2")) << "nobody can say any more what befell it";
  EXPECT_TRUE(documents.contains("3"));
}

TEST_F(OvertakenTest, NothingComesBackAfterADeleteAll) {
  Entry clear;
  clear.kind = EntryKind::kClearDocuments;
  clear.index_uid = "books";
  world_.append(std::move(clear));
  repair({"1", "2"});
  EXPECT_TRUE(on_b0().empty());
}

TEST_F(OvertakenTest, WhatIsWrittenAfterTheRepairLandsOnIt) {
  repair({"1"});
  merge("merged");
  EXPECT_EQ(on_b0().at("1"), world_.documents_of_group(0, "books").at("1"));
}

TEST_F(OvertakenTest, RepairOfWhichNothingIsLeftMakesNoTaskAndNoDoubt) {
  world_.write("books", {"1"}, "newer");
  const Position dropped = repair({"1"});
  on_b0();
  EXPECT_FALSE(node("b0").disk().tasks.contains(static_cast<TaskUid>(dropped)));
  EXPECT_TRUE(world_.await(world_.log().failures(dropped))->contains("b0"));
  // Nor after a crash, when the lane looks for the tasks that it may have sent.
  world_.write("books", {"2"}, "newer");
  world_.run_for(Milliseconds(20));
  world_.crash();
  world_.start();
  on_b0();
  EXPECT_EQ(world_.cluster().status("b0").state, ReplicaState::kInSync);
  EXPECT_TRUE(world_.log().taints(1).empty());
}

}  // namespace
}  // namespace miroir
