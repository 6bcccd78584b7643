#include "node_api/stored_fields.h"

#include <cmath>

#include "base/assert.h"
#include "base/content_hash.h"
#include "base/json_scan.h"
#include "meili/primary_key.h"

namespace miroir {
namespace {

// Octal digits in ascending byte order: separators to Meilisearch, so they yield no words.
constexpr std::string_view kDigits = "!()*;?[]";
constexpr std::size_t kSlotWidth = 6;
constexpr std::size_t kStampWidth = 18;
constexpr std::size_t kSymbolWidth = 3;
constexpr std::size_t kChecksumWidth = 16;
constexpr std::string_view kNull = "null";
constexpr double kExpiryEnd = 9'007'199'254'740'992;  // beyond it a number is not exact everywhere
constexpr Checksum kChecksumMask = (Checksum{1} << 48) - 1;

std::string encode(std::uint64_t value, std::size_t width) {
  std::string text(width, kDigits[0]);
  for (std::size_t i = width; i-- > 0; value >>= 3) text[i] = kDigits[value & 7];
  MIROIR_ASSERT(value == 0);
  return text;
}

std::optional<std::uint64_t> decode(std::string_view text, std::size_t width, std::uint64_t max) {
  if (text.size() != width) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 3 | digit;
  }
  if (value > max) return std::nullopt;
  return value;
}

// What a JSON string's text stands for; nullopt where the value is no string.
std::optional<std::string> string_value(std::string_view value) {
  if (!value.starts_with('"')) return std::nullopt;
  return unescape_string(value);
}

std::string quoted(std::string text) { return '"' + std::move(text) + '"'; }

}  // namespace

Slot slot_of(std::string_view id) { return static_cast<Slot>(xxh3_64(id) & 0xFFFF); }

DigestSymbols digest_of(std::string_view id, Stamp stamp) {
  std::string bytes(id);
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(stamp >> (8 * i) & 0xFF);
  std::uint64_t hash = xxh3_64(bytes);
  DigestSymbols symbols;
  for (std::uint8_t& symbol : symbols) {
    symbol = static_cast<std::uint8_t>(hash % kDigestSymbols);
    hash /= kDigestSymbols;
  }
  return symbols;
}

Checksum checksum_of(const Hash128& content) { return content.low & kChecksumMask; }

bool is_reserved(std::string_view key, const FieldNames& names) {
  return key.starts_with(kReservedPrefix) || key == names.updated_at || key == names.expires_at;
}

bool is_expiry(std::string_view key, const FieldNames& names) {
  return names.expiry && key == names.expires_at;
}

std::string encode_slot(Slot slot) { return encode(slot, kSlotWidth); }
std::string encode_stamp(Stamp stamp) { return encode(stamp, kStampWidth); }
std::string encode_symbol(std::uint8_t symbol) {
  MIROIR_ASSERT(symbol < kDigestSymbols);
  return encode(symbol, kSymbolWidth);
}
std::string encode_checksum(Checksum checksum) { return encode(checksum, kChecksumWidth); }

std::optional<Slot> decode_slot(std::string_view text) {
  const auto value = decode(text, kSlotWidth, 0xFFFF);
  if (!value) return std::nullopt;
  return static_cast<Slot>(*value);
}
std::optional<Stamp> decode_stamp(std::string_view text) {
  return decode(text, kStampWidth, kStampMax);
}
std::optional<std::uint8_t> decode_symbol(std::string_view text) {
  const auto value = decode(text, kSymbolWidth, kDigestSymbols - 1);
  if (!value) return std::nullopt;
  return static_cast<std::uint8_t>(*value);
}
std::optional<Checksum> decode_checksum(std::string_view text) {
  return decode(text, kChecksumWidth, kChecksumMask);
}

std::string encode_expiry(std::int64_t milliseconds) {
  MIROIR_ASSERT(milliseconds >= 0);
  return encode_stamp(static_cast<Stamp>(milliseconds));
}

