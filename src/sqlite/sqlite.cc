#include "sqlite/sqlite.h"

#include <sqlite3.h>

#include <limits>
#include <utility>

#include "base/assert.h"

namespace miroir::sqlite {
namespace {

ErrorCode code_of(int result) {
  switch (result & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_NOMEM:
      return ErrorCode::kUnavailable;
    case SQLITE_CONSTRAINT:
      return ErrorCode::kConflict;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorrupt;
    case SQLITE_TOOBIG:
      return ErrorCode::kTooLarge;
    case SQLITE_INTERRUPT:
      return ErrorCode::kCancelled;
    default:
      return ErrorCode::kInternal;
  }
}

std::unexpected<Error> failure(sqlite3* database, int result) {
  return fail(code_of(result), std::string("sqlite: ") +
                                   (database ? sqlite3_errmsg(database) : sqlite3_errstr(result)));
}

int size_of(std::string_view bytes) {
  MIROIR_ASSERT(bytes.size() <= std::numeric_limits<int>::max());
  return static_cast<int>(bytes.size());
}

// An empty view may have no data, which SQLite would take for null.
const char* data_of(std::string_view bytes) { return bytes.empty() ? "" : bytes.data(); }

using TextFunction = std::function<std::string(std::string_view)>;

void call_function(sqlite3_context* context, int, sqlite3_value** arguments) {
  if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return sqlite3_result_null(context);
  const auto* function = static_cast<const TextFunction*>(sqlite3_user_data(context));
  const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(arguments[0]));
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(arguments[0]));
  const std::string answer = (*function)(std::string_view(text, size));
  sqlite3_result_text(context, answer.data(), size_of(answer), SQLITE_TRANSIENT);
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int parameter, std::int64_t value) {
  MIROIR_ASSERT(sqlite3_bind_int64(statement_, parameter, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int parameter, std::uint64_t value) {
  MIROIR_ASSERT(std::in_range<std::int64_t>(value));
  return bind(parameter, static_cast<std::int64_t>(value));
}

Statement& Statement::bind(int parameter, double value) {
  MIROIR_ASSERT(sqlite3_bind_double(statement_, parameter, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  MIROIR_ASSERT(sqlite3_bind_text(statement_, parameter, data_of(text), size_of(text),
                                  SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  MIROIR_ASSERT(sqlite3_bind_blob(statement_, parameter, data_of(bytes), size_of(bytes),
                                  SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_static(int parameter, std::string_view text) {
  MIROIR_ASSERT(sqlite3_bind_text(statement_, parameter, data_of(text), size_of(text),
                                  SQLITE_STATIC) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_static_blob(int parameter, std::string_view bytes) {
  MIROIR_ASSERT(sqlite3_bind_blob(statement_, parameter, data_of(bytes), size_of(bytes),
                                  SQLITE_STATIC) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  MIROIR_ASSERT(sqlite3_bind_null(statement_, parameter) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  auto error = failure(sqlite3_db_handle(statement_), result);
  sqlite3_reset(statement_);
  return error;
}

Result<void> Statement::run() {
  MIROIR_TRY(const bool row, step());
  if (row) reset();
  return {};
}

void Statement::reset() { sqlite3_reset(statement_); }

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::int64(int column) const { return sqlite3_column_int64(statement_, column); }

double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

Result<Database> Database::open(const std::string& path, const OpenOptions& options) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX |
      (options.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int result = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database database(handle);
  if (result != SQLITE_OK) {
    auto error = failure(handle, result);
    return std::unexpected(std::move(error.error()).with_context("opening " + path));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, static_cast<int>(options.busy_timeout_ms));
  std::string pragmas = options.read_only ? "" : "PRAGMA journal_mode=WAL;";
  pragmas += options.synchronous == Synchronous::kFull ? "PRAGMA synchronous=FULL;"
                                                       : "PRAGMA synchronous=NORMAL;";
  pragmas += "PRAGMA temp_store=MEMORY;PRAGMA cache_size=-" +
             std::to_string(options.cache_bytes / 1024) +
             ";PRAGMA mmap_size=" + std::to_string(options.mmap_bytes) + ";";
  if (auto done = database.execute(pragmas); !done) {
    return std::unexpected(std::move(done.error()).with_context("opening " + path));
  }
  return database;
}

Database::Database(Database&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), cache_(std::move(other.cache_)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    close();
    database_ = std::exchange(other.database_, nullptr);
    cache_ = std::move(other.cache_);
  }
  return *this;
}

Database::~Database() { close(); }

void Database::close() {
  cache_.clear();
  // Statements that outlive the database keep it open until they end.
  sqlite3_close_v2(std::exchange(database_, nullptr));
}

Result<void> Database::execute(const std::string& sql) {
  const int result = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) return failure(database_, result);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int result = sqlite3_prepare_v3(database_, data_of(sql), size_of(sql),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (result != SQLITE_OK) return failure(database_, result);
  return Statement(statement);
}

Result<Statement*> Database::cached(std::string_view sql) {
  std::string key(sql);
  auto found = cache_.find(key);
  if (found == cache_.end()) {
    MIROIR_TRY(Statement statement, prepare(sql));
    found = cache_.emplace(std::move(key), std::move(statement)).first;
  }
  Statement& statement = found->second;
  statement.reset();
  sqlite3_clear_bindings(statement.statement_);
  return &statement;
}

std::int64_t Database::last_insert_rowid() const { return sqlite3_last_insert_rowid(database_); }

std::int64_t Database::changes() const { return sqlite3_changes64(database_); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(database_) == 0; }

Result<void> Database::checkpoint() { return execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

Result<std::uint64_t> Database::pragma(const char* sql) {
  MIROIR_TRY(Statement statement, prepare(sql));
  MIROIR_TRY(const bool row, statement.step());
  return row ? static_cast<std::uint64_t>(statement.int64(0)) : 0;
}

Result<std::uint64_t> Database::bytes() {
  MIROIR_TRY(const std::uint64_t pages, pragma("PRAGMA page_count"));
  MIROIR_TRY(const std::uint64_t page, pragma("PRAGMA page_size"));
  return pages * page;
}

Result<std::uint64_t> Database::used_bytes() {
  MIROIR_TRY(const std::uint64_t pages, pragma("PRAGMA page_count"));
  MIROIR_TRY(const std::uint64_t free, pragma("PRAGMA freelist_count"));
  MIROIR_TRY(const std::uint64_t page, pragma("PRAGMA page_size"));
  return (pages - free) * page;
}

Result<void> Database::limit_bytes(std::uint64_t bytes_max) {
  constexpr std::uint64_t kPagesMax = 4294967294;  // SQLite's own limit
  MIROIR_TRY(const std::uint64_t page, pragma("PRAGMA page_size"));
  const std::uint64_t pages =
      bytes_max == 0 ? kPagesMax : std::max<std::uint64_t>(1, bytes_max / page);
  return execute("PRAGMA max_page_count=" + std::to_string(pages));
}

Result<void> Database::add_function(const std::string& name, TextFunction function) {
  auto owned = std::make_unique<TextFunction>(std::move(function));
  const int result =
      sqlite3_create_function_v2(database_, name.c_str(), 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                 owned.release(), &call_function, nullptr, nullptr,
                                 [](void* data) { delete static_cast<TextFunction*>(data); });
  if (result != SQLITE_OK) return failure(database_, result);
  return {};
}

Result<Transaction> Transaction::begin(Database& database, Kind kind) {
  MIROIR_TRY(Statement* const begin,
             database.cached(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED"));
  MIROIR_CHECK(begin->run());
  return Transaction(database);
}

Transaction::~Transaction() { rollback(); }

Result<void> Transaction::commit() {
  MIROIR_ASSERT(database_ != nullptr);
  MIROIR_TRY(Statement* const commit, database_->cached("COMMIT"));
  MIROIR_CHECK(commit->run());
  database_ = nullptr;
  return {};
}

void Transaction::rollback() {
  // A full disk may have rolled back already.
  if (database_ != nullptr && database_->in_transaction()) {
    MIROIR_ASSERT(database_->execute("ROLLBACK").has_value());
  }
  database_ = nullptr;
}

}  // namespace miroir::sqlite
