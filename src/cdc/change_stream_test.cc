#include "cdc/change_stream.h"

#include "base/hmac.h"
#include "cdc/stream_world_test.h"

namespace miroir::cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ChangeStreamTest : public StreamWorldTest {
 protected:
  bool given(const std::string& sink, std::size_t events, Microseconds at_most = Seconds(120)) {
    return world.run_until([&, this] { return subscribers[sink].events().size() >= events; },
                           at_most);
  }
  Entry repair(Origin origin, EntryKind kind) {
    Entry entry;
    entry.origin = origin;
    entry.kind = kind;
    entry.index_uid = "books";
    entry.target = "a0";
    return entry;
  }
  static Entry sweep(Position looked) {
    Entry entry;
    entry.origin = Origin::kTtlExpire;
    entry.kind = EntryKind::kDeleteDocuments;
    entry.index_uid = "books";
    entry.arguments = Json::object({{"readAt", looked}});
    return entry;
  }
  void append_repairs() {
    world.append_records(repair(Origin::kAntiEntropy, EntryKind::kRepairDeletes),
                         {{slot_of("8"), 1, "8", ""}, {slot_of("9"), 1, "9", ""}});
    world.append_records(repair(Origin::kTtlExpire, EntryKind::kRepairDeletes),
                         {{slot_of("8"), 1, "8", ""}});
    world.append_records(repair(Origin::kMove, EntryKind::kRepairDeletes),
                         {{slot_of("9"), 1, "9", ""}});
    Entry settings;
    settings.origin = Origin::kSystem;
    settings.kind = EntryKind::kUpdateSettings;
    settings.index_uid = "books";
    settings.arguments = Json::object({{"settings", Json::object()}});
    world.append(settings);
  }
  double suppressed(const std::string& origin) {
    return metric("miroir_cdc_events_suppressed_total{origin=\"" + origin + "\"}");
  }
};

TEST_F(ChangeStreamTest, ASinkIsGivenEverythingInOrderSigned) {
  add_sink("audit");
  add_sink("mirror").bodies = false;
  start();
  world.create_index("books");
  for (int i = 0; i < 20; ++i) world.write("books", {"1", "2"}, std::to_string(i));
  ASSERT_TRUE(given("audit", 41));
  ASSERT_TRUE(given("mirror", 41));
  EXPECT_EQ(subscribers["audit"].events(), all());
  EXPECT_EQ(brief(subscribers["mirror"].events()), brief(all()));
  for (const Json& event : subscribers["mirror"].events()) EXPECT_EQ(event.find("body"), nullptr);
  const Subscriber& audit = subscribers["audit"];
  EXPECT_EQ(*audit.deliveries[0].find("sink"), Json("audit"));
  for (std::size_t i = 0; i < audit.bodies.size(); ++i) {
    const std::string signature = *audit.headers[i].find("X-Miroir-Signature");
    const std::string time = signature.substr(2, signature.find(',') - 2);
    EXPECT_EQ(signature,
              "t=" + time + ",v1=" + hmac_sha256("secret of audit", time + "." + audit.bodies[i]));
  }
  world.run_for(Seconds(2));
  EXPECT_EQ(metric(R"(miroir_cdc_events_published_total{index="books",sink="audit"})"), 41);
  EXPECT_EQ(metric(R"(miroir_cdc_lag_seconds{sink="audit"})"), 0);
  EXPECT_EQ(metric(R"(miroir_cdc_dropped_total{sink="audit"})"), 0);
}

TEST_F(ChangeStreamTest, CountersStandAtZeroFromTheStart) {
  add_sink("audit");
  start();
  EXPECT_EQ(metric(R"(miroir_cdc_events_published_total{index="other",sink="audit"})"), 0);
  EXPECT_EQ(metric(R"(miroir_cdc_dropped_total{sink="audit"})"), 0);
  EXPECT_EQ(metric(R"(miroir_cdc_lag_seconds{sink="audit"})"), 0);
  for (const char* origin : {"antientropy", "ttl_expire", "move", "system"})
    EXPECT_EQ(suppressed(origin), 0) << origin;
}

