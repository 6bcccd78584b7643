#pragma once

#include <string_view>

#include "meili/api_error.h"

namespace miroir::meili {

// 1 to 512 bytes of A-Z a-z 0-9 - _.
bool is_index_uid(std::string_view uid);
ApiError invalid_index_uid(std::string_view uid);
ApiError index_not_found(std::string_view uid);

}  // namespace miroir::meili
