#pragma once

#include <string>
#include <string_view>

namespace miroir::meili {

// A string as facets, filters and the distinct attribute compare it: trimmed, NFKD, lower case.
std::string normalise_facet(std::string_view text);

}  // namespace miroir::meili
