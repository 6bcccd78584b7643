#include "sqlite/sqlite.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace miroir::sqlite {
namespace {

class SqliteTest : public testing::Test {
 protected:
  SqliteTest() {
    std::string pattern = testing::TempDir() + "/sqlite.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~SqliteTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/test.db"; }
  Database open(const OpenOptions& options = {}) {
    return std::move(Database::open(path(), options)).value();
  }

  std::string folder_;
};

std::int64_t count(Database& database) {
  Statement* statement = database.cached("SELECT count(*) FROM t").value();
  EXPECT_TRUE(statement->step().value());
  return statement->int64(0);
}

TEST_F(SqliteTest, ValuesComeBackAsTheyWereBound) {
  Database database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a,b,c,d,e)"));
  const std::string bytes("a\0b", 3);
  Statement insert = database.prepare("INSERT INTO t VALUES(?,?,?,?,?)").value();
  insert.bind(1, std::int64_t{-5})
      .bind(2, 1.5)
      .bind(3, std::string_view())
      .bind_blob(4, bytes)
      .bind_null(5);
  ASSERT_TRUE(insert.run());
  Statement select = database.prepare("SELECT * FROM t").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.int64(0), -5);
  EXPECT_EQ(select.real(1), 1.5);
  EXPECT_FALSE(select.is_null(2));
  EXPECT_EQ(select.text(2), "");
  EXPECT_EQ(select.blob(3), bytes);
  EXPECT_TRUE(select.is_null(4));
  EXPECT_FALSE(select.step().value());
}

TEST_F(SqliteTest, UncommittedTransactionIsRolledBack) {
  Database database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a)"));
  {
    auto transaction = Transaction::begin(database);
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  }
  EXPECT_EQ(count(database), 0);
  auto transaction = Transaction::begin(database);
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(count(database), 1);
}

TEST_F(SqliteTest, ReadTransactionIsASnapshot) {
  Database writer = open();
  ASSERT_TRUE(writer.execute("CREATE TABLE t(a)"));
  Database reader = open({.read_only = true});
  auto snapshot = Transaction::begin(reader, Transaction::Kind::kRead);
  ASSERT_EQ(count(reader), 0);
  ASSERT_TRUE(writer.execute("INSERT INTO t VALUES(1)"));
  EXPECT_EQ(count(reader), 0);
  snapshot->rollback();
  EXPECT_EQ(count(reader), 1);
}

TEST_F(SqliteTest, ErrorsSayWhatKindTheyAre) {
  Database database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a PRIMARY KEY)"));
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  EXPECT_EQ(database.execute("INSERT INTO t VALUES(1)").error().code, ErrorCode::kConflict);
  EXPECT_EQ(database.prepare("SELEKT").error().code, ErrorCode::kInternal);
  EXPECT_EQ(Database::open(folder_ + "/no/such/folder").error().code, ErrorCode::kUnavailable);
}

TEST_F(SqliteTest, FullDiskIsUnavailableAndLosesNothing) {
  Database database = open();
  ASSERT_TRUE(database.execute("CREATE TABLE t(a)"));
  ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
  ASSERT_TRUE(database.limit_bytes(1));
  auto filled = [&]() -> Result<void> {
    MIROIR_TRY(Transaction transaction, Transaction::begin(database));
    MIROIR_CHECK(database.execute("INSERT INTO t VALUES(randomblob(1000000))"));
    return transaction.commit();
  }();
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(count(database), 1);
  ASSERT_TRUE(database.limit_bytes(0));
  EXPECT_TRUE(database.execute("INSERT INTO t VALUES(randomblob(1000000))"));
}

TEST_F(SqliteTest, FunctionsAndFullTextAreThere) {
  Database database = open();
  ASSERT_TRUE(database.add_function(
      "twice", [](std::string_view text) { return std::string(text) + std::string(text); }));
  Statement select = database.prepare("SELECT twice('ab'), twice(NULL)").value();
  ASSERT_TRUE(select.step().value());
  EXPECT_EQ(select.text(0), "abab");
  EXPECT_TRUE(select.is_null(1));
  EXPECT_TRUE(database.execute("CREATE VIRTUAL TABLE words USING fts5(body)"));
}

}  // namespace
}  // namespace miroir::sqlite
