#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sqlite/sqlite.h"
#include "store/store.h"

namespace miroir {

// The tables of the store in one SQLite database, one connection, synchronously.

// Makes the tables of an empty file; refuses a file of another program or of a newer Miroir.
Result<void> prepare_tables(sqlite::Database& database);

// Inside the caller's transaction. kConflict: an expectation failed.
Result<void> apply_batch(sqlite::Database& database, const Batch& batch);

Result<std::optional<std::string>> get_row(sqlite::Database& database, Table table,
                                           std::string_view key);
Result<std::vector<Row>> scan_rows(sqlite::Database& database, Table table, std::string_view first,
                                   std::string_view end, std::size_t limit, bool reverse);

}  // namespace miroir
