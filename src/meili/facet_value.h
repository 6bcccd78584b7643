#pragma once

#include <string>
#include <string_view>

namespace miroir::meili {

// A string as facets, filters and the distinct attribute compare it: trimmed, NFKD, lower case.
std::string normalise_facet(std::string_view text);

// A number as facets show it, as Rust prints a double: no exponent, no ".0".
std::string number_text(double number);

}  // namespace miroir::meili
