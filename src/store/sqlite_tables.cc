#include "store/sqlite_tables.h"

#include <algorithm>
#include <array>
#include <limits>

namespace miroir {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::int64_t kApplicationId = 0x4D69726F;  // "Miro"

constexpr std::array<const char*, kTableCount> kNames = {
    "meta",  "entry", "body", "outcome", "task", "index_state", "tombstone",
    "taint", "node",  "key",  "lease",   "pass", "repair"};

std::string name_of(Table table) { return kNames[static_cast<std::size_t>(table)]; }

Result<std::int64_t> number(sqlite::Database& database, const std::string& sql) {
  MIROIR_TRY(sqlite::Statement statement, database.prepare(sql));
  MIROIR_TRY(const bool row, statement.step());
  return row ? statement.int64(0) : 0;
}

Result<void> create_tables(sqlite::Database& database) {
  MIROIR_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database));
  for (int i = 0; i < kTableCount; ++i) {
    const auto table = static_cast<Table>(i);
    // Pieces of bodies are large: they live outside the tree that finds them.
    const char* const layout = table == Table::kBody ? "" : " WITHOUT ROWID";
    MIROIR_CHECK(database.execute("CREATE TABLE " + name_of(table) +
                                  " (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)" +
                                  layout));
  }
  MIROIR_CHECK(database.execute("PRAGMA application_id=" + std::to_string(kApplicationId) +
                                ";PRAGMA user_version=" + std::to_string(kFormat)));
  return transaction.commit();
}

Result<void> check_expectation(sqlite::Database& database, const Batch::Change& change) {
  MIROIR_TRY(const auto value, get_row(database, change.table, change.key));
  if (value == change.expected) return {};
  return fail(ErrorCode::kConflict, "a row of " + name_of(change.table) + " is not as expected");
}

}  // namespace

Result<void> prepare_tables(sqlite::Database& database) {
  MIROIR_TRY(const std::int64_t tables, number(database, "SELECT count(*) FROM sqlite_schema"));
  if (tables == 0) return create_tables(database);
  MIROIR_TRY(const std::int64_t application, number(database, "PRAGMA application_id"));
  if (application != kApplicationId) {
    return fail(ErrorCode::kUnsupported, "the file is a database, but not one of Miroir's");
  }
  MIROIR_TRY(const std::int64_t format, number(database, "PRAGMA user_version"));
  if (format > kFormat) {
    return fail(ErrorCode::kUnsupported, "the file was written by a newer Miroir (format " +
                                             std::to_string(format) + ", this one knows " +
                                             std::to_string(kFormat) + ")");
  }
  return {};
}

Result<void> apply_batch(sqlite::Database& database, const Batch& batch) {
  for (const Batch::Change& change : batch.changes()) {
    switch (change.kind) {
      case Batch::Change::Kind::kPut: {
        MIROIR_TRY(sqlite::Statement* const put,
                   database.cached("INSERT OR REPLACE INTO " + name_of(change.table) +
                                   " (key, value) VALUES (?1, ?2)"));
        put->bind_static_blob(1, change.key).bind_static_blob(2, change.value);
        MIROIR_CHECK(put->run());
        break;
      }
      case Batch::Change::Kind::kErase: {
        MIROIR_TRY(sqlite::Statement* const erase,
                   database.cached("DELETE FROM " + name_of(change.table) + " WHERE key = ?1"));
        MIROIR_CHECK(erase->bind_static_blob(1, change.key).run());
        break;
      }
      case Batch::Change::Kind::kEraseRange: {
        MIROIR_TRY(sqlite::Statement* const erase,
                   database.cached("DELETE FROM " + name_of(change.table) +
                                   " WHERE key >= ?1 AND key < ?2"));
        MIROIR_CHECK(
            erase->bind_static_blob(1, change.key).bind_static_blob(2, change.value).run());
        break;
      }
      case Batch::Change::Kind::kExpect:
        MIROIR_CHECK(check_expectation(database, change));
        break;
    }
  }
  return {};
}

Result<std::optional<std::string>> get_row(sqlite::Database& database, Table table,
                                           std::string_view key) {
  MIROIR_TRY(sqlite::Statement* const get,
             database.cached("SELECT value FROM " + name_of(table) + " WHERE key = ?1"));
  MIROIR_TRY(const bool row, get->bind_blob(1, key).step());
  if (!row) return std::nullopt;
  std::string value(get->blob(0));
  get->reset();
  return value;
}

Result<std::vector<Row>> scan_rows(sqlite::Database& database, Table table, std::string_view first,
                                   std::string_view end, std::size_t limit, bool reverse) {
  const std::string bound = end.empty() ? "" : " AND key < ?3";
  const std::string order = reverse ? " DESC" : "";
  MIROIR_TRY(sqlite::Statement* const scan,
             database.cached("SELECT key, value FROM " + name_of(table) + " WHERE key >= ?1" +
                             bound + " ORDER BY key" + order + " LIMIT ?2"));
  constexpr std::size_t kLimitMax = std::numeric_limits<std::int64_t>::max();
  scan->bind_blob(1, first).bind(2, static_cast<std::uint64_t>(std::min(limit, kLimitMax)));
  if (!end.empty()) scan->bind_blob(3, end);
  std::vector<Row> rows;
  while (true) {
    MIROIR_TRY(const bool row, scan->step());
    if (!row) return rows;
    rows.push_back({std::string(scan->blob(0)), std::string(scan->blob(1))});
  }
}

}  // namespace miroir
