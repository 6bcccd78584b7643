#include "node/text_index.h"

#include <algorithm>

#include "meili/filterable.h"
#include "node/field_rules.h"

namespace miroir::node {
namespace {

// An attribute covers what is inside it: "author" has "author.name".
bool is_field_or_pattern(std::string_view attribute, std::string_view field) {
  if (attribute.contains('*')) return meili::matches_pattern(attribute, field);
  return field.starts_with(attribute) &&
         (field.size() == attribute.size() || field[attribute.size()] == '.');
}

using Texts = std::array<std::string, kTextColumns>;

std::string table_of(std::int64_t index_number) { return "text_" + std::to_string(index_number); }

Texts texts_of(const Json& document, const SearchedFields& fields, const Words& words) {
  Texts texts;
  fields.for_each_text(document, [&](const std::string&, std::size_t column,
                                     std::string_view text) { words.append(texts[column], text); });
  return texts;
}

Result<void> write_row(sqlite::Database& database, const std::string& sql, DocumentNumber number,
                       const Texts& texts) {
  MIROIR_TRY(sqlite::Statement* const row, database.cached(sql));
  row->bind(1, std::int64_t{number});
  for (std::size_t i = 0; i < texts.size(); ++i)
    row->bind_static(static_cast<int>(i) + 2, texts[i]);
  return row->run();
}

bool same_member(const Json& a, const Json& b, std::string_view name) {
  const Json* first = a.find(name);
  const Json* second = b.find(name);
  if (first == nullptr || second == nullptr) return first == second;
  return *first == *second;
}

constexpr std::string_view kColumnNames = "f0,f1,f2,f3,f4,f5,f6,f7";

}  // namespace

SearchedFields::SearchedFields(const Json& settings) {
  const Json* searchable = settings.find("searchableAttributes");
  if (searchable == nullptr || !searchable->is_array()) return;
  for (const Json& attribute : searchable->as_array()) attributes_.push_back(attribute.as_string());
  all_ = attributes_.size() == 1 && attributes_.front() == "*";
  if (!all_) columns_ = std::clamp<std::size_t>(attributes_.size(), 1, kTextColumns);
}

std::optional<std::size_t> SearchedFields::column(std::string_view field) const {
  if (all_) return 0;
  for (std::size_t i = 0; i < attributes_.size(); ++i) {
    if (is_field_or_pattern(attributes_[i], field)) return std::min(i, kTextColumns - 1);
  }
  return std::nullopt;
}

Result<void> create_text_index(sqlite::Database& database, std::int64_t index_number) {
  const std::string table = table_of(index_number);
  MIROIR_CHECK(database.execute("CREATE VIRTUAL TABLE " + table + " USING fts5(" +
                                std::string(kColumnNames) +
                                ",content='',detail=column,columnsize=0,tokenize='ascii')"));
  // Bigger pieces are written in fewer and cheaper merges.
  return database.execute("INSERT INTO " + table + "(" + table +
                          ",rank) VALUES('hashsize',33554432)");
}

Result<void> drop_text_index(sqlite::Database& database, std::int64_t index_number) {
  return database.execute("DROP TABLE IF EXISTS " + table_of(index_number));
}

Result<void> update_text_index(sqlite::Database& database, const Index& index,
                               DocumentNumber number, const Json* before, const Json* after) {
  const SearchedFields fields(index.settings);
  const Words words(index.settings);
  std::optional<Texts> old_texts;
  std::optional<Texts> new_texts;
  if (before != nullptr) old_texts = texts_of(*before, fields, words);
  if (after != nullptr) new_texts = texts_of(*after, fields, words);
  if (old_texts == new_texts) return {};
  const std::string table = table_of(index.number);
  const std::string columns(kColumnNames);
  if (old_texts) {
    MIROIR_CHECK(write_row(database,
                           "INSERT INTO " + table + "(" + table + ",rowid," + columns +
                               ") VALUES('delete',?,?,?,?,?,?,?,?,?)",
                           number, *old_texts));
  }
  if (new_texts) {
    MIROIR_CHECK(write_row(
        database, "INSERT INTO " + table + "(rowid," + columns + ") VALUES(?,?,?,?,?,?,?,?,?)",
        number, *new_texts));
  }
  return {};
}

bool same_words(const Json& settings_before, const Json& settings_after) {
  for (const std::string_view name :
       {"searchableAttributes", "separatorTokens", "nonSeparatorTokens"}) {
    if (!same_member(settings_before, settings_after, name)) return false;
  }
  return true;
}

Result<DocumentSet> documents_with(sqlite::Database& database, const Index& index,
                                   std::string_view word, bool prefix,
                                   std::optional<std::size_t> column) {
  const std::string table = table_of(index.number);
  std::string query = column ? "f" + std::to_string(*column) + " : " : "";
  query += '"' + std::string(word) + '"';  // words hold no quotes
  if (prefix) query += " *";
  MIROIR_TRY(sqlite::Statement* const rows,
             database.cached("SELECT rowid FROM " + table + " WHERE " + table + " MATCH ?"));
  rows->bind(1, query);
  DocumentSet documents;
  while (true) {
    MIROIR_TRY(const bool more, rows->step());
    if (!more) return documents;
    documents.insert(static_cast<DocumentNumber>(rows->int64(0)));
  }
}

}  // namespace miroir::node