Result<std::string> read_expiry(std::string_view client) {
  if (client == kNull) return std::string(kNull);
  MIROIR_TRY(const Json value, parse_json(client));
  const double number = value.is_number() ? value.as_double() : -1;
  if (number < 0 || number >= kExpiryEnd || number != std::floor(number)) {
    return fail(ErrorCode::kInvalid,
                "expected whole milliseconds since the UNIX epoch, or null for no expiry");
  }
  return std::to_string(static_cast<std::int64_t>(number));
}

std::optional<std::string> shown_expiry(std::string_view stored) {
  if (stored == kNull) return std::string(kNull);
  const auto text = string_value(stored);
  const auto milliseconds = text ? decode_stamp(*text) : std::nullopt;
  if (!milliseconds) return std::nullopt;
  return std::to_string(*milliseconds);
}

void append_stored(std::string& out, std::string_view document, std::vector<StoredField> fields,
                   const FieldNames& names) {
  std::string stored;
  if (document.find(names.expires_at) != std::string_view::npos) {
    const auto members = top_level_fields(document);
    MIROIR_ASSERT(members.has_value());
    for (const FieldView& member : *members) {
      if (member.key != names.expires_at) continue;
      stored = member.value == kNull ? std::string(kNull)
                                     : quoted(encode_expiry(std::stoll(std::string(member.value))));
    }
  }
  if (stored.empty()) return append_spliced(out, document, fields);
  std::string bare;
  const auto cut =
      append_without(bare, document, [&](std::string_view key) { return key == names.expires_at; });
  MIROIR_ASSERT(cut.has_value());
  fields.push_back({names.expires_at, std::move(stored)});
  append_spliced(out, bare, fields);
}

std::vector<StoredField> fields_of_merge(std::string_view id, Stamp stamp,
                                         const FieldNames& names) {
  std::vector<StoredField> fields = {{kSlotField, quoted(encode_slot(slot_of(id)))},
                                     {names.updated_at, quoted(encode_stamp(stamp))}};
  const DigestSymbols symbols = digest_of(id, stamp);
  for (std::size_t i = 0; i < symbols.size(); ++i)
    fields.push_back({kDigestFields[i], quoted(encode_symbol(symbols[i]))});
  return fields;
}

std::vector<StoredField> fields_of_whole_write(std::string_view id, Stamp stamp, Checksum checksum,
                                               const FieldNames& names) {
  std::vector<StoredField> fields = fields_of_merge(id, stamp, names);
  fields.push_back({kBaseField, quoted(encode_stamp(stamp))});
  fields.push_back({kChecksumField, quoted(encode_checksum(checksum))});
  return fields;
}

Result<DocumentCopy> parse_copy(std::string text, std::string_view primary_key,
                                const FieldNames& names) {
  DocumentCopy copy;
  std::array<std::optional<std::uint8_t>, kDigestPositions> symbols;
  MIROIR_TRY(const std::vector<FieldView> fields, top_level_fields(text));
  for (const FieldView& field : fields) {
    if (!is_reserved(field.key, names)) continue;
    const std::string value = string_value(field.value).value_or("");
    if (field.key == kSlotField) copy.stored.slot = decode_slot(value);
    if (field.key == names.updated_at) copy.stored.stamp = decode_stamp(value);
    if (field.key == kBaseField) copy.stored.base = decode_stamp(value);
    if (field.key == kChecksumField) copy.stored.checksum = decode_checksum(value);
    if (field.key == names.expires_at) copy.stored.expires_at = decode_stamp(value);
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      if (field.key == kDigestFields[i]) symbols[i] = decode_symbol(value);
    }
  }
  if (symbols[0] && symbols[1] && symbols[2])
    copy.stored.digest = DigestSymbols{*symbols[0], *symbols[1], *symbols[2]};
  auto id = meili::document_id_of(std::string_view(text), primary_key);
  if (!id) return fail(ErrorCode::kCorrupt, std::move(id.error().message));
  copy.id = std::move(*id);
  copy.text = std::move(text);
  return copy;
}

Result<Hash128> content_hash_of_copy(std::string_view text, const FieldNames& names) {
  return content_hash(text, DecimalReading::kNearest,
                      [&](std::string_view key) { return is_reserved(key, names); });
}

}  // namespace miroir
