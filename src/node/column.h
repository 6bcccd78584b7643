#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "node/document_set.h"

namespace miroir::node {

// A string as columns hold it: as filters compare it (meili/facet_value.h), and cut at 468 bytes.
// Longer values are never equal to what is asked for.
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
  // A value that a document gained or lost.
  template <class Key>
  struct Step {
    Key key;
    DocumentNumber document;
    bool add;
    std::string spelling;  // of added strings
  };
  template <class Key>
  using Steps = std::vector<Step<Key>>;
  struct Flags {
    bool exists = false;
    bool null = false;
    bool empty = false;
  };
  template <class Values, class Key>
  static void apply_steps(Values& values, Steps<Key> steps);

  Steps<double> numbers_;
  Steps<std::string> strings_;  // by facet key
  std::vector<std::pair<DocumentNumber, Flags>> flags_;
};

// All fields of a document that `wanted` accepts, flattened: {"a":{"b":1}} has the fields "a" and
// "a.b".
std::vector<std::pair<std::string, FieldValues>> flatten(
    const Json& document, const std::function<bool(std::string_view field)>& wanted);

}  // namespace miroir::node
