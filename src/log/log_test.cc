#include "log/log.h"

#include <gtest/gtest.h>

#include <set>

#include "log/log_process_test_fake.h"

namespace miroir {
namespace {

class LogTest : public LogProcessTest {
 protected:
  std::string gauge(const std::string& line_start) {
    const std::string text = process_->metrics().text();
    const std::size_t at = text.find("\n" + line_start + " ");
    if (at == std::string::npos) return "";
    const std::size_t value = at + line_start.size() + 2;
    return text.substr(value, text.find('\n', value) - value);
  }
};

TEST_F(LogTest, DeletedKeyIsRemembered) {
  const Json uid = Json::object({{"uid", "k"}});
  ASSERT_TRUE(process_->append({plain_entry(EntryKind::kPutKey, "", uid)}));
  ASSERT_TRUE(process_->append({plain_entry(EntryKind::kDeleteKey, "", uid)}));
  restart();
  EXPECT_EQ(log().catalogue().key("k"), nullptr);
  EXPECT_TRUE(log().catalogue().deleted_key("k"));
  EXPECT_FALSE(log().catalogue().deleted_key("never made"));
}

TEST_F(LogTest, PositionsBeginAtOneAndStampsRiseThoughTheClockGoesBack) {
  EXPECT_EQ(log().head(), 0);
  const auto first = process_->append({plain_entry(EntryKind::kCreateIndex, "a")}).value();
  EXPECT_EQ(first[0].position, 1);
  EXPECT_EQ(first[0].task, 1);
  EXPECT_EQ(first[0].incarnation, 1);
  clock_.set_wall_offset(-std::chrono::hours(1));
  const auto second = process_
                          ->append({plain_entry(EntryKind::kClearDocuments, "a"),
                                    plain_entry(EntryKind::kClearDocuments, "a")})
                          .value();
  EXPECT_EQ(second[1].position, 3);
  EXPECT_EQ(second[0].stamp, first[0].stamp + 1);
  EXPECT_EQ(second[1].stamp, first[0].stamp + 2);
  EXPECT_EQ(log().head(), 3);
  EXPECT_EQ(log().head_stamp(), second[1].stamp);
}

// By the two an entry is known on nodes.
TEST_F(LogTest, TwoLivesOfOneLogDoNotGiveOneNumberTheSameStampThoughTheClockIsBehind) {
  ASSERT_TRUE(process_->append({plain_entry(EntryKind::kCreateIndex, "a")}));
  clock_.set_wall_offset(-std::chrono::hours(1));
  const MemoryStore::Tables copy = store_.snapshot();
  std::set<EntryStamp> stamps;
  for (int life = 0; life < 2; ++life) {
    process_.reset();
    store_.restore(copy);
    clock_.advance(Microseconds(1'234'567));
    restart();
    for (int n = 0; n < 2; ++n) {
      const auto entry = process_->append({plain_entry(EntryKind::kClearDocuments, "a")}).value();
      EXPECT_TRUE(stamps.insert(entry[0].stamp).second) << entry[0].position;
    }
  }
}

TEST_F(LogTest, RefusedJudgementAppendsNothing) {
  const auto refused =
      process_->run(log().append([](const Catalogue&, Position) -> Result<std::vector<Entry>> {
        return fail(ErrorCode::kConflict, "no");
      }));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_EQ(log().head(), 0);
  EXPECT_EQ(process_->create("a"), 1);
}

TEST_F(LogTest, BodiesComeBackAfterARestart) {
  process_->create("a");
  std::vector<std::string> ids;
  for (int i = 0; i < 50'000; ++i) ids.push_back("document-" + std::to_string(i * 7919));
  const Position position = process_->append_documents(EntryKind::kWriteDocuments, "a", ids);
  EXPECT_GT(process_->run(log().entry(position)).value()->body_pieces, 1);
  EXPECT_EQ(ids_of(position), ids);
  restart();
  EXPECT_EQ(ids_of(position), ids);
  EXPECT_EQ(log().head(), position);
  EXPECT_GT(log().bytes(), 0);
}

TEST_F(LogTest, BodyWithoutAnEntryIsSweptAtTheStart) {
  process_->create("a");
  const Position kept = process_->append_documents(EntryKind::kWriteDocuments, "a", {"1"});
  process_->write_body({{.slot = 1, .checksum = 1, .id = "lost", .document = "{}"}});
  EXPECT_EQ(rows(Table::kBody), 2);
  restart();
  EXPECT_EQ(rows(Table::kBody), 1);
  EXPECT_EQ(ids_of(kept), std::vector<std::string>{"1"});
  // Its number is not in use any more; that of the kept one is.
  const Position next = process_->append_documents(EntryKind::kWriteDocuments, "a", {"2"});
  EXPECT_EQ(ids_of(kept), std::vector<std::string>{"1"});
  EXPECT_EQ(ids_of(next), std::vector<std::string>{"2"});
}

TEST_F(LogTest, BodyBelongsToOneEntry) {
  process_->create("a");
  const Entry entry = process_->documents(EntryKind::kWriteDocuments, "a", {"1"});
  EXPECT_TRUE(process_->append({entry}));
  EXPECT_FALSE(process_->append({entry}));
  EXPECT_EQ(log().head(), 2);
}

TEST_F(LogTest, FailingRecordFailsTheBody) {
  const auto body = process_->run(log().write_body([]() -> Result<std::optional<BodyRecord>> {
    return fail(ErrorCode::kInvalid, "a bad document");
  }));
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().message, "a bad document");
}

TEST_F(LogTest, EntriesAreReadInOrderFromMemoryAndStore) {
  process_->create("a");
  for (int i = 0; i < 20; ++i) process_->append({plain_entry(EntryKind::kClearDocuments, "a")});
  for (int round = 0; round < 2; ++round) {
    const auto entries = process_->run(log().entries(5, 10)).value();
    ASSERT_EQ(entries.size(), 10);
    EXPECT_EQ(entries.front()->position, 5);
    EXPECT_EQ(entries.back()->position, 14);
    EXPECT_EQ(process_->run(log().entries(20, 10)).value().size(), 2);
    EXPECT_TRUE(process_->run(log().entries(22, 10)).value().empty());
    const auto beyond = process_->run(log().entry(22));
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, ErrorCode::kNotFound);
    restart();
  }
}

TEST_F(LogTest, DeletesLeaveTombstonesUntilTheyAreCollected) {
  const Position a = process_->create("a");
  process_->append_documents(EntryKind::kWriteDocuments, "a", {"x", "y"});
  EXPECT_EQ(process_->run(log().tombstone(a, "x")).value(), std::nullopt);
  const Position first = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x", "yy"});
  const Position second = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x", "x"});
  EXPECT_EQ(log().tombstone_count("a"), 3);
  EXPECT_EQ(gauge("miroir_tombstones{index=\"a\"}"), "3");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(process_->run(log().tombstone(a, "x")).value()->position, second);
    EXPECT_EQ(process_->run(log().tombstone(a, "yy")).value()->position, first);
    EXPECT_EQ(process_->run(log().tombstone(a, "yy")).value()->slot, 2);
    EXPECT_EQ(process_->run(log().tombstone(a, "y")).value(), std::nullopt);
    restart();
  }
  ASSERT_TRUE(process_->run(log().collect_tombstones(a, first)));
  EXPECT_EQ(log().tombstone_count("a"), 1);
  EXPECT_EQ(process_->run(log().tombstone(a, "yy")).value(), std::nullopt);
  EXPECT_EQ(process_->run(log().tombstone(a, "x")).value()->position, second);
  Entry drop = plain_entry(EntryKind::kDropIndex, "a");
  drop.incarnation = a;
  process_->append({drop});
  EXPECT_EQ(process_->run(log().tombstone(a, "x")).value()->position, second) << "it may yet fail";
  process_->settle();
  EXPECT_EQ(rows(Table::kTombstone), 0);
  EXPECT_EQ(process_->run(log().tombstone(a, "x")).value(), std::nullopt);
}

