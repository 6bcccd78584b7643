#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "node/index.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

// The indexes, by name, and how they are kept in data.db: one row for each index, one for each
// document (its text).
using Catalogue = std::map<std::string, std::unique_ptr<Index>, std::less<>>;

Result<void> create_data_schema(sqlite::Database& database);
// Reads everything, and builds the columns out of the documents.
Result<Catalogue> load_catalogue(sqlite::Database& database);

// The index's row as the index is.
Result<void> save_index(sqlite::Database& database, const Index& index);
Result<void> erase_index(sqlite::Database& database, const Index& index);
Result<std::int64_t> free_index_number(sqlite::Database& database);

Result<std::optional<std::string>> read_document(sqlite::Database& database, const Index& index,
                                                 DocumentNumber number);
Result<void> write_document(sqlite::Database& database, const Index& index, DocumentNumber number,
                            std::string_view text);
Result<void> erase_document(sqlite::Database& database, const Index& index, DocumentNumber number);
Result<void> erase_documents(sqlite::Database& database, const Index& index);
// Every document's number and text, rising.
Result<void> for_each_document(
    sqlite::Database& database, const Index& index,
    const std::function<Result<void>(DocumentNumber, std::string_view)>& each);

// Builds the columns of all documents under other rules.
Result<std::map<std::string, Column, std::less<>>> build_columns(sqlite::Database& database,
                                                                 const Index& index,
                                                                 const FieldRules& rules);

}  // namespace miroir::node
