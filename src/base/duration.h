#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace miroir {

// "500ms", "60s", "5m", "6h", "7d": a whole number > 0 and a unit; at most 36,500 days.
Result<Microseconds> parse_duration(std::string_view text);
// "every 6h"
Result<Microseconds> parse_schedule(std::string_view text);
// "104857600", "512KiB", "100MiB", "20GiB"; at most 1,024 TiB.
Result<std::uint64_t> parse_bytes(std::string_view text);
// The shortest of the forms above: "6h", "1500ms".
std::string to_text(Microseconds duration);

}  // namespace miroir
