#pragma once

#include <string_view>

#include "base/json.h"

namespace miroir {

inline Json parsed(std::string_view text) { return parse_json(text).value(); }

}  // namespace miroir
