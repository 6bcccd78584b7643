#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace miroir {

// Work on the raw text of documents, without parsing them into values and printing them again: what
// a client wrote reaches the node byte for byte, but for the stored fields.

enum class BodyFormat { kJson, kNdjson };

// Calls `each` with the text of every document of a request body: an array of objects, one object,
// or one object a line. Every document is fully validated (a document that parses is one that a
// node would accept as JSON). Stops at the first error, of `each` or of the text, which names the
// document's number and the byte. Views live as long as `body`. Needs memory for one document at a
// time.
Result<void> for_each_document(std::string_view body, BodyFormat format,
                               const std::function<Result<void>(std::string_view document)>& each);

// One top-level member of a document. Views into the document's text.
struct FieldView {
  std::string key;         // unescaped
  std::string_view raw;    // from the key's opening quote to the end of the value
  std::string_view value;  // the value's text
};
// The top-level members in order, of a valid object. A key given twice appears twice (the last one
// counts).
Result<std::vector<FieldView>> top_level_fields(std::string_view document);

// A member to add: key and value are JSON text of plain ASCII that needs no escaping.
struct StoredField {
  std::string_view key;
  std::string value;  // JSON text, quotes included
};
// Appends to `out` the document with those members added at its end, everything else untouched.
// Asserts nothing of the document's own members: whoever calls has refused reserved ones.
void append_spliced(std::string& out, std::string_view document,
                    const std::vector<StoredField>& fields);

// Appends to `out` the document without the top-level members for which `drop` says so.
Result<void> append_without(std::string& out, std::string_view document,
                            const std::function<bool(std::string_view key)>& drop);

// The same document with every decimal printed so that a node reads exactly the double that it
// stands for, and integers as they are. For writing back what was read from a node.
Result<std::string> for_writing_back(std::string_view document);

// The double that a node's parser makes of a JSON number's text; infinite where it refuses it.
double read_as_node(std::string_view number);
// A text that a node reads as this double: the shortest if that does, and one is found for every
// double that a node can hold. (Some doubles are no text's reading: those get the shortest.)
std::string text_for_node(double value);

// A JSON value as a document id (Meilisearch's rules: u64/i64, or a string of 1-511 bytes of A-Z
// a-z 0-9 - _); `text` is the value's JSON text. The string form: `1` and `"1"` are one document.
Result<std::string> document_id(std::string_view text);

}  // namespace miroir