TEST_F(ChangeStreamTest, RepairsSweepsMovesAndSystemEntriesAreNoEventsButCounted) {
  add_sink("audit");
  start();
  world.create_index("books");
  append_repairs();
  world.write("books", {"1"}, "a");
  ASSERT_TRUE(given("audit", 2));
  EXPECT_THAT(brief(subscribers["audit"].events()), ElementsAre("createIndex books", "write 1"));
  EXPECT_EQ(suppressed("antientropy"), 2);
  EXPECT_EQ(suppressed("ttl_expire"), 1);
  EXPECT_EQ(suppressed("move"), 1);
  EXPECT_EQ(suppressed("system"), 1);
}

TEST_F(ChangeStreamTest, SettingsLetSweepsAndInternalWritesBeEvents) {
  cdc.emit_ttl_deletes = cdc.emit_internal_writes = true;
  add_sink("audit");
  start();
  world.create_index("books");
  append_repairs();
  world.write("books", {"1"}, "a");
  ASSERT_TRUE(given("audit", 5));
  EXPECT_THAT(
      brief(subscribers["audit"].events()),
      ElementsAre("createIndex books", "delete 8", "delete 9", "updateSettings books", "write 1"));
  EXPECT_EQ(*subscribers["audit"].events()[1].find("origin"), Json("ttl_expire"));
  EXPECT_EQ(suppressed("antientropy"), 2);
  EXPECT_EQ(suppressed("system"), 0);
}

// The sweep looked before the client wrote: what it would delete lives.
TEST_F(ChangeStreamTest, ASweepOfWhatWasWrittenMeanwhileIsNoDelete) {
  cdc.emit_ttl_deletes = true;
  start();
  world.create_index("books");
  const Position looked = world.write("books", {"1", "2"}, "a");
  world.write("books", {"2"}, "longer");
  world.append_records(sweep(looked), {{slot_of("1"), 1, "1", ""}, {slot_of("2"), 1, "2", ""}});
  ASSERT_TRUE(settles());
  EXPECT_THAT(brief(all()),
              ElementsAre("createIndex books", "write 1", "write 2", "write 2", "delete 1"));
}

// It has looked at the log, then at the nodes, which have applied more by then.
TEST_F(ChangeStreamTest, ASweepIsADeleteOfWhatWasWrittenAfterItLookedAtTheLog) {
  cdc.emit_ttl_deletes = true;
  start();
  const Position looked = world.create_index("books");
  const Position written = world.write("books", {"1", "2"}, "a");
  world.write("books", {"2"}, "longer");
  const EntryStamp version = (*world.await(world.log().entries(written, 1)))[0]->stamp;
  world.append_records(sweep(looked),
                       {{slot_of("1"), version, "1", ""}, {slot_of("2"), version, "2", ""}});
  ASSERT_TRUE(settles());
  EXPECT_THAT(brief(all()),
              ElementsAre("createIndex books", "write 1", "write 2", "write 2", "delete 1"));
}

// What was written meanwhile did not happen: the sweep deletes what it looked at.
TEST_F(ChangeStreamTest, ASweepIsADeleteWhereWhatWasWrittenMeanwhileFailed) {
  cdc.emit_ttl_deletes = true;
  start();
  world.create_index("books");
  const Position looked = world.write("books", {"1", "2"}, "a");
  world.await_task(looked);
  for (auto& [id, node] : world.nodes) {
    node->fail_tasks([looked](const NodeTask& task) -> std::optional<std::string> {
      if (task.uid != looked + 1 && task.uid != looked + 2) return std::nullopt;
      return "internal";
    });
  }
  world.write("books", {"2"}, "longer");
  world.clear("books");
  world.append_records(sweep(looked), {{slot_of("1"), 1, "1", ""}, {slot_of("2"), 1, "2", ""}});
  ASSERT_TRUE(settles());
  EXPECT_THAT(brief(all()),
              ElementsAre("createIndex books", "write 1", "write 2", "delete 1", "delete 2"));
}

