#pragma once

#include <string_view>

namespace miroir {

// How the reasons of nodes that are not in sync begin, which others go by.

// The node holds a task that is not ours.
inline constexpr std::string_view kForeignTask = "somebody else wrote to it";
// The log never knew the node, and it is not empty.
inline constexpr std::string_view kHeldIndexes = "it held indexes before it joined";

}  // namespace miroir
