#pragma once

#include <string>
#include <string_view>

namespace miroir {

// HMAC-SHA256 in lower-case hexadecimal.
std::string hmac_sha256(std::string_view key, std::string_view text);

}  // namespace miroir
