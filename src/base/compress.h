#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace miroir {

// zstd, level 1. `size_max` bounds what a corrupt or hostile frame may expand to.
std::string compress(std::string_view bytes);
Result<std::string> decompress(std::string_view bytes, std::size_t size_max);

}  // namespace miroir
