#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "meili/filter.h"

namespace miroir::meili {

// One expression of the filter grammar, which is not blank (filter.h takes JSON).
std::expected<Filter, ApiError> parse_filter_text(const std::string& text,
                                                  std::string_view error_code);

}  // namespace miroir::meili
