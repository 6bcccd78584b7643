#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace miroir {

// Base64 in the alphabet of URLs, without padding (RFC 4648, 5).
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace miroir
