#pragma once

#include <functional>
#include <string_view>

#include "base/hash.h"
#include "base/json.h"
#include "base/result.h"

namespace miroir {

// The canonical hash of a document's content: the same whatever the order of keys at any depth, the
// way strings and keys are escaped, and the way numbers are written; arrays keep their order.
// Numbers count by value: integers within i64/u64 exactly, a whole decimal equals the integer, -0
// equals 0, integers beyond u64 as doubles. Decimals are read by `reading`: kNode for a client's
// text, kNearest for what a node answered. Top-level members for which `skip` is true do not count.
// Of a key given twice the last counts.
Result<Hash128> content_hash(std::string_view document, DecimalReading reading,
                             const std::function<bool(std::string_view key)>& skip);

}  // namespace miroir
