#include "store/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>

#include "base/simulated_clock_fake.h"
#include "sqlite/sqlite.h"
#include "store/memory_store_fake.h"
#include "store/sqlite_store.h"

namespace miroir {
namespace {

template <class T>
T run(boost::asio::io_context& io, Async<T> coroutine) {
  std::optional<T> result;
  boost::asio::co_spawn(io, std::move(coroutine), [&](std::exception_ptr error, T value) {
    if (error) std::rethrow_exception(error);
    result = std::move(value);
  });
  io.restart();
  io.run();
  return std::move(*result);
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "miroir-store-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ / "store.db"; }

 private:
  std::filesystem::path path_;
};

struct Backend {
  const char* name;
  std::function<std::unique_ptr<Store>(const std::string& path)> make;
};

class StoreTest : public testing::TestWithParam<Backend> {
 protected:
  Result<void> commit(Batch batch) { return run(io_, store_->commit(std::move(batch))); }
  std::optional<std::string> get(Table table, std::string key) {
    return run(io_, store_->get(table, std::move(key))).value();
  }
  std::string scan(std::string first, std::string end, std::size_t limit, bool reverse = false) {
    std::string found;
    for (const Row& row : run(io_, store_->scan(Table::kEntry, first, end, limit, reverse)).value())
      found += row.key + "=" + row.value + " ";
    return found;
  }

