#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::meili {

// The only top-level key of the document whose lower-case name ends in "id".
std::expected<std::string, ApiError> infer_primary_key(std::string_view first_document);

// The document's id in its string form; missing_document_id or invalid_document_id. A dotted
// primary key reaches into objects (or is the name of a member with dots).
std::expected<std::string, ApiError> document_id_of(std::string_view document,
                                                    std::string_view primary_key);

// The same for a parsed document.
std::expected<std::string, ApiError> infer_primary_key(const Json& first_document);
std::expected<std::string, ApiError> document_id_of(const Json& document,
                                                    std::string_view primary_key);

}  // namespace miroir::meili
