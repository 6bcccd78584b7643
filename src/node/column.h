#pragma once

#include <compare>
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

// A string as filters compare it: trimmed, NFKD, lower case.
std::string normalise_facet(std::string_view text);
// A string as columns hold it: normalised, and cut at 468 bytes. Longer values are never equal to
// what is asked for.
std::string facet_key(std::string_view text);

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
  std::map<std::string, StringValue, std::less<>> strings;  // by facet_key
  DocumentSet exists;
  DocumentSet null;
  DocumentSet empty;
};

// The changes of one column by a batch of documents, in their order.
class ColumnChange {
 public:
  void remove(DocumentNumber document, const FieldValues& values);
  void add(DocumentNumber document, const FieldValues& values);
  void apply(Column& column) &&;

 private:
  struct Step {
    DocumentNumber document;
    std::size_t order;
    bool add;
    auto operator<=>(const Step&) const = default;
  };
  struct Delta {
    void push(DocumentNumber document, bool add) { steps.push_back({document, steps.size(), add}); }
    std::vector<Step> steps;
    std::string spelling;
  };
  struct Flags {
    bool exists = false;
    bool null = false;
    bool empty = false;
  };
  static void apply_to(Postings& documents, std::vector<Step> steps);

  std::unordered_map<double, Delta> numbers_;
  std::unordered_map<std::string, Delta> strings_;  // by facet key
  std::vector<std::pair<DocumentNumber, Flags>> flags_;
};

// All fields of a document that `wanted` accepts, flattened: {"a":{"b":1}} has the fields "a" and
// "a.b".
std::vector<std::pair<std::string, FieldValues>> flatten(
    const Json& document, const std::function<bool(std::string_view field)>& wanted);

}  // namespace miroir::node
