#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::meili {

// Where a value stands in a request, and the code of errors about it.
struct Place {
  std::string path;  // ".faceting.maxValuesPerFacet"; empty: the body itself
  std::string_view code;
  Place at(std::string_view member) const;
  Place at(std::size_t element) const;
};

using Checked = std::expected<Json, ApiError>;

ApiError expected_type(const Json& value, std::string_view type, const Place& place);
ApiError unknown_value(std::string_view value, std::string_view one_of, const Place& place);
ApiError invalid_value(std::string_view message, const Place& place);

Checked check_text(const Json& value, const Place& place);
Checked check_flag(const Json& value, const Place& place);
Checked check_count(const Json& value, const Place& place);
Checked check_texts(const Json& value, const Place& place);     // in their order
Checked check_text_set(const Json& value, const Place& place);  // sorted, without duplicates
Checked check_choice(const Json& value, const Place& place,
                     std::initializer_list<std::string_view> choices);

}  // namespace miroir::meili