TEST_F(LogTest, OfADeleteThatDidNotHappenTheOneBeforeIsRemembered) {
  const Position a = process_->create("a");
  const Position first = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
  const Position second =
      process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x", "y", "xx"});
  ASSERT_TRUE(process_->run(log().void_tombstones(a, second, {"x", "y"})));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(process_->run(log().tombstone(a, "x")).value()->position, first);
    EXPECT_EQ(process_->run(log().tombstone(a, "y")).value(), std::nullopt);
    EXPECT_EQ(process_->run(log().tombstone(a, "xx")).value()->position, second);
    EXPECT_EQ(log().tombstone_count("a"), 2);
    restart();
  }
  ASSERT_TRUE(process_->run(log().void_tombstones(a, second, {"x", "y"}))) << "again";
  ASSERT_TRUE(process_->run(log().collect_tombstones(a, first)));
  EXPECT_EQ(process_->run(log().tombstone(a, "x")).value(), std::nullopt);
  EXPECT_EQ(log().tombstone_count("a"), 1);
}

TEST_F(LogTest, DeleteByFilterBecomesADeleteOfTheIdsFound) {
  const Position a = process_->create("a");
  Entry by_filter = plain_entry(EntryKind::kDeleteByFilter, "a");
  by_filter.incarnation = a;
  const Position position = process_->append({by_filter}).value()[0].position;
  const Position newer = process_->append_documents(EntryKind::kDeleteDocuments, "a", {"y"});
  const Body ids = process_->write_body({{.slot = 1, .checksum = 0, .id = "x", .document = ""},
                                         {.slot = 2, .checksum = 0, .id = "y", .document = ""}});
  ASSERT_TRUE(process_->run(log().resolve(position, ids, {3, 4})));
  for (int round = 0; round < 2; ++round) {
    const auto entry = process_->run(log().entry(position)).value();
    EXPECT_EQ(entry->kind, EntryKind::kDeleteDocuments);
    EXPECT_EQ(entry->shards, (std::vector<std::uint32_t>{3, 4}));
    EXPECT_EQ(ids_of(position), (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(process_->run(log().tombstone(a, "x")).value()->position, position);
    // A newer delete of the document is not forgotten.
    EXPECT_EQ(process_->run(log().tombstone(a, "y")).value()->position, newer);
    restart();
  }
}

TEST_F(LogTest, DeleteByFilterMayFailAsAWhole) {
  const Position a = process_->create("a");
  Entry by_filter = plain_entry(EntryKind::kDeleteByFilter, "a");
  by_filter.incarnation = a;
  by_filter.task_details = Json::object({{"deletedDocuments", Json()}});
  const Position position = process_->append({by_filter}).value()[0].position;
  ASSERT_TRUE(
      process_->run(log().fail_entry(position, meili::api_error("invalid_document_filter", "no"))));
  const auto failed = process_->run(log().entry(position)).value();
  EXPECT_TRUE(failed->born_failed);
  EXPECT_EQ(*failed->task_details.find("deletedDocuments"), Json(0));
  const Body ids = process_->write_body({});
  EXPECT_FALSE(process_->run(log().resolve(position, ids, {})));
}

TEST_F(LogTest, FailuresProgressAndTaintsSurviveARestart) {
  const Taint document{1, "x", "b1", {7}};
  const Taint whole{1, "", "b2", {8}};
  ASSERT_TRUE(process_->run(log().record_failures({{7, "b1"}}, Json::object({{"code", "bad"}}))));
  ASSERT_TRUE(process_->run(log().record_failures({{70, "b1"}}, Json::object())));
  ASSERT_TRUE(process_->run(log().save_progress({{"b1", NodeProgress{.offset = -5,
                                                                     .done = 6,
                                                                     .acknowledged = 7,
                                                                     .acknowledged_at = "t",
                                                                     .state = "stale",
                                                                     .reason = "why"}}})));
  ASSERT_TRUE(process_->run(log().add_taints({document, whole}, 100)));
  for (int round = 0; round < 2; ++round) {
    const auto failures = process_->run(log().failures(7)).value();
    ASSERT_EQ(failures.size(), 1);
    EXPECT_EQ(to_text(failures.at("b1")), R"({"code":"bad"})");
    const NodeProgress progress = log().progress().at("b1");
    EXPECT_EQ(progress.offset, -5);
    EXPECT_EQ(progress.done, 6);
    EXPECT_EQ(progress.acknowledged, 7);
    EXPECT_EQ(progress.acknowledged_at, "t");
    EXPECT_EQ(progress.state, "stale");
    EXPECT_EQ(progress.reason, "why");
    EXPECT_TRUE(log().tainted(1, "x", "b1"));
    EXPECT_FALSE(log().tainted(1, "x", "b2"));
    EXPECT_EQ(log().taints(1), (std::vector<Taint>{whole, document}));
    restart();
  }
  // It failed again since: the older word does not clear it.
  ASSERT_TRUE(process_->run(log().add_taints({{1, "x", "b1", {9}}}, 100)));
  ASSERT_TRUE(process_->run(log().clear_taints({document, whole})));
  restart();
  EXPECT_TRUE(log().tainted(1, "x", "b1"));
  EXPECT_FALSE(log().tainted(1, "", "b2"));
}

TEST_F(LogTest, TaintNamesWhatFailedAndEndsWithTheLastOfIt) {
  const auto taint = [](std::vector<Position> failed) {
    return Taint{1, "x", "b1", std::move(failed)};
  };
  ASSERT_TRUE(process_->run(log().add_taints({taint({7})}, 100)));
  ASSERT_TRUE(process_->run(log().add_taints({taint({9})}, 100)));
  ASSERT_TRUE(process_->run(log().add_taints({taint({7})}, 100)));
  restart();
  EXPECT_EQ(log().taints(1), std::vector<Taint>{taint({7, 9})});
  EXPECT_EQ(log().taint(1, "x", "b1"), taint({7, 9}));
  EXPECT_EQ(log().taint(1, "x", "b2"), std::nullopt);
  EXPECT_TRUE(log().any_tainted(1) && !log().any_tainted(2));
  ASSERT_TRUE(process_->run(log().untaint(7, {"x"})));
  ASSERT_TRUE(process_->run(log().untaint(8, {"x"})));
  EXPECT_EQ(log().taints(1), std::vector<Taint>{taint({9})});
  ASSERT_TRUE(process_->run(log().untaint(9, {"x"})));
  restart();
  EXPECT_TRUE(log().taints(1).empty() && !log().any_tainted(1));
  for (Position position = 1; position <= 12; ++position)
    ASSERT_TRUE(process_->run(log().add_taints({taint({position})}, 100)));
  EXPECT_EQ(log().taints(1),
            std::vector<Taint>{taint({Taint::kUnnamed, 5, 6, 7, 8, 9, 10, 11, 12})});
  for (Position position = 1; position <= 64; ++position)
    ASSERT_TRUE(process_->run(log().add_taints({Taint{1, "", "b1", {position}}}, 100)));
  EXPECT_EQ(log().taint(1, "", "b1")->failed.front(), 1U);
  ASSERT_TRUE(process_->run(log().add_taints({Taint{1, "", "b1", {65}}}, 100)));
  EXPECT_EQ(log().taint(1, "", "b1")->failed.front(), Taint::kUnnamed);
}

TEST_F(LogTest, LaterWritesTellWhatARepairMustKnow) {
  const Position a = process_->create("a");
  process_->create("b");
  const Position read_at = process_->append_documents(EntryKind::kWriteDocuments, "a", {"x"});
  const auto later = [&](const std::string& id) {
    return process_->run(log().later_writes(a, id, read_at)).value();
  };
  EXPECT_FALSE(later("x").overtaken);
  process_->append_documents(EntryKind::kWriteDocuments, "b", {"x"});
  const Position first = process_->append_documents(EntryKind::kMergeDocuments, "a", {"x", "z"});
  const Position second = process_->append_documents(EntryKind::kMergeDocuments, "a", {"x"});
  Entry repair = process_->documents(EntryKind::kRepairDocuments, "a", {"x"});
  repair.target = "b1";
  process_->append({repair});
  for (int round = 0; round < 2; ++round) {
    EXPECT_FALSE(later("x").overtaken);
    EXPECT_EQ(later("x").merges, (std::vector<Position>{first, second}));
    EXPECT_EQ(later("z").merges, std::vector<Position>{first});
    restart();
  }
  process_->append_documents(EntryKind::kDeleteDocuments, "a", {"x"});
  EXPECT_TRUE(later("x").overtaken);
  EXPECT_FALSE(later("z").overtaken);
  process_->append_documents(EntryKind::kWriteDocuments, "a", {"z"});
  EXPECT_TRUE(later("z").overtaken);
  EXPECT_FALSE(later("other").overtaken);
  Entry clear = plain_entry(EntryKind::kClearDocuments, "a");
  clear.incarnation = a;
  process_->append({clear});
  EXPECT_TRUE(later("other").overtaken);
}

TEST_F(LogTest, UnresolvedDeleteByFilterOvertakesEveryDocument) {
  const Position a = process_->create("a");
  Entry by_filter = plain_entry(EntryKind::kDeleteByFilter, "a");
  by_filter.incarnation = a;
  process_->append({by_filter});
  EXPECT_TRUE(process_->run(log().later_writes(a, "x", a)).value().overtaken);
}

TEST_F(LogTest, MetricsShowPositionBytesAndTasks) {
  process_->create("a");
  process_->append_documents(EntryKind::kWriteDocuments, "a", {"1"});
  EXPECT_EQ(gauge("miroir_log_position"), "2");
  EXPECT_EQ(gauge("miroir_log_bytes"), std::to_string(log().bytes()));
  EXPECT_EQ(gauge("miroir_tasks_total{status=\"enqueued\"}"), "1");
}

}  // namespace
}  // namespace miroir
