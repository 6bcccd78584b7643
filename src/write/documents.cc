#include "write/documents.h"

#include "base/content_hash.h"
#include "meili/geo.h"
#include "meili/payload.h"
#include "meili/primary_key.h"

namespace miroir {
namespace {

constexpr std::size_t kShownMax = 64;  // of a wrong value, in a message

}  // namespace

std::expected<Payload, meili::ApiError> cut_documents(std::string_view body, BodyFormat format) {
  Payload payload;
  auto cut = for_each_document(body, format, [&](std::string_view document) -> Result<void> {
    payload.documents.push_back(document);
    return {};
  });
  if (!cut) {
    return std::unexpected(meili::malformed_payload(
        format == BodyFormat::kJson ? meili::PayloadFormat::kJson : meili::PayloadFormat::kNdjson,
        cut.error()));
  }
  return payload;
}

std::optional<meili::ApiError> find_reserved_field(const Payload& payload,
                                                   const FieldNames& names) {
  for (std::size_t number = 0; number < payload.documents.size(); ++number) {
    auto fields = top_level_fields(payload.documents[number]);
    if (!fields) return meili::api_error("malformed_payload", fields.error().message);
    for (const FieldView& field : *fields) {
      if (!is_reserved(field.key, names)) continue;
      if (is_expiry(field.key, names)) {
        const auto expiry = read_expiry(field.value);
        if (expiry) continue;
        return meili::api_error("miroir_reserved_field",
                                "Document " + std::to_string(number + 1) + ": the field `" +
                                    field.key + "`: " + expiry.error().message + ", got `" +
                                    std::string(field.value.substr(0, kShownMax)) + "`.");
      }
      return meili::api_error(
          "miroir_reserved_field",
          "Document " + std::to_string(number + 1) + ": the field `" + field.key +
              "` is reserved: expected no field whose name begins with `_miroir_`.");
    }
  }
  return std::nullopt;
}

namespace {

// The document as the log keeps it: as the client wrote it, but for an expiry, which stands once,
// at the end, and in plain digits.
Result<std::string> document_to_log(std::string_view document, const FieldNames& names) {
  const bool may_have = names.expiry && (document.find(names.expires_at) != std::string::npos ||
                                         document.find('\\') != std::string::npos);
  if (!may_have) return std::string(document);
  MIROIR_TRY(const auto fields, top_level_fields(document));
  std::string expiry;
  for (const FieldView& field : fields) {
    if (!is_expiry(field.key, names)) continue;
    MIROIR_TRY(expiry, read_expiry(field.value));
  }
  if (expiry.empty()) return std::string(document);
  std::string bare;
  MIROIR_CHECK(
      append_without(bare, document, [&](std::string_view key) { return is_expiry(key, names); }));
  std::string out;
  append_spliced(out, bare, {{names.expires_at, expiry}});
  return out;
}

}  // namespace

std::expected<BodyRecord, meili::ApiError> make_record(std::string_view document,
                                                       const DocumentRules& rules) {
  auto id = meili::document_id_of(document, rules.primary_key);
  if (!id) return std::unexpected(id.error());
  if (rules.geo) {
    if (auto error = meili::check_geo(document, *id)) return std::unexpected(*error);
  }
  auto text = document_to_log(document, rules.names);
  if (!text) return std::unexpected(meili::api_error("malformed_payload", text.error().message));
  BodyRecord record{.slot = slot_of(*id), .checksum = 0, .id = *id, .document = std::move(*text)};
  if (rules.whole) {
    auto hash = content_hash(document, DecimalReading::kNode, [&](std::string_view key) {
      // Nodes show vectors only when asked, and make some of them themselves.
      return is_reserved(key, rules.names) || key == "_vectors";
    });
    if (!hash) return std::unexpected(meili::api_error("malformed_payload", hash.error().message));
    record.checksum = checksum_of(*hash);
  }
  return record;
}

}  // namespace miroir