// An expiry takes away the version that it names, and no younger one.
TEST_F(ChangeStreamTest, ASweepIsADeleteWhereOnlyAnOlderVersionWasSweptMeanwhile) {
  cdc.emit_ttl_deletes = true;
  start();
  world.create_index("books");
  const auto stamp_at = [this](Position position) {
    return (*world.await(world.log().entries(position, 1)))[0]->stamp;
  };
  const Position first = world.write("books", {"1", "2"}, "a");
  const Position second = world.write("books", {"1"}, "b");
  const Position third = world.write("books", {"1"}, "c");
  const EntryStamp old = stamp_at(first);
  world.append_records(sweep(first), {{slot_of("1"), old, "1", ""}, {slot_of("2"), old, "2", ""}});
  world.append_records(sweep(second), {{slot_of("1"), stamp_at(second), "1", ""}});
  const Position last = world.append_records(
      sweep(third), {{slot_of("1"), stamp_at(third), "1", ""}, {slot_of("2"), old, "2", ""}});
  ASSERT_TRUE(settles());
  EXPECT_THAT(brief(all()), ElementsAre("createIndex books", "write 1", "write 2", "write 1",
                                        "write 1", "delete 2", "delete 1"));
  EXPECT_THAT(brief(events_of(read({last - 1, Cursor::kWhole}))), ElementsAre("delete 1"));
}

TEST_F(ChangeStreamTest, OfASweepIsLostWhatTheLogCannotTellAnyMore) {
  cdc.emit_ttl_deletes = true;
  start();
  world.create_index("books");
  const Position looked = world.write("books", {"1", "2"}, "a");
  const Position between = world.write("books", {"2"}, "longer");
  const Position swept =
      world.append_records(sweep(looked), {{slot_of("1"), 1, "1", ""}, {slot_of("2"), 1, "2", ""}});
  ASSERT_TRUE(settles());
  crash();
  MemoryStore::Tables tables = world.store.snapshot();
  auto& bodies = tables[static_cast<std::size_t>(Table::kBody)];
  bodies.erase(std::next(bodies.begin()));
  world.store.restore(std::move(tables));
  start();
  ASSERT_TRUE(settles());
  const Page page = read({between, Cursor::kWhole});
  EXPECT_EQ(page.lost, 2U);
  EXPECT_EQ(page.next.position, swept);
}

TEST_F(ChangeStreamTest, WhatIsRefusedIsRepeatedUntilItIsTaken) {
  add_sink("audit");
  start();
  world.create_index("books");
  subscribers["audit"].status = 503;
  for (int i = 0; i < 10; ++i) world.write("books", {"1"}, std::to_string(i));
  world.run_for(Seconds(600));
  EXPECT_GT(subscribers["audit"].refused, 10);
  EXPECT_LT(subscribers["audit"].refused, 60);
  EXPECT_GE(metric(R"(miroir_cdc_lag_seconds{sink="audit"})"), 590);
  subscribers["audit"].status = 200;
  ASSERT_TRUE(given("audit", 11));
  EXPECT_EQ(subscribers["audit"].events(), all());
  world.run_for(Seconds(2));
  EXPECT_EQ(metric(R"(miroir_cdc_lag_seconds{sink="audit"})"), 0);
}

TEST_F(ChangeStreamTest, ASlowSinkHoldsUpNobody) {
  add_sink("mute");
  add_sink("audit");
  subscribers["mute"].mute = true;
  start();
  world.create_index("books");
  for (int i = 0; i < 10; ++i) {
    const TaskEnd end = world.await_task(world.write("books", {"1"}, std::to_string(i)));
    EXPECT_EQ(end.status, "succeeded");
  }
  ASSERT_TRUE(given("audit", 11, Seconds(2)));
  EXPECT_EQ(subscribers["audit"].events(), all());
  // It may have been given, so it is given again, and nothing after it.
  ASSERT_TRUE(world.run_until([this] { return subscribers["mute"].deliveries.size() >= 3; }));
  EXPECT_EQ(subscribers["mute"].deliveries[1], subscribers["mute"].deliveries[0]);
  EXPECT_EQ(subscribers["mute"].deliveries[2], subscribers["mute"].deliveries[0]);
}

