#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace miroir::meili {

// The characters of filters: words, quotes, escapes.

// Bytes of the letters, digits, `_`, `-` and `.` that the text begins with.
std::size_t word_size(std::string_view text);

// Where the quote that opens at `open` closes.
std::optional<std::size_t> find_closing_quote(std::string_view text, std::size_t open);

// Without backslashes: `quote` itself (0: none), then \n, \t, \u{1F980}, \u00e9, \x41, …; nullopt
// where an escape is none.
std::optional<std::string> unescape(std::string_view text, char quote);

// Quotes, backslashes and control characters escaped, as error messages show a piece of a filter.
std::string escaped(std::string_view text);

}  // namespace miroir::meili
