#include "cluster/rendezvous.h"

#include <utility>

#include "base/assert.h"
#include "base/hash.h"

namespace miroir {

std::uint64_t rendezvous_score(std::string_view key, std::string_view candidate) {
  std::string bytes(key);
  bytes.append(candidate);
  return xxh3_64(bytes);
}

std::size_t rendezvous_winner(std::string_view key, const std::vector<std::string>& candidates) {
  MIROIR_ASSERT(!candidates.empty());
  std::size_t winner = 0;
  std::pair<std::uint64_t, std::string_view> highest;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    // Equal scores go by name.
    const std::pair score{rendezvous_score(key, candidates[i]), std::string_view(candidates[i])};
    if (i > 0 && score <= highest) continue;
    highest = score;
    winner = i;
  }
  return winner;
}

}  // namespace miroir
