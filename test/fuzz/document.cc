// Documents as bytes against the reference: the parser of values and the walk over raw text take
// the same texts and find the same in them; what is spliced in comes out again and nothing else
// with it; what is written back is read by a node as the values it stands for. Input: a byte that
// chooses, and a text.
#include "base/document.h"

#include <algorithm>
#include <functional>

#include "base/content_hash.h"
#include "base/json_scan.h"
#include "base/reference_json_fake.h"
#include "fuzz/fuzz.h"
#include "node_api/stored_fields.h"

namespace miroir {
namespace {

using fuzz::expect;
using Type = ReferenceValue::Type;

ReferenceValue tree_of(const Json& json) {
  // Its own printing is exact, and one of the ways that the reference reads.
  auto parsed = reference_parse(to_text(json), DecimalReading::kNearest);
  expect(parsed.has_value(), "what is printed is JSON", to_text(json));
  return std::move(parsed->value);
}

void check_parser(std::string_view text) {
  for (const DecimalReading reading : {DecimalReading::kNode, DecimalReading::kNearest}) {
    const auto json = parse_json(text, reading);
    const auto reference = reference_parse(text, reading);
    const bool good =
        reference && is_utf8(text) && reference->depth <= kJsonDepthMax && !reference->infinite;
    expect(json.has_value() == good, "parser and reference take the same texts", text,
           json ? "" : json.error().message);
    if (good)
      expect(canonical(tree_of(*json)) == canonical(reference->value), "the parser's values", text);
  }
}

std::string without(std::string_view document, const std::function<bool(std::string_view)>& drop) {
  std::string out;
  const auto done = append_without(out, document, drop);
  expect(done.has_value(), "a document can be walked", document);
  return out;
}

bool is_ours(std::string_view key) { return is_reserved(key, FieldNames()); }

void check_splice(std::string_view document) {
  const auto fields = top_level_fields(document);
  expect(fields.has_value(), "a document has fields", document);
  if (std::ranges::any_of(*fields, [](const FieldView& field) { return is_ours(field.key); }))
    return;

  std::string spliced;
  append_stored(spliced, document,
                fields_of_whole_write("id", 1'700'000'000'000'000, 7, FieldNames()), FieldNames());
  expect(reference_parse(spliced, DecimalReading::kNode).has_value(), "what is spliced is JSON",
         spliced);
  const auto none = [](std::string_view) { return false; };
  expect(without(spliced, is_ours) == without(document, none), "stripped, it is what it was",
         document, spliced);
  const auto more = top_level_fields(spliced);
  expect(more && more->size() == fields->size() + 7, "seven fields were added", spliced);
  for (std::size_t i = 0; i < fields->size(); ++i) {
    expect((*more)[i].raw == (*fields)[i].raw, "every field as it was", document, spliced);
  }
  expect(*content_hash(document, DecimalReading::kNearest, nullptr) ==
             *content_hash_of_copy(spliced, FieldNames()),
         "stored fields do not count", document, spliced);
}

void check_fields(std::string_view document, const ReferenceValue& reference) {
  const auto fields = top_level_fields(document);
  expect(fields.has_value(), "a document has fields", document);
  ReferenceValue seen;
  seen.type = Type::kObject;
  for (const FieldView& field : *fields) {
    auto value = reference_parse(field.value, DecimalReading::kNode);
    expect(value.has_value(), "a field's value is one", field.value);
    seen.members[field.key] = std::move(value->value);
  }
  expect(canonical(seen) == canonical(reference), "its fields are the document", document);
}

// As if a node held it: its readings of the decimals, printed to the nearest.
void check_writing_back(const ReferenceValue& held) {
  Random random(xxh3_64(canonical(held)));
  const std::string answered = ReferenceWriter(random, DecimalReading::kNearest).text(held);
  const auto written = for_writing_back(answered);
  expect(written.has_value(), "what a node answers can be written back", answered);
  const auto read = reference_parse(*written, DecimalReading::kNode);
  expect(read && canonical(read->value) == canonical(held), "a node reads what it held", answered,
         *written);
}

void check_document(std::string_view document) {
  const auto reference = reference_parse(document, DecimalReading::kNode);
  expect(reference && reference->value.type == Type::kObject && !reference->infinite &&
             reference->depth <= kDocumentDepthMax,
         "a document is one that a node takes", document);
  check_fields(document, reference->value);
  check_splice(document);
  check_writing_back(reference->value);
}

void check_body(std::string_view text, BodyFormat format) {
  std::vector<std::string_view> documents;
  const auto walked =
      for_each_document(text, format, [&](std::string_view document) -> Result<void> {
        documents.push_back(document);
        return {};
      });
  for (const std::string_view document : documents) check_document(document);
  if (format == BodyFormat::kJson) {
    const auto reference = reference_parse(text, DecimalReading::kNode);
    const bool array = reference && reference->value.type == Type::kArray;
    const bool objects =
        reference && (array ? std::ranges::all_of(reference->value.elements,
                                                  [](const ReferenceValue& each) {
                                                    return each.type == Type::kObject;
                                                  })
                            : reference->value.type == Type::kObject);
    const bool good = objects && is_utf8(text) && !reference->infinite &&
                      reference->depth <= kDocumentDepthMax + (array ? 1 : 0);
    expect(walked.has_value() == good, "body and reference take the same texts", text,
           walked ? "" : walked.error().message);
    if (good)
      expect(documents.size() == (array ? reference->value.elements.size() : 1), "every document",
             text);
  } else if (walked) {
    std::size_t at = 0;
    const auto space_until = [&](std::size_t end) {
      expect(text.substr(at, end - at).find_first_not_of(" \t\r\n") == text.npos,
             "nothing is passed over", text);
    };
    for (const std::string_view document : documents) {
      const auto start = static_cast<std::size_t>(document.data() - text.data());
      space_until(start);
      at = start + document.size();
    }
    space_until(text.size());
  }
}

}  // namespace
}  // namespace miroir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  if (size == 0) return 0;
  const std::string_view text = fuzz::text_of(data + 1, size - 1);
  check_parser(text);
  check_body(text, data[0] == 'n' ? BodyFormat::kNdjson : BodyFormat::kJson);
  return 0;
}
