#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/json.h"
#include "node/document_set.h"

namespace miroir::node {

// A string as filters, facets and sorts compare it: trimmed, NFKD, lower case, cut at 468 bytes.
std::string normalise_facet(std::string_view text);

// Documents that hold one value of a field, rising.
using Postings = std::vector<DocumentNumber>;

struct StringValue {
  Postings documents;
  std::string spelling;  // as it was written where it came first
};

// What one document holds in one field, its objects' and arrays' inside flattened.
struct FieldValues {
  std::vector<double> numbers;
  std::vector<std::string> strings;  // as written; booleans are "true" and "false"
  bool exists = false;
  bool null = false;
  bool empty = false;  // "", [] or {}
};

// The values of one field of an index, in memory, by value: filters are lookups and ranges, facets
// are the postings' sizes, a sort is a walk. Numbers come before strings. Changes are collected and
// then applied at once: with the postings as sorted vectors one by one would be quadratic.
struct Column {
  std::map<double, Postings> numbers;
  std::map<std::string, StringValue, std::less<>> strings;  // by normalised value
  DocumentSet exists;
  DocumentSet null;
  DocumentSet empty;
};

// The changes of one column by a batch of documents.
class ColumnChange {
 public:
  void remove(DocumentNumber document, const FieldValues& values);
  void add(DocumentNumber document, const FieldValues& values);
  void apply(Column& column) &&;

 private:
  struct Delta {
    Postings removed;
    Postings added;
    std::string spelling;
  };
  std::unordered_map<double, Delta> numbers_;
  std::unordered_map<std::string, Delta> strings_;
  std::vector<std::pair<DocumentNumber, FieldValues>>
      flags_;  // without values; the last of a document counts
};

// All fields of a document that `wanted` accepts, flattened: {"a":{"b":1}} has the fields "a" and
// "a.b".
std::vector<std::pair<std::string, FieldValues>> flatten(
    const Json& document, const std::function<bool(std::string_view field)>& wanted);

}  // namespace miroir::node
