#pragma once

#include <expected>
#include <string_view>

#include "meili/filter.h"
#include "node/index.h"

namespace miroir::node {

// The documents of the index that match. Errors, with the code given: attributes that are not
// filterable, operators that their rule does not allow, CONTAINS without its experimental feature,
// wrong geographic values.
std::expected<DocumentSet, meili::ApiError> evaluate(const meili::Filter& filter,
                                                     const Index& index, bool contains_enabled,
                                                     std::string_view error_code);

// parse_filter and evaluate.
std::expected<DocumentSet, meili::ApiError> evaluate(const Json& filter, const Index& index,
                                                     bool contains_enabled,
                                                     std::string_view error_code);

}  // namespace miroir::node
