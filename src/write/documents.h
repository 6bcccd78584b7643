#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/document.h"
#include "base/result.h"
#include "log/entry.h"
#include "meili/api_error.h"
#include "node_api/stored_fields.h"

namespace miroir {

// The documents of one request, cut into texts that live as long as the request's body.
struct Payload {
  std::vector<std::string_view> documents;
};

// Why a request's documents cannot be written. Refused: answered with 4xx, nothing is logged.
// Failed: what Meilisearch accepts and fails later; the entry is born failed.
struct Refused {
  meili::ApiError error;
};
struct Failed {
  meili::ApiError error;
};
using DocumentsError = std::variant<Refused, Failed>;

struct DocumentRules {
  std::string primary_key;
  FieldNames names;
  bool geo = false;   // the index filters or sorts by _geo
  bool whole = true;  // replace: the checksum of the content counts
};

// Validates every document of a JSON or NDJSON body. The whole body must be right: a broken
// document refuses them all.
std::expected<Payload, meili::ApiError> cut_documents(std::string_view body, BodyFormat format);

// No top-level reserved field in any document but an expiry that is one (400
// miroir_reserved_field).
std::optional<meili::ApiError> find_reserved_field(const Payload& payload, const FieldNames& names);

// One document as the log keeps it, or Meilisearch's error for its id or its _geo.
std::expected<BodyRecord, meili::ApiError> make_record(std::string_view document,
                                                       const DocumentRules& rules);

}  // namespace miroir
