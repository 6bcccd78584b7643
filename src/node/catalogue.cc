#include "node/catalogue.h"

#include "meili/primary_key.h"
#include "node/task_rows.h"

namespace miroir::node {
namespace {

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS indexes(
    number INTEGER PRIMARY KEY, uid TEXT NOT NULL, primary_key TEXT, created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL, settings TEXT NOT NULL, fields TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS documents(key INTEGER PRIMARY KEY, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS last_batch(one INTEGER PRIMARY KEY CHECK(one=1), result TEXT NOT NULL);
)";

// Documents of all indexes are in one table; the index's number is the upper half of the key.
std::int64_t document_key(const Index& index, DocumentNumber number) {
  return (index.number << 32) | number;
}

Result<std::unique_ptr<Index>> read_index(const sqlite::Statement& row) {
  auto index = std::make_unique<Index>();
  index->number = row.int64(0);
  index->uid = row.string(1);
  if (!row.is_null(2)) index->primary_key = row.string(2);
  index->created_at = WallTime(Microseconds(row.int64(3)));
  index->updated_at = WallTime(Microseconds(row.int64(4)));
  MIROIR_TRY(index->settings, parse_json(row.text(5)));
  MIROIR_TRY(const Json fields, parse_json(row.text(6)));
  for (const Json& field : fields.as_array()) {
    index->field_order.emplace(field.as_string(), index->fields.size());
    index->fields.push_back(field.as_string());
  }
  index->rules = FieldRules(index->settings);
  return index;
}

// Asks the rules once for each field.
class IndexedFields {
 public:
  explicit IndexedFields(const FieldRules& rules) : rules_(rules) {}
  bool operator()(std::string_view field) {
    auto known = known_.find(field);
    if (known == known_.end()) known = known_.emplace(field, rules_.indexed(field)).first;
    return known->second;
  }

 private:
  const FieldRules& rules_;
  std::map<std::string, bool, std::less<>> known_;
};

using Changes = std::map<std::string, ColumnChange, std::less<>>;

std::map<std::string, Column, std::less<>> columns_of(Changes changes) {
  std::map<std::string, Column, std::less<>> columns;
  for (auto& [field, change] : changes) std::move(change).apply(columns[field]);
  return columns;
}

Result<void> load_documents(sqlite::Database& database, Index& index) {
  Changes changes;
  IndexedFields indexed(index.rules);
  const std::function<bool(std::string_view)> wanted = std::ref(indexed);
  MIROIR_CHECK(for_each_document(
      database, index, [&](DocumentNumber number, std::string_view text) -> Result<void> {
        MIROIR_TRY(const Json document, parse_json(text));
        const auto id = meili::document_id_of(document, index.primary_key.value_or(""));
        if (!id)
          return fail(ErrorCode::kCorrupt, "a stored document has no id: " + id.error().message);
        while (index.number_end < number) index.free_numbers.push_back(index.number_end++);
        index.number_end = number + 1;
        index.documents.insert(number);
        index.numbers.emplace(*id, number);
        index.raw_bytes += text.size();
        for (const auto& [field, value] : document.as_object()) ++index.field_distribution[field];
        for (const auto& [field, values] : flatten(document, wanted))
          changes[field].add(number, values);
        return {};
      }));
  index.columns = columns_of(std::move(changes));
  return {};
}

}  // namespace

Result<void> create_data_schema(sqlite::Database& database) { return database.execute(kSchema); }

Result<Catalogue> load_catalogue(sqlite::Database& database) {
  Catalogue catalogue;
  MIROIR_TRY(
      sqlite::Statement rows,
      database.prepare(
          "SELECT number,uid,primary_key,created_at,updated_at,settings,fields FROM indexes"));
  while (true) {
    MIROIR_TRY(const bool row, rows.step());
    if (!row) break;
    MIROIR_TRY(std::unique_ptr<Index> index, read_index(rows));
    MIROIR_CHECK(load_documents(database, *index));
    catalogue.emplace(index->uid, std::move(index));
  }
  return catalogue;
}

Result<void> save_index(sqlite::Database& database, const Index& index) {
  Json fields = Json::array();
  for (const std::string& field : index.fields) fields.push_back(field);
  MIROIR_TRY(sqlite::Statement* const row,
             database.cached("INSERT OR REPLACE INTO indexes VALUES(?,?,?,?,?,?,?)"));
  row->bind(1, index.number).bind(2, index.uid).bind(4, microseconds_of(index.created_at));
  if (index.primary_key) row->bind(3, *index.primary_key);
  row->bind(5, microseconds_of(index.updated_at))
      .bind(6, to_text(index.settings))
      .bind(7, to_text(fields));
  return row->run();
}

Result<void> erase_index(sqlite::Database& database, const Index& index) {
  MIROIR_CHECK(erase_documents(database, index));
  MIROIR_TRY(sqlite::Statement* const row, database.cached("DELETE FROM indexes WHERE number=?"));
  row->bind(1, index.number);
  return row->run();
}

Result<std::int64_t> free_index_number(sqlite::Database& database) {
  MIROIR_TRY(sqlite::Statement* const row,
             database.cached("SELECT coalesce(max(number)+1,1) FROM indexes"));
  MIROIR_CHECK(row->step());
  const std::int64_t number = row->int64(0);
  row->reset();
  return number;
}

Result<std::optional<std::string>> read_document(sqlite::Database& database, const Index& index,
                                                 DocumentNumber number) {
  MIROIR_TRY(sqlite::Statement* const row,
             database.cached("SELECT body FROM documents WHERE key=?"));
  row->bind(1, document_key(index, number));
  MIROIR_TRY(const bool found, row->step());
  if (!found) return std::nullopt;
  std::string text = row->string(0);
  row->reset();
  return text;
}

Result<void> write_document(sqlite::Database& database, const Index& index, DocumentNumber number,
                            std::string_view text) {
  MIROIR_TRY(sqlite::Statement* const row,
             database.cached("INSERT OR REPLACE INTO documents VALUES(?,?)"));
  row->bind(1, document_key(index, number)).bind_static(2, text);
  return row->run();
}

Result<void> erase_document(sqlite::Database& database, const Index& index, DocumentNumber number) {
  MIROIR_TRY(sqlite::Statement* const row, database.cached("DELETE FROM documents WHERE key=?"));
  row->bind(1, document_key(index, number));
  return row->run();
}

Result<void> erase_documents(sqlite::Database& database, const Index& index) {
  MIROIR_TRY(sqlite::Statement* const rows,
             database.cached("DELETE FROM documents WHERE key>=? AND key<?"));
  rows->bind(1, index.number << 32).bind(2, (index.number + 1) << 32);
  return rows->run();
}

Result<void> for_each_document(
    sqlite::Database& database, const Index& index,
    const std::function<Result<void>(DocumentNumber, std::string_view)>& each) {
  MIROIR_TRY(
      sqlite::Statement rows,
      database.prepare("SELECT key,body FROM documents WHERE key>=? AND key<? ORDER BY key"));
  rows.bind(1, index.number << 32).bind(2, (index.number + 1) << 32);
  while (true) {
    MIROIR_TRY(const bool row, rows.step());
    if (!row) return {};
    MIROIR_CHECK(each(static_cast<DocumentNumber>(rows.int64(0) & 0xFFFFFFFF), rows.text(1)));
  }
}

Result<std::map<std::string, Column, std::less<>>> build_columns(sqlite::Database& database,
                                                                 const Index& index,
                                                                 const FieldRules& rules) {
  Changes changes;
  IndexedFields indexed(rules);
  const std::function<bool(std::string_view)> wanted = std::ref(indexed);
  MIROIR_CHECK(for_each_document(database, index,
                                 [&](DocumentNumber number, std::string_view text) -> Result<void> {
                                   MIROIR_TRY(const Json document, parse_json(text));
                                   for (const auto& [field, values] : flatten(document, wanted))
                                     changes[field].add(number, values);
                                   return {};
                                 }));
  return columns_of(std::move(changes));
}

}  // namespace miroir::node
