#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace miroir::node {

// The named parts of a document; "author.name" reaches into objects, and through arrays; "*" is
// everything.
Json selected_fields(const Json& document, const std::vector<std::string>& names);

// What a search may show of a document: displayedAttributes, and never `_vectors`.
Json displayed_fields(const Json& document, const Json& settings);

}  // namespace miroir::node
