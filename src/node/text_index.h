#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "node/index.h"
#include "node/text_words.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

// The words of an index's documents: one contentless FTS5 table `text_<index number>`. It knows
// which words a document has in which column, not where: phrases are looked up in the documents.
// Columns are the first searchable attributes in their order, the last column all the rest; where
// every attribute is searchable there is only the first, because the order of fields is not the
// same on two nodes and must not count.
inline constexpr std::size_t kTextColumns = 8;

// Which texts of a document are searched, and in which column they are.
class SearchedFields {
 public:
  explicit SearchedFields(const Json& settings);
  // nullopt: not searchable. `field` is dotted.
  std::optional<std::size_t> column(std::string_view field) const;
  // How many columns are in use.
  std::size_t columns() const { return columns_; }
  // Calls each(field, column, text) for every string, number and boolean that is searched.
  template <class Each>
  void for_each_text(const Json& document, Each each) const {
    for (const auto& [key, value] : document.as_object()) {
      if (key != "_vectors" && key != "_geo") walk(key, value, each);
    }
  }

 private:
  template <class Each>
  void walk(const std::string& field, const Json& value, const Each& each) const {
    if (value.is_object()) {
      for (const auto& [key, member] : value.as_object()) walk(field + "." + key, member, each);
    } else if (value.is_array()) {
      for (const Json& element : value.as_array()) walk(field, element, each);
    } else if (!value.is_null()) {
      const auto place = column(field);
      if (!place) return;
      if (value.is_string()) {
        each(field, *place, std::string_view(value.as_string()));
      } else {
        each(field, *place, std::string_view(to_text(value)));
      }
    }
  }

  bool all_ = true;
  std::vector<std::string> attributes_;
  std::size_t columns_ = 1;
};

Result<void> create_text_index(sqlite::Database& database, std::int64_t index_number);
Result<void> drop_text_index(sqlite::Database& database, std::int64_t index_number);
// `before` and `after` are whole documents, null where absent.
Result<void> update_text_index(sqlite::Database& database, const Index& index,
                               DocumentNumber number, const Json* before, const Json* after);
// Whether the words of documents are the same under both settings.
bool same_words(const Json& settings_before, const Json& settings_after);

// The documents that have the word (or one that begins with it) in that column, or, nullopt, in
// any.
Result<DocumentSet> documents_with(sqlite::Database& database, const Index& index,
                                   std::string_view word, bool prefix,
                                   std::optional<std::size_t> column);

}  // namespace miroir::node