TEST_F(ChangeStreamTest, ASinkGoesOnWhereItWasAfterACrash) {
  add_sink("audit");
  start();
  world.create_index("books");
  for (int round = 0; round < 30; ++round) {
    world.write("books", {"1", "2", "3"}, std::to_string(round));
    world.run_for(Milliseconds(static_cast<int>(world.random.below(400))));
    crash();
    start();
  }
  ASSERT_TRUE(settles());
  world.run_for(Seconds(5));
  // Everything in order; what was under way at a crash may come twice, never out of order.
  std::vector<Json> once;
  std::map<std::string, bool> seen;
  for (const Json& event : subscribers["audit"].events()) {
    if (std::exchange(seen[event.find("cursor")->as_string()], true)) continue;
    once.push_back(event);
  }
  EXPECT_EQ(once, all());
  EXPECT_THAT(once, SizeIs(91));
  EXPECT_LE(subscribers["audit"].events().size(), 91U + 3 * 30);
  crash();
  start();
  const std::size_t before = subscribers["audit"].events().size();
  ASSERT_TRUE(settles());
  world.run_for(Seconds(5));
  EXPECT_EQ(subscribers["audit"].events().size(), before);
}

TEST_F(ChangeStreamTest, ANewSinkBeginsWithWhatIsWrittenFromNowOn) {
  start();
  world.create_index("books");
  world.write("books", {"1"}, "a");
  ASSERT_TRUE(settles());
  crash();
  add_sink("audit");
  start();
  world.write("books", {"2"}, "a");
  ASSERT_TRUE(given("audit", 1));
  EXPECT_THAT(brief(subscribers["audit"].events()), ElementsAre("write 2"));
}

TEST_F(ChangeStreamTest, WhatWasTrimmedBeforeASinkTookItIsCounted) {
  add_sink("audit");
  start();
  world.await_task(world.create_index("books"));
  ASSERT_TRUE(given("audit", 1));
  subscribers["audit"].status = 500;
  world.write("books", {"1", "2"}, "under way");
  ASSERT_TRUE(settles());
  ASSERT_TRUE(world.run_until([this] { return subscribers["audit"].refused > 0; }));
  world.write("books", {"3", "4", "5"}, "lost");
  ASSERT_TRUE(settles());
  ASSERT_TRUE(world.run_until([this] { return world.all_done(); }));
  world.clock.set_wall_offset(std::chrono::days(8));
  world.run_for(Seconds(15));
  world.write("books", {"6"}, "kept");
  subscribers["audit"].status = 200;
  ASSERT_TRUE(given("audit", 4));
  EXPECT_THAT(brief(subscribers["audit"].events()),
              ElementsAre("createIndex books", "write 1", "write 2", "write 6"));
  EXPECT_EQ(metric(R"(miroir_cdc_dropped_total{sink="audit"})"), 3);
}

TEST_F(ChangeStreamTest, ALogThatWentBackCountsAsOneThatIsLost) {
  add_sink("audit");
  start();
  world.await_task(world.create_index("books"));
  world.await_task(world.write("books", {"1"}, "kept"));
  ASSERT_TRUE(given("audit", 2));
  world.run_for(Seconds(1));
  MemoryStore::Tables tables = world.store.snapshot();
  for (const char* id : {"2", "3"}) world.await_task(world.write("books", {id}, "lost"));
  ASSERT_TRUE(given("audit", 4));
  const Cursor place{world.log().head(), Cursor::kWhole};
  crash();
  world.store.restore(std::move(tables));
  start();
  ASSERT_TRUE(world.run_until([&] { return world.log().head() > place.position; }));
  ASSERT_TRUE(settles());
  world.run_for(Seconds(1));
  EXPECT_EQ(metric(R"(miroir_cdc_dropped_total{sink="audit"})"), 1);
  EXPECT_EQ(read(place).lost, 1U);
  EXPECT_EQ(read(place).next.position, world.log().head());
  EXPECT_EQ(read({world.log().head(), Cursor::kWhole}).lost, 0U);
}

