#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "meili/api_error.h"

namespace miroir::meili {

// Meilisearch's error for a document whose `_geo` an index with geo search refuses
// (invalid_document_geo_field).
std::optional<ApiError> check_geo(std::string_view document, std::string_view id);

}  // namespace miroir::meili