  TemporaryDirectory directory_;
  boost::asio::io_context io_;
  std::unique_ptr<Store> store_ = GetParam().make(directory_.file());
};

TEST_P(StoreTest, PutIsReadBackAndReplaced) {
  EXPECT_EQ(get(Table::kMeta, "a"), std::nullopt);
  ASSERT_TRUE(commit(Batch().put(Table::kMeta, "a", "1").put(Table::kBody, "a", "")));
  EXPECT_EQ(get(Table::kMeta, "a"), "1");
  EXPECT_EQ(get(Table::kBody, "a"), "");
  ASSERT_TRUE(commit(Batch().put(Table::kMeta, "a", "2")));
  EXPECT_EQ(get(Table::kMeta, "a"), "2");
  ASSERT_TRUE(commit(Batch().erase(Table::kMeta, "a")));
  EXPECT_EQ(get(Table::kMeta, "a"), std::nullopt);
  EXPECT_EQ(get(Table::kBody, "a"), "");
}

TEST_P(StoreTest, ScansAreOrderedAndBounded) {
  ASSERT_TRUE(commit(Batch()
                         .put(Table::kEntry, "b", "2")
                         .put(Table::kEntry, "a", "1")
                         .put(Table::kEntry, "d", "4")
                         .put(Table::kEntry, "c", "3")));
  EXPECT_EQ(scan("", "", 10), "a=1 b=2 c=3 d=4 ");
  EXPECT_EQ(scan("b", "d", 10), "b=2 c=3 ");
  EXPECT_EQ(scan("b", "", 2), "b=2 c=3 ");
  EXPECT_EQ(scan("", "", 2, true), "d=4 c=3 ");
  EXPECT_EQ(scan("a", "c", 10, true), "b=2 a=1 ");
  EXPECT_EQ(scan("d", "b", 10), "");
}

TEST_P(StoreTest, KeysAreOrderedAsUnsignedBytes) {
  ASSERT_TRUE(commit(Batch()
                         .put(Table::kEntry, key_of(255), "x")
                         .put(Table::kEntry, key_of(256), "y")
                         .put(Table::kEntry, key_of(1), "w")
                         .put(Table::kEntry, key_of(1ULL << 63), "z")));
  std::string order;
  for (const Row& row : run(io_, store_->scan(Table::kEntry, "", "", 10, false)).value())
    order += row.value;
  EXPECT_EQ(order, "wxyz");
}

TEST_P(StoreTest, EraseRangeTakesItsBeginAndLeavesItsEnd) {
  ASSERT_TRUE(commit(Batch()
                         .put(Table::kEntry, "a", "1")
                         .put(Table::kEntry, "b", "2")
                         .put(Table::kEntry, "c", "3")));
  ASSERT_TRUE(commit(Batch().erase_range(Table::kEntry, "a", "c")));
  EXPECT_EQ(scan("", "", 10), "c=3 ");
}

TEST_P(StoreTest, FailedExpectationChangesNothing) {
  ASSERT_TRUE(
      commit(Batch().expect(Table::kLease, "l", std::nullopt).put(Table::kLease, "l", "me")));
  const auto refused = commit(Batch()
                                  .put(Table::kMeta, "before", "1")
                                  .expect(Table::kLease, "l", "you")
                                  .put(Table::kLease, "l", "you"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_EQ(get(Table::kMeta, "before"), std::nullopt);
  EXPECT_EQ(get(Table::kLease, "l"), "me");
  EXPECT_TRUE(commit(Batch().expect(Table::kLease, "l", "me").erase(Table::kLease, "l")));
}

Async<std::vector<Result<void>>> commit_at_once(Store& store) {
  std::vector<Async<Result<void>>> commits;
  for (int i = 0; i < 20; ++i) {
    Batch batch;
    batch.put(Table::kEntry, key_of(static_cast<std::uint64_t>(i)), "v");
    if (i % 3 == 0) batch.expect(Table::kMeta, "none", "something");
    commits.push_back(store.commit(std::move(batch)));
  }
  co_return co_await gather(std::move(commits));
}

TEST_P(StoreTest, FailedExpectationFailsNoNeighbour) {
  const auto results = run(io_, commit_at_once(*store_));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(results[static_cast<std::size_t>(i)].has_value(), i % 3 != 0) << i;
    EXPECT_EQ(get(Table::kEntry, key_of(static_cast<std::uint64_t>(i))).has_value(), i % 3 != 0);
  }
}

TEST_P(StoreTest, BytesGrow) {
  const std::uint64_t before = run(io_, store_->bytes()).value();
  ASSERT_TRUE(commit(Batch().put(Table::kBody, "b", std::string(1 << 20, 'x'))));
  EXPECT_GE(run(io_, store_->bytes()).value(), before + (1 << 20));
}

INSTANTIATE_TEST_SUITE_P(
    Backends, StoreTest,
    testing::Values(Backend{"Sqlite",
                            [](const std::string& path) -> std::unique_ptr<Store> {
                              return SqliteStore::open(path).value();
                            }},
                    Backend{"Memory",
                            [](const std::string&) -> std::unique_ptr<Store> {
                              return std::make_unique<MemoryStore>();
                            }}),
    [](const auto& test) { return test.param.name; });

class SqliteStoreTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  boost::asio::io_context io_;
};

TEST_F(SqliteStoreTest, ReopenedHoldsWhatWasCommitted) {
  {
    const auto store = SqliteStore::open(directory_.file()).value();
    ASSERT_TRUE(run(io_, store->commit(Batch().put(Table::kMeta, "a", "1"))));
  }
  const auto store = SqliteStore::open(directory_.file()).value();
  EXPECT_EQ(run(io_, store->get(Table::kMeta, "a")).value(), "1");
}

TEST_F(SqliteStoreTest, SecondOpenIsRefused) {
  const auto store = SqliteStore::open(directory_.file()).value();
  const auto second = SqliteStore::open(directory_.file());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message.find("in use by another process"), std::string::npos);
}

TEST_F(SqliteStoreTest, NewerFormatIsRefused) {
  {
    ASSERT_TRUE(SqliteStore::open(directory_.file()));
  }
  {
    auto database = sqlite::Database::open(directory_.file(), {}).value();
    ASSERT_TRUE(database.execute("PRAGMA user_version=99"));
  }
  const auto store = SqliteStore::open(directory_.file());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnsupported);
  EXPECT_NE(store.error().message.find("newer Miroir"), std::string::npos);
}

TEST_F(SqliteStoreTest, ForeignDatabaseIsRefused) {
  {
    auto database = sqlite::Database::open(directory_.file(), {}).value();
    ASSERT_TRUE(database.execute("CREATE TABLE t (x)"));
  }
  const auto store = SqliteStore::open(directory_.file());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnsupported);
}

TEST_F(SqliteStoreTest, DamagedFileIsRefused) {
  std::ofstream(directory_.file()) << std::string(8192, 'x');
  const auto store = SqliteStore::open(directory_.file());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(store.error().message.find("damaged"), std::string::npos);
}

