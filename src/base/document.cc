#include "base/document.h"

#include <charconv>
#include <cmath>

#include "base/json_scan.h"

namespace miroir {
namespace {

Error in_document(std::size_t number, Error error) {
  return std::move(error).with_context("document " + std::to_string(number));
}

// One document where the scanner stands.
Result<void> take_document(JsonScanner& scanner, std::size_t number,
                           const std::function<Result<void>(std::string_view)>& each) {
  scanner.skip_space();
  if (scanner.peek() != '{')
    return std::unexpected(in_document(number, scanner.error("expected an object").error()));
  auto document = scanner.value();
  if (!document) return std::unexpected(in_document(number, std::move(document).error()));
  return each(*document);
}

Result<void> each_of_array(JsonScanner& scanner,
                           const std::function<Result<void>(std::string_view)>& each) {
  scanner.take('[');
  scanner.skip_space();
  if (scanner.take(']')) return {};
  for (std::size_t number = 1;; ++number) {
    MIROIR_CHECK(take_document(scanner, number, each));
    scanner.skip_space();
    if (scanner.take(']')) return {};
    if (!scanner.take(',')) return scanner.error("expected `,` or `]`");
  }
}

// A plain walk over the members of an object that is known to be valid.
Result<void> each_member(
    std::string_view document,
    const std::function<Result<void>(std::string_view key, std::string_view raw,
                                     std::string_view value)>& each) {
  JsonScanner scanner(document);
  scanner.skip_space();
  if (!scanner.take('{')) return scanner.error("expected an object");
  scanner.skip_space();
  if (scanner.take('}')) return {};
  while (true) {
    scanner.skip_space();
    const std::size_t start = scanner.at();
    MIROIR_TRY(const std::string_view key, scanner.string());
    scanner.skip_space();
    if (!scanner.take(':')) return scanner.error("expected `:`");
    MIROIR_TRY(const std::string_view value, scanner.value());
    MIROIR_CHECK(each(key, document.substr(start, scanner.at() - start), value));
    scanner.skip_space();
    if (scanner.take('}')) return {};
    if (!scanner.take(',')) return scanner.error("expected `,` or `}`");
  }
}

std::string unescaped_key(std::string_view quoted) {
  if (quoted.find('\\') == std::string_view::npos) {
    return std::string(quoted.substr(1, quoted.size() - 2));
  }
  return unescape_string(quoted);
}

}  // namespace

Result<void> for_each_document(std::string_view body, BodyFormat format,
                               const std::function<Result<void>(std::string_view document)>& each) {
  if (!is_utf8(body)) return fail(ErrorCode::kInvalid, "malformed JSON: invalid UTF-8");
  JsonScanner scanner(body, ScanRules::kNodeDocument);
  scanner.skip_space();
  if (format == BodyFormat::kNdjson) {
    for (std::size_t number = 1; !scanner.at_end(); ++number) {
      MIROIR_CHECK(take_document(scanner, number, each));
      scanner.skip_space();
    }
    return {};
  }
  if (scanner.peek() == '[') {
    MIROIR_CHECK(each_of_array(scanner, each));
  } else {
    MIROIR_CHECK(take_document(scanner, 1, each));
  }
  scanner.skip_space();
  if (!scanner.at_end()) return scanner.error("trailing text");
  return {};
}

Result<std::vector<FieldView>> top_level_fields(std::string_view document) {
  std::vector<FieldView> fields;
  MIROIR_CHECK(each_member(
      document,
      [&](std::string_view key, std::string_view raw, std::string_view value) -> Result<void> {
        fields.push_back({unescaped_key(key), raw, value});
        return {};
      }));
  return fields;
}

void append_spliced(std::string& out, std::string_view document,
                    const std::vector<StoredField>& fields) {
  const std::size_t close = document.find_last_of('}');
  const std::size_t last = document.find_last_not_of(" \t\r\n", close - 1);
  const bool empty = document[last] == '{';
  out.append(document, 0, close);
  const char* comma = empty ? "" : ",";
  for (const StoredField& field : fields) {
    out += comma;
    out += '"';
    out += field.key;
    out += "\":";
    out += field.value;
    comma = ",";
  }
  out += '}';
}

Result<void> append_without(std::string& out, std::string_view document,
                            const std::function<bool(std::string_view key)>& drop) {
  const std::size_t start = out.size();
  out += '{';
  auto walked = each_member(
      document, [&](std::string_view key, std::string_view raw, std::string_view) -> Result<void> {
        if (drop(unescaped_key(key))) return {};
        if (out.size() > start + 1) out += ',';
        out += raw;
        return {};
      });
  if (!walked) {
    out.resize(start);
    return walked;
  }
  out += '}';
  return {};
}

Result<std::string> for_writing_back(std::string_view document) {
  // Outside strings, a number is whatever begins with a digit or a minus.
  std::string out;
  out.reserve(document.size() + 16);
  for (std::size_t at = 0; at < document.size();) {
    const char c = document[at];
    std::size_t end = at + 1;
    if (c == '"') {
      JsonScanner scanner(document.substr(at));
      MIROIR_TRY(const std::string_view text, scanner.string());
      out += text;
      at += text.size();
      continue;
    }
    if (c != '-' && (c < '0' || c > '9')) {
      out += c;
      ++at;
      continue;
    }
    end = std::min(document.find_first_of(",]} \t\r\n", at), document.size());
    const std::string_view number = document.substr(at, end - at);
    if (!is_number_text(number))
      return fail(ErrorCode::kCorrupt, "malformed JSON in a stored document");
    const double value = nearest_double(number);
    std::uint64_t whole = 0;
    std::int64_t whole_signed = 0;
    const char* stop = number.data() + number.size();
    const bool exact = is_integer_text(number) &&
                       (std::from_chars(number.data(), stop, whole).ec == std::errc() ||
                        std::from_chars(number.data(), stop, whole_signed).ec == std::errc());
    if (exact || !std::isfinite(value) || read_as_node(number) == value) {
      out += number;
    } else {
      out += text_for_node(value);
    }
    at = end;
  }
  return out;
}

Result<std::string> document_id(std::string_view text) {
  constexpr std::size_t kIdBytesMax = 511;
  auto refused = [&] {
    return fail(ErrorCode::kInvalid,
                "`" + std::string(text.substr(0, 600)) + "` is no document id");
  };
  if (text.starts_with('"')) {
    std::string id = unescape_string(text);
    if (id.empty() || id.size() > kIdBytesMax) return refused();
    for (const char c : id) {
      const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_';
      if (!fine) return refused();
    }
    return id;
  }
  std::int64_t small = 0;
  std::uint64_t big = 0;
  const char* end = text.data() + text.size();
  if (!is_integer_text(text) || text == "-0") return refused();
  if (std::from_chars(text.data(), end, small).ec == std::errc()) return std::string(text);
  if (!text.starts_with('-') && std::from_chars(text.data(), end, big).ec == std::errc())
    return std::string(text);
  return refused();
}

}  // namespace miroir
