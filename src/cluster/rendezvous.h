#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace miroir {

// Highest random weight: what `key` names goes to the candidate with the highest score, so that
// one who leaves, or comes, moves only what was or becomes its own. Stored placement depends on it.
std::uint64_t rendezvous_score(std::string_view key, std::string_view candidate);

// Its place in `candidates`, which are distinct and not none; their order does not matter.
std::size_t rendezvous_winner(std::string_view key, const std::vector<std::string>& candidates);

}  // namespace miroir