TEST_F(SqliteStoreTest, FullDiskFailsWhatDoesNotFitAndLosesNothing) {
  const auto store = SqliteStore::open(directory_.file(), 1 << 20).value();
  const auto both = [](Store& its) -> Async<std::vector<Result<void>>> {
    std::vector<Async<Result<void>>> commits;
    commits.push_back(its.commit(Batch().put(Table::kMeta, "small", "1")));
    commits.push_back(its.commit(
        Batch().put(Table::kMeta, "part", "1").put(Table::kBody, "b", std::string(4 << 20, 'x'))));
    commits.push_back(its.commit(Batch().put(Table::kMeta, "after", "1")));
    co_return co_await gather(std::move(commits));
  };
  const auto results = run(io_, both(*store));
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(results[2]);
  EXPECT_EQ(run(io_, store->get(Table::kMeta, "small")).value(), "1");
  EXPECT_EQ(run(io_, store->get(Table::kMeta, "part")).value(), std::nullopt);
  EXPECT_EQ(run(io_, store->get(Table::kMeta, "after")).value(), "1");
}

TEST_F(SqliteStoreTest, NeighboursShareATransaction) {
  const auto store = SqliteStore::open(directory_.file()).value();
  run(io_, commit_at_once(*store));
  EXPECT_LT(store->transactions(), 10);
}

TEST_F(SqliteStoreTest, ConversationsSurviveManyCallsInFlight) {
  const auto store = SqliteStore::open(directory_.file()).value();
  const auto read_and_write = [](Store& its) -> Async<std::vector<Result<void>>> {
    std::vector<Async<Result<void>>> calls;
    for (std::uint64_t i = 0; i < 200; ++i) {
      calls.push_back([](Store& one, std::uint64_t number) -> Async<Result<void>> {
        MIROIR_CO_CHECK(co_await one.commit(Batch().put(Table::kEntry, key_of(number), "v")));
        MIROIR_CO_TRY(const auto value, co_await one.get(Table::kEntry, key_of(number)));
        if (!value) co_return fail(ErrorCode::kCorrupt, "a committed row is missing");
        co_return Result<void>();
      }(its, i));
    }
    co_return co_await gather(std::move(calls));
  };
  for (const Result<void>& result : run(io_, read_and_write(*store))) EXPECT_TRUE(result);
}

TEST(MemoryStoreTest, FullDiskFailsCommitsAndRestoreGoesBack) {
  boost::asio::io_context io;
  MemoryStore store;
  ASSERT_TRUE(run(io, store.commit(Batch().put(Table::kMeta, "a", "1"))));
  const auto old = store.snapshot();
  ASSERT_TRUE(run(io, store.commit(Batch().put(Table::kMeta, "a", "2"))));
  store.fill_disk(true);
  const auto full = run(io, store.commit(Batch().put(Table::kMeta, "a", "3")));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(run(io, store.get(Table::kMeta, "a")).value(), "2");
  store.restore(old);
  EXPECT_EQ(run(io, store.get(Table::kMeta, "a")).value(), "1");
  EXPECT_EQ(store.commits(), 2);
}

TEST(MemoryStoreTest, CommitsThatComeMeanwhileShareTheNextGroup) {
  boost::asio::io_context io;
  SimulatedClock clock;
  MemoryStore store;
  store.take_time(clock, Milliseconds(5), 1);
  const auto begin = [&](std::string key) {
    const auto write = [](Store& its, std::string row) -> Async<void> {
      EXPECT_TRUE(co_await its.commit(Batch().put(Table::kMeta, std::move(row), "")));
    };
    boost::asio::co_spawn(io, write(store, std::move(key)), boost::asio::detached);
    io.poll();
  };
  const auto wake = [&] {
    const Instant before = clock.now();
    clock.advance_to(*clock.next_wake());
    io.poll();
    return clock.now() - before;
  };
  begin("a");
  begin("b");
  begin("c");
  EXPECT_EQ(store.commits(), 0);
  EXPECT_LE(wake(), Milliseconds(5));
  EXPECT_EQ(store.commits(), 1);
  begin("d");
  EXPECT_LE(wake(), Milliseconds(5));
  EXPECT_EQ(store.commits(), 3);
  EXPECT_LE(wake(), Milliseconds(5));
  EXPECT_EQ(store.commits(), 4);
  EXPECT_FALSE(clock.next_wake());
}

TEST(KeyTest, PrefixEndIsAfterAllKeysWithThePrefix) {
  EXPECT_EQ(prefix_end("ab"), "ac");
  EXPECT_EQ(prefix_end(std::string("a\xFF\xFF")), "b");
  EXPECT_EQ(prefix_end("\xFF"), "");
  EXPECT_EQ(number_of(key_of(0x0123456789ABCDEF)), 0x0123456789ABCDEF);
  EXPECT_EQ(key_join("a", "b"), std::string("a\0b", 3));
}

}  // namespace
}  // namespace miroir
