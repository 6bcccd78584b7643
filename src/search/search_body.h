#pragma once

#include <optional>
#include <string>

#include "base/json.h"
#include "http/message.h"

namespace miroir {

// The query parameters of GET /search or GET /documents as the body that POST takes, or nullopt
// where a parameter has no such form (a node then says what is wrong with it).
std::optional<Json> body_of_query(const std::string& query);

}  // namespace miroir
