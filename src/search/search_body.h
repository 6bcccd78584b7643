#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/json.h"
#include "http/message.h"

namespace miroir {

// The query parameters of GET /search or GET /documents as the body that POST takes, or nullopt
// where a parameter has no such form (a node then says what is wrong with it).
std::optional<Json> body_of_query(const std::string& query);

// Whether what a scattered read is asked with instead of the client's own members (pages, facets,
// distinct) has its type in the body of a search, a fetch or a federation, and nothing is in it
// that only several searches in one have. If not, a node says what is wrong with it.
bool can_be_scattered(const Json& body);

// A number for what the request asks, whichever page of it: its pages are read from one group, so
// that documents of equal rank, which nodes order each in its own way, neither repeat nor go
// missing.
std::uint64_t question_of(const http::Request& request);

}  // namespace miroir
