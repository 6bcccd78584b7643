#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "node/column.h"
#include "node/document_set.h"
#include "node/field_rules.h"

namespace miroir::node {

// One index in memory: everything but the documents' texts and their words, which are in the
// database. Built from it at start; changed only by the worker, while it holds the catalogue's
// lock; read under that lock (engine.h).
struct Index {
  std::int64_t number = 0;  // its key in the database, whatever it is called
  std::string uid;
  std::optional<std::string> primary_key;
  WallTime created_at;
  WallTime updated_at;
  Json settings;  // complete, as GET …/settings answers
  FieldRules rules;

  // Names of top-level fields in the order of their first appearance: the order of keys in answers.
  std::vector<std::string> fields;
  std::unordered_map<std::string, std::size_t> field_order;

  DocumentSet documents;
  std::unordered_map<std::string, DocumentNumber> numbers;  // by id
  DocumentNumber number_end = 0;                            // above every number in use
  std::vector<DocumentNumber> free_numbers;
  std::map<std::string, std::uint64_t> field_distribution;
  std::uint64_t raw_bytes = 0;  // of all documents' texts

  std::map<std::string, Column, std::less<>>
      columns;  // of indexed fields (FieldRules) that documents hold

  const Column* column(std::string_view field) const {
    const auto found = columns.find(field);
    return found == columns.end() ? nullptr : &found->second;
  }
};

}  // namespace miroir::node
