#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <boost/asio/detached.hpp>

#include "base/random.h"
#include "log/log_process_fake.h"

// What must hold whatever fails (DESIGN.md, invariant 1): acknowledged is durable, what is not
// durable was never seen, and the log has no gaps.

namespace miroir {
namespace {

// A client's request, and what came of it.
struct Request {
  std::string name;
  std::optional<Result<Position>> answer;
};

Entry named(const std::string& name) {
  return plain_entry(EntryKind::kCreateIndex, name, Json::object({{"primaryKey", name}}));
}

Async<void> send(Log& log, Request& request) {
  auto appended = co_await log.append(
      [&request](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        // Those judged before are seen by those judged later, durable or not.
        MIROIR_ASSERT(catalogue.index(request.name) == nullptr);
        std::vector<Entry> entries{named(request.name)};
        if (request.name.size() % 2 == 0)
          entries.push_back(plain_entry(EntryKind::kClearDocuments, request.name));
        return entries;
      });
  if (appended) {
    MIROIR_ASSERT(log.head() >= appended->back().position);
    request.answer = appended->front().position;
  } else {
    request.answer = std::unexpected(appended.error());
  }
}

// The log as a process that opens it finds it: contiguous, and the catalogue is the entries'.
std::vector<std::shared_ptr<const Entry>> read_all(LogProcess& process) {
  const auto entries = process.run(process.log().entries(1, 1'000'000)).value();
  Catalogue replayed;
  EntryStamp stamp = 0;
  Position position = 0;
  for (const auto& entry : entries) {
    RC_ASSERT(entry->position == ++position);
    RC_ASSERT(entry->stamp > stamp);
    stamp = entry->stamp;
    replayed.apply(*entry);
  }
  RC_ASSERT(process.log().head() == position);
  RC_ASSERT(process.log().head_stamp() == stamp);
  RC_ASSERT(describe(process.log().catalogue()) == describe(replayed));
  return entries;
}

TEST(LogFaultsTest, AcknowledgedIsDurableAndNothingElseIsSeen) {
  rc::check([] {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    MemoryStore store;
    SimulatedClock clock;
    store.fail_commits([&](const Batch&) { return random.chance(0.2); });
    std::vector<std::unique_ptr<Request>> requests;
    for (int life = 0; life < 4; ++life) {
      // A start may meet the full disk too; it is tried again.
      store.fail_commits(nullptr);
      auto process = std::make_unique<LogProcess>(store, clock);
      store.fail_commits([&](const Batch&) { return random.chance(0.2); });
      const std::size_t first = requests.size();
      for (int i = 0; i < 12; ++i) {
        requests.push_back(std::make_unique<Request>());
        requests.back()->name =
            "n" + std::string(random.below(2), '_') + std::to_string(requests.size());
        boost::asio::co_spawn(process->io(), send(process->log(), *requests.back()),
                              boost::asio::detached);
        for (std::uint64_t steps = random.below(6); steps > 0; --steps) {
          process->io().restart();
          process->io().poll_one();
          const auto durable = store.snapshot()[static_cast<std::size_t>(Table::kEntry)].size();
          RC_ASSERT(process->log().head() <= durable);
        }
      }
      const bool killed = random.chance(0.5);
      if (!killed) {
        process->io().restart();
        process->io().run();
        for (std::size_t i = first; i < requests.size(); ++i) {
          RC_ASSERT(requests[i]->answer.has_value());
          if (!*requests[i]->answer) {
            RC_ASSERT(requests[i]->answer->error().code == ErrorCode::kUnavailable);
          }
        }
        read_all(*process);
      }
    }
    store.fail_commits(nullptr);
    LogProcess process(store, clock);
    const auto entries = read_all(process);
    for (const auto& request : requests) {
      if (!request->answer) continue;  // killed before the answer: either is right
      const IndexState* index = process.log().catalogue().index(request->name);
      RC_ASSERT((index != nullptr) == request->answer->has_value());
      if (index == nullptr) continue;
      const Position position = **request->answer;
      RC_ASSERT(entries[position - 1]->index_uid == request->name);
      // All of a request or nothing.
      if (request->name.size() % 2 == 0) RC_ASSERT(index->clears.back().position == position + 1);
    }
  });
}

TEST(LogFaultsTest, ReopenedIsAsItWasBefore) {
  rc::check([] {
    Random random(*rc::gen::arbitrary<std::uint64_t>());
    MemoryStore store;
    SimulatedClock clock;
    auto process = std::make_unique<LogProcess>(store, clock);
    const std::vector<std::string> uids = {"a", "b", "c"};
    const auto any = [&] { return uids[random.below(uids.size())]; };
    for (int i = 0; i < 25; ++i) {
      const std::string uid = any();
      const IndexState* index = process->log().catalogue().index(uid);
      Entry entry;
      switch (random.below(8)) {
        case 0:
          entry = plain_entry(EntryKind::kCreateIndex, uid);
          break;
        case 1:
          entry = plain_entry(EntryKind::kUpdateIndex, uid, Json::object({{"newUid", any()}}));
          break;
        case 2:
          entry = plain_entry(EntryKind::kDropIndex, uid);
          break;
        case 3:
          entry = plain_entry(EntryKind::kSwapIndexes, "",
                              Json::array({Json::object({{"indexes", Json::array({uid, any()})},
                                                         {"rename", random.chance(0.5)}})}));
          break;
        case 4:
          entry = plain_entry(
              EntryKind::kUpdateSettings, uid,
              Json::object({{"clientSettings", Json::object({{"searchCutoffMs", i}})}}));
          break;
        case 5:
          entry = plain_entry(EntryKind::kPutKey, "", Json::object({{"uid", uid}, {"n", i}}));
          break;
        case 6:
          entry = process->documents(EntryKind::kDeleteDocuments, uid, {"x" + any(), any()});
          break;
        default:
          entry = process->documents(EntryKind::kWriteDocuments, uid, {any()});
          entry.primary_key = "id";
          break;
      }
      if (index != nullptr && entry.index_uid == uid && entry.kind != EntryKind::kCreateIndex)
        entry.incarnation = index->incarnation;
      if (index != nullptr && entry.kind == EntryKind::kCreateIndex)
        entry.born_failed = meili::api_error("index_already_exists", "there");
      RC_ASSERT(process->append({entry}).has_value());
    }
    const auto state = [&] {
      read_all(*process);
      std::string text = describe(process->log().catalogue());
      for (const std::string& uid : uids)
        text += std::to_string(process->log().tombstone_count(uid)) + " ";
      return text + std::to_string(process->log().bytes()) + " " +
             std::to_string(process->log().head()) + " " +
             std::to_string(process->log().head_stamp());
    };
    const std::string before = state();
    process.reset();
    process = std::make_unique<LogProcess>(store, clock);
    RC_ASSERT(state() == before);
  });
}

TEST(LogFaultsTest, ConcurrentAppendsKeepTheirOrderAndShareCommits) {
  MemoryStore store;
  SimulatedClock clock;
  LogProcess process(store, clock);
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < 500; ++i) {
    requests.push_back(std::make_unique<Request>());
    requests.back()->name = "name" + std::to_string(10'001 + 2 * i);
    boost::asio::co_spawn(process.io(), send(process.log(), *requests.back()),
                          boost::asio::detached);
  }
  process.io().restart();
  process.io().run();
  Position last = 0;
  for (const auto& request : requests) {
    ASSERT_TRUE(request->answer && *request->answer);
    EXPECT_GT(**request->answer, last);
    last = **request->answer;
  }
  EXPECT_LE(store.commits(), 5);
}

TEST(LogFaultsTest, AppenderThatIsCancelledStopsNobodyElse) {
  MemoryStore store;
  SimulatedClock clock;
  LogProcess process(store, clock);
  Request first{.name = "first", .answer = {}};
  Request second{.name = "other", .answer = {}};
  TaskGroup group(process.io().get_executor());
  group.spawn("first", send(process.log(), first));
  boost::asio::co_spawn(process.io(), send(process.log(), second), boost::asio::detached);
  boost::asio::co_spawn(process.io(), group.stop(), boost::asio::detached);
  process.io().restart();
  process.io().run();
  ASSERT_TRUE(second.answer && *second.answer);
  EXPECT_EQ(process.log().head(), **second.answer);
}

}  // namespace
}  // namespace miroir
