#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "node/index.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

// What one batch does to the documents of one index. Texts and words are written to the database as
// it goes, inside the caller's transaction; what the memory must learn is collected, and applied
// after the commit, under the catalogue's lock. Dropped, it leaves no trace but in the transaction.
class IndexChange {
 public:
  // `index` is not changed before apply().
  IndexChange(const Index& index, sqlite::Database& database);

  // Whether the document is there, after the changes so far.
  bool contains(const std::string& id) const { return number_of(id).has_value(); }

  Result<void> replace(const std::string& id, Json document);
  // Top-level members over what is there.
  Result<void> merge(const std::string& id, Json fields);
  // False where it was not there.
  Result<bool> erase(const std::string& id);

  // Saves the index's row. The last act before the commit.
  Result<void> finish(WallTime now);
  void apply(Index& index) &&;

 private:
  std::optional<DocumentNumber> number_of(const std::string& id) const;
  DocumentNumber take_number();
  void order_fields(Json& document);
  Result<void> change(DocumentNumber number, const Json* before, const Json* after,
                      std::string_view before_text);
  bool indexed(std::string_view field);

  const Index& index_;
  sqlite::Database& database_;
  bool keeps_vectors_;

  struct Place {
    DocumentNumber number;
    bool present;
  };
  std::unordered_map<std::string, Place> places_;  // of the documents that changed
  std::size_t free_used_ = 0;
  DocumentNumber number_end_;
  std::vector<std::string> new_fields_;
  std::unordered_map<std::string, std::size_t> new_field_order_;
  std::map<std::string, std::int64_t> distribution_;
  std::int64_t raw_bytes_ = 0;
  std::map<std::string, ColumnChange, std::less<>> columns_;
  std::map<std::string, bool, std::less<>> indexed_;
  WallTime updated_at_;
};

}  // namespace miroir::node
