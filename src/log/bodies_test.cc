#include "log/bodies.h"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>

#include "log/log_process_fake.h"

namespace miroir {
namespace {

class BodiesTest : public testing::Test {
 protected:
  BodiesTest() { process_.create("a"); }
  Log& log() { return process_.log(); }
  void sweep() { ASSERT_TRUE(process_.run(log().trim(0, 0, 0))); }
  std::size_t rows() { return store_.snapshot()[static_cast<std::size_t>(Table::kBody)].size(); }
  bool readable(Position position) {
    const auto entry = process_.run(log().entry(position)).value();
    return process_.run(log().for_each_record(entry, [](BodyRecord) -> Result<void> { return {}; }))
        .has_value();
  }

  MemoryStore store_;
  SimulatedClock clock_;
  LogProcess process_{store_, clock_};
};

TEST_F(BodiesTest, WhatWaitsTooLongForItsEntryIsSwept) {
  const Entry entry = process_.documents(EntryKind::kWriteDocuments, "a", {"1"});
  clock_.advance(std::chrono::minutes(59));
  sweep();
  EXPECT_EQ(rows(), 1U);
  clock_.advance(std::chrono::minutes(2));
  sweep();
  EXPECT_EQ(rows(), 0U);
  EXPECT_FALSE(process_.append({entry}));
}

TEST_F(BodiesTest, AWallClockThatStepsForwardSweepsNothing) {
  const Entry entry = process_.documents(EntryKind::kWriteDocuments, "a", {"1"});
  clock_.set_wall_offset(std::chrono::hours(2));
  sweep();
  const auto appended = process_.append({entry});
  ASSERT_TRUE(appended);
  EXPECT_TRUE(readable(appended->front().position));
}

TEST_F(BodiesTest, WhatAnEntryOnItsWayNamesIsNotSwept) {
  for (const bool durable : {true, false}) {
    const Entry entry = process_.documents(EntryKind::kWriteDocuments, "a", {"1"});
    clock_.advance(std::chrono::hours(2));
    std::optional<Result<std::vector<Entry>>> appended;
    const auto append = [&]() -> Async<void> {
      appended =
          co_await log().append([&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
            return std::vector{entry};
          });
    };
    boost::asio::co_spawn(process_.io(), append(), boost::asio::detached);
    process_.io().restart();
    process_.io().poll_one();
    if (!durable) store_.fill_disk(true);
    process_.run(log().trim(0, 0, 0));
    process_.io().restart();
    process_.io().run();
    store_.fill_disk(false);
    ASSERT_TRUE(appended);
    if (durable) {
      ASSERT_TRUE(*appended);
      EXPECT_TRUE(readable((*appended)->front().position));
    } else {
      EXPECT_FALSE(*appended);
      EXPECT_TRUE(process_.append({entry})) << "it waits again";
    }
  }
}

TEST_F(BodiesTest, WhatIsDiscardedGoesAtOnceUnlessAnEntryNamesIt) {
  const Position kept = process_.append_documents(EntryKind::kWriteDocuments, "a", {"1"});
  const auto entry = process_.run(log().entry(kept)).value();
  log().discard(process_.write_body({{.slot = 1, .checksum = 1, .id = "2", .document = "{}"}}));
  log().discard({.id = entry->body});
  sweep();
  EXPECT_EQ(rows(), 1U);
  EXPECT_TRUE(readable(kept));
}

TEST_F(BodiesTest, WhatCouldNotBeWrittenToItsEndIsDiscarded) {
  std::size_t records = 0;
  const auto next = [&]() -> Result<std::optional<BodyRecord>> {
    if (++records == 40'000) return fail(ErrorCode::kInvalid, "no");
    const std::string id = std::to_string(records * 7'919);
    return BodyRecord{.slot = 1, .checksum = 1, .id = id, .document = std::string(64, 'x') + id};
  };
  ASSERT_FALSE(process_.run(log().write_body(next)));
  ASSERT_GT(rows(), 0U);
  sweep();
  EXPECT_EQ(rows(), 0U);
}

}  // namespace
}  // namespace miroir
