#include "meili/payload.h"

#include <charconv>
#include <optional>
#include <vector>

#include "base/json.h"

namespace miroir::meili {
namespace {

constexpr std::string_view kTypes = "`application/json`, `application/x-ndjson`, `text/csv`";

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view essence(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

ApiError missing_type(std::string_view accepted) {
  return api_error("missing_content_type",
                   "A Content-Type header is missing. Accepted values for the Content-Type "
                   "header are: " +
                       std::string(accepted));
}

ApiError invalid_type(std::string_view type, std::string_view accepted) {
  return api_error("invalid_content_type",
                   "The Content-Type `" + std::string(type) +
                       "` is invalid. Accepted values for the Content-Type header are: " +
                       std::string(accepted));
}

ApiError malformed_csv(const std::string& reason) {
  return malformed_payload(PayloadFormat::kCsv, Error{ErrorCode::kInvalid, reason});
}

enum class ColumnType { kString, kNumber, kBoolean };
struct Column {
  std::string key;  // quoted
  ColumnType type;
};

// Reads records of RFC 4180: quoted fields may hold delimiters, line breaks and doubled quotes.
// Blank lines are none.
class CsvReader {
 public:
  CsvReader(std::string_view text, char delimiter) : rest_(text), delimiter_(delimiter) {}

  bool next(std::vector<std::string>& record) {
    while (!rest_.empty() && (rest_.front() == '\n' || rest_.front() == '\r'))
      rest_.remove_prefix(1);
    record.clear();
    if (rest_.empty()) return false;
    while (true) {
      record.push_back(field());
      if (rest_.empty()) return true;
      const char end = rest_.front();
      rest_.remove_prefix(1);
      if (end != delimiter_) return true;
    }
  }

 private:
  bool ends_field(char c) const { return c == delimiter_ || c == '\n' || c == '\r'; }

  std::string field() {
    std::string value;
    bool quoted = !rest_.empty() && rest_.front() == '"';
    if (quoted) rest_.remove_prefix(1);
    while (!rest_.empty()) {
      const char c = rest_.front();
      if (quoted && c == '"') {
        rest_.remove_prefix(1);
        if (rest_.empty() || rest_.front() != '"') {
          quoted = false;
          continue;
        }
      } else if (!quoted && ends_field(c)) {
        break;
      }
      value += c;
      rest_.remove_prefix(1);
    }
    return value;
  }

  std::string_view rest_;
  char delimiter_;
};

Column column_of(std::string_view header) {
  std::string key;
  const std::size_t colon = header.rfind(':');
  const std::string_view type = colon == std::string_view::npos ? "" : header.substr(colon + 1);
  if (type == "number" || type == "boolean" || type == "string") header = header.substr(0, colon);
  append_quoted(key, header);
  return {std::move(key), type == "number"    ? ColumnType::kNumber
                          : type == "boolean" ? ColumnType::kBoolean
                                              : ColumnType::kString};
}

std::optional<std::string> number_text(std::string_view text) {
  const char* end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, integer);
      error == std::errc() && stop == end) {
    return std::to_string(integer);
  }
  double number = 0;
  if (const auto [stop, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && stop == end) {
    return to_text(Json(number));
  }
  return std::nullopt;
}

}  // namespace

std::string_view name(PayloadFormat format) {
  switch (format) {
    case PayloadFormat::kJson:
      return "json";
    case PayloadFormat::kNdjson:
      return "ndjson";
    default:
      return "csv";
  }
}

std::expected<PayloadFormat, ApiError> payload_format(const std::string* content_type,
                                                      const std::string* csv_delimiter) {
  if (content_type == nullptr) return std::unexpected(missing_type(kTypes));
  const std::string_view type = essence(*content_type);
  if (type == "text/csv") return PayloadFormat::kCsv;
  if (type != "application/json" && type != "application/x-ndjson") {
    return std::unexpected(invalid_type(type, kTypes));
  }
  if (csv_delimiter != nullptr) {
    return std::unexpected(
        api_error("invalid_content_type",
                  "The Content-Type `" + std::string(type) +
                      "` does not support the use of a csv delimiter. The csv delimiter can "
                      "only be used with the Content-Type `text/csv`."));
  }
  return type == "application/json" ? PayloadFormat::kJson : PayloadFormat::kNdjson;
}

std::expected<void, ApiError> expect_json(const std::string* content_type) {
  if (content_type == nullptr) return std::unexpected(missing_type("`application/json`"));
  const std::string_view type = essence(*content_type);
  if (type != "application/json") return std::unexpected(invalid_type(type, "`application/json`"));
  return {};
}

std::expected<char, ApiError> csv_delimiter_of(const std::string* csv_delimiter) {
  if (csv_delimiter == nullptr) return ',';
  const std::string start = "Invalid value in parameter `csvDelimiter`: expected ";
  if (csv_delimiter->empty()) {
    return std::unexpected(
        api_error("invalid_document_csv_delimiter",
                  start + "a string of one character, but found an empty string"));
  }
  if (csv_delimiter->size() != 1) {
    return std::unexpected(api_error(
        "invalid_document_csv_delimiter",
        start + "a string of one character, but found the following string of " +
            std::to_string(csv_delimiter->size()) + " characters: `" + *csv_delimiter + "`"));
  }
  return csv_delimiter->front();
}

std::expected<std::string, ApiError> csv_to_ndjson(std::string_view body, char delimiter) {
  CsvReader reader(body, delimiter);
  std::vector<std::string> record;
  std::vector<Column> columns;
  if (reader.next(record)) {
    for (const std::string& header : record) columns.push_back(column_of(header));
  }
  std::string documents;
  for (std::size_t line = 1; reader.next(record); ++line) {
    if (record.size() != columns.size()) {
      return std::unexpected(malformed_csv("CSV error: record " + std::to_string(line) +
                                           ": found record with " + std::to_string(record.size()) +
                                           " fields, but the previous record has " +
                                           std::to_string(columns.size()) + " fields"));
    }
    for (std::size_t i = 0; i < columns.size(); ++i) {
      documents += i == 0 ? "{" : ",";
      documents += columns[i].key;
      documents += ':';
      const std::string_view value = trim(record[i]);
      if (columns[i].type == ColumnType::kString) {
        if (record[i].empty()) {
          documents += "null";
        } else {
          append_quoted(documents, record[i]);
        }
      } else if (value.empty()) {
        documents += "null";
      } else if (columns[i].type == ColumnType::kBoolean) {
        if (value != "true" && value != "false") {
          return std::unexpected(malformed_csv("Error parsing boolean \"" + record[i] +
                                               "\" at line " + std::to_string(line) +
                                               ": provided string was not `true` or `false`"));
        }
        documents += value;
      } else {
        const auto number = number_text(value);
        if (!number) {
          return std::unexpected(malformed_csv("Error parsing number \"" + record[i] +
                                               "\" at line " + std::to_string(line) +
                                               ": invalid float literal"));
        }
        documents += *number;
      }
    }
    documents += "}\n";
  }
  return documents;
}

ApiError missing_payload(PayloadFormat format) {
  return api_error("missing_payload", "A " + std::string(name(format)) + " payload is missing.");
}

ApiError malformed_payload(PayloadFormat format, const Error& error) {
  const std::string start = "The `" + std::string(name(format)) + "` payload provided is malformed";
  if (format == PayloadFormat::kCsv)
    return api_error("malformed_payload", start + ": `" + error.message + "`.");
  return api_error("malformed_payload",
                   start + ". `Couldn't serialize document value: " + error.message + "`.");
}

}  // namespace miroir::meili