TEST_F(ChangeStreamTest, AReaderWaitsForTheNextEventAndNoLonger) {
  start();
  world.await_task(world.create_index("books"));
  const Cursor head{world.log().head(), Cursor::kWhole};
  const Instant asked = world.clock.now();
  EXPECT_EQ(read(head, {}, Seconds(20)).count, 0U);
  EXPECT_GE(world.clock.now(), asked + Seconds(20));
  EXPECT_LE(world.clock.now(), asked + Seconds(22));

  std::optional<Page> page;
  TaskGroup reader(world.process->io->get_executor());
  reader.spawn("reader",
               [](ChangeStream& its, Cursor since, std::optional<Page>& out) -> Async<void> {
                 out = (co_await its.changes(since, {}, Seconds(60))).value();
               }(*stream, head, page));
  world.run_for(Seconds(5));
  EXPECT_FALSE(page);
  world.write("books", {"1"}, "a");
  ASSERT_TRUE(world.run_until([&] { return page.has_value(); }, Seconds(5)));
  EXPECT_THAT(brief(events_of(*page)), ElementsAre("write 1"));
}

TEST_F(ChangeStreamTest, AStreamThatStopsAnswersThoseWhoWait) {
  start();
  world.await_task(world.create_index("books"));
  std::optional<Page> page;
  TaskGroup reader(world.process->io->get_executor());
  reader.spawn("reader",
               [](ChangeStream& its, Cursor since, std::optional<Page>& out) -> Async<void> {
                 out = (co_await its.changes(since, {}, Seconds(60))).value();
               }(*stream, {world.log().head(), Cursor::kWhole}, page));
  world.run_for(Seconds(1));
  const Instant stopped = world.clock.now();
  world.await([](ChangeStream& its) -> Async<bool> {
    co_await its.stop();
    co_return true;
  }(*stream));
  ASSERT_TRUE(world.run_until([&] { return page.has_value(); }, Seconds(5)));
  EXPECT_EQ(world.clock.now(), stopped);
  EXPECT_EQ(page->count, 0U);
}

TEST_F(ChangeStreamTest, WithoutAPlaceTheReaderLearnsWhereTheStreamIs) {
  start();
  world.await_task(world.create_index("books"));
  const Page page = world.await(stream->changes(std::nullopt, {}, Seconds(60))).value();
  EXPECT_EQ(page.next.position, world.log().head());
  EXPECT_THAT(events_of(page), IsEmpty());
  const auto beyond =
      world.await(stream->changes(Cursor{world.log().head() + 1, Cursor::kWhole}, {}, Seconds(60)));
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::kConflict);
}

// Who reads the index from then on does not find it yet.
TEST_F(ChangeStreamTest, WhatIsNotAppliedYetComesAfterThePlaceWhereTheStreamIs) {
  start();
  world.await_task(world.create_index("books"));
  for (auto& [name, network] : world.networks) network.cut = true;
  const Position written = world.write("books", {"1"}, "a");
  const Page page = world.await(stream->changes(std::nullopt, {}, Seconds(60))).value();
  EXPECT_LT(page.next.position, written);
  for (auto& [name, network] : world.networks) network.cut = false;
  const Page next = world.await(stream->changes(page.next, {}, Seconds(60))).value();
  EXPECT_THAT(brief(events_of(next)), ElementsAre("write 1"));
}

TEST_F(ChangeStreamTest, ReadersBeyondTheMostThatMayWaitAreAnsweredAtOnce) {
  start();
  world.await_task(world.create_index("books"));
  int answered = 0;
  TaskGroup readers(world.process->io->get_executor());
  for (int i = 0; i < 110; ++i) {
    readers.spawn("reader", [](ChangeStream& its, Cursor since, int& count) -> Async<void> {
      EXPECT_TRUE(co_await its.changes(since, {}, Seconds(60)));
      ++count;
    }(*stream, {world.log().head(), Cursor::kWhole}, answered));
  }
  world.run_for(Seconds(5));
  EXPECT_EQ(answered, 10);
  ASSERT_TRUE(world.run_until([&] { return answered == 110; }, Seconds(60)));
}

}  // namespace
}  // namespace miroir::cdc
