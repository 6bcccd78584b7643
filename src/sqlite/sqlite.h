#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace miroir::sqlite {

// How much of what was committed survives a power cut. Both survive kill -9 of the process.
enum class Synchronous { kNormal, kFull };

struct OpenOptions {
  bool read_only = false;
  Synchronous synchronous = Synchronous::kFull;
  std::int64_t busy_timeout_ms = 10'000;
  std::int64_t cache_bytes = 16 << 20;
  std::int64_t mmap_bytes = 0;
};

class Database;

// A prepared statement. Parameters are numbered from 1, columns from 0. Views read from columns
// live until the next step() or reset(). Bound texts and blobs are copied, but for bind_static,
// whose bytes must outlive the step.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  ~Statement();

  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::uint64_t value);  // asserts that it fits an i64
  Statement& bind(int parameter, int value) { return bind(parameter, std::int64_t{value}); }
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind(int parameter, const char* text) {
    return bind(parameter, std::string_view(text));
  }
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_static(int parameter, std::string_view text);
  Statement& bind_static_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);
  template <class T>
  Statement& bind(int parameter, const std::optional<T>& value) {
    return value ? bind(parameter, *value) : bind_null(parameter);
  }

  // True while there is a row. After false or an error the statement is reset and may be bound
  // anew.
  Result<bool> step();
  // For statements without rows.
  Result<void> run();
  void reset();

  bool is_null(int column) const;
  std::int64_t int64(int column) const;
  double real(int column) const;
  std::string_view text(int column) const;
  std::string_view blob(int column) const;
  std::string string(int column) const { return std::string(text(column)); }

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  sqlite3_stmt* statement_ = nullptr;
};

// One connection in WAL mode. Single-threaded: one connection per thread. Errors: kUnavailable
// (busy, full or broken disk), kConflict (a constraint), kCorrupt (the file), kInternal (the
// statement is wrong).
class Database {
 public:
  // Creates the file unless read_only. ":memory:" is a private database.
  static Result<Database> open(const std::string& path, const OpenOptions& options = {});
  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  ~Database();

  // Statements without parameters and rows, separated by semicolons.
  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  // The statement of that text from this connection's cache, reset and without bindings. It must
  // not be in use: a reference lives until the same text is asked for again.
  Result<Statement*> cached(std::string_view sql);

  std::int64_t last_insert_rowid() const;
  std::int64_t changes() const;  // rows changed by the last statement
  bool in_transaction() const;
  // Moves what the WAL holds into the file and empties it.
  Result<void> checkpoint();
  // Bytes of the database's pages, and of those in use.
  Result<std::uint64_t> bytes();
  Result<std::uint64_t> used_bytes();
  // Past this many bytes commits fail with kUnavailable, as on a full disk; 0 lifts the limit.
  Result<void> limit_bytes(std::uint64_t bytes_max);

  // A deterministic scalar SQL function of one text argument (a null stays null).
  Result<void> add_function(const std::string& name,
                            std::function<std::string(std::string_view)> function);

  sqlite3* handle() const { return database_; }

 private:
  explicit Database(sqlite3* database) : database_(database) {}
  Result<std::uint64_t> pragma(const char* sql);
  void close();
  sqlite3* database_ = nullptr;
  std::unordered_map<std::string, Statement> cache_;
};

// BEGIN … COMMIT; rolls back when it is destroyed before commit() succeeded. The database outlives
// it.
class Transaction {
 public:
  enum class Kind { kRead, kWrite };  // kWrite takes the write lock at once
  static Result<Transaction> begin(Database& database, Kind kind = Kind::kWrite);
  Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();
  void rollback();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;
};

}  // namespace miroir::sqlite
