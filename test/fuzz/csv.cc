// CSV into documents: what is taken is NDJSON that a node takes, with every column in every
// document, and a table written as CSV comes out as it was. Input: a byte that chooses the
// delimiter, and the body.
#include "base/document.h"
#include "base/json_scan.h"
#include "fuzz/fuzz.h"
#include "meili/payload.h"

namespace miroir {
namespace {

using fuzz::expect;

// A field in quotes, whatever it holds.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? "\"\"" : std::string(1, c);
  return out + "\"";
}

std::vector<std::vector<FieldView>> rows_of(std::string_view ndjson, std::string_view body) {
  std::vector<std::vector<FieldView>> rows;
  const auto walked = for_each_document(
      ndjson, BodyFormat::kNdjson, [&](std::string_view document) -> Result<void> {
        auto fields = top_level_fields(document);
        expect(fields.has_value(), "a row is a document", body, ndjson);
        rows.push_back(std::move(*fields));
        return {};
      });
  expect(walked.has_value(), "rows are NDJSON", body, ndjson, walked ? "" : walked.error().message);
  return rows;
}

void check(std::string_view body, char delimiter) {
  const auto ndjson = meili::csv_to_ndjson(body, delimiter);
  if (!ndjson || !is_utf8(body)) return;
  const auto rows = rows_of(*ndjson, body);
  if (rows.empty()) return;

  std::string table;
  for (const FieldView& field : rows[0]) table += quoted(field.key + ":string") + delimiter;
  table.back() = '\n';
  for (const auto& row : rows) {
    expect(row.size() == rows[0].size(), "every column", body, *ndjson);
    for (const FieldView& field : row) {
      const bool text = field.value.starts_with('"');
      table += (text ? quoted(unescape_string(field.value)) : "") + delimiter;
    }
    table.back() = '\n';
  }
  const auto again = meili::csv_to_ndjson(table, delimiter);
  expect(again.has_value(), "a table can be read", table, again ? "" : again.error().message);
  // A row of one empty field is a blank line, which is none.
  if (rows[0].size() == 1) return;
  const auto rows_again = rows_of(*again, table);
  expect(rows_again.size() == rows.size(), "as many rows", table, *again);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < rows[i].size(); ++j) {
      const FieldView& before = rows[i][j];
      const FieldView& after = rows_again[i][j];
      const std::string_view value = before.value.starts_with('"') ? before.value : "null";
      expect(after.key == before.key && after.value == value, "a table comes out as it was", table,
             *again);
    }
  }
}

}  // namespace
}  // namespace miroir

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  miroir::check(miroir::fuzz::text_of(data + 1, size - 1), ",;\t|"[data[0] % 4]);
  return 0;
}
