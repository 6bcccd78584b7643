#include "anti_entropy/digest_diff.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace miroir::anti_entropy {

bool UnequalSymbols::none() const {
  return std::ranges::all_of(symbols, [](const auto& position) { return position.empty(); });
}

UnequalSymbols unequal_symbols(const std::vector<DigestCounts>& groups) {
  UnequalSymbols unequal;
  for (std::size_t position = 0; position < kDigestPositions; ++position) {
    for (std::size_t symbol = 0; symbol < kDigestSymbols; ++symbol) {
      const bool same = std::ranges::all_of(groups, [&](const DigestCounts& group) {
        return group.counts[position][symbol] == groups.front().counts[position][symbol];
      });
      if (!same) unequal.symbols[position].push_back(static_cast<std::uint8_t>(symbol));
    }
  }
  return unequal;
}

UnequalSymbols lasting(const UnequalSymbols& before, const UnequalSymbols& now) {
  UnequalSymbols both;
  for (std::size_t position = 0; position < kDigestPositions; ++position) {
    std::ranges::set_intersection(before.symbols[position], now.symbols[position],
                                  std::back_inserter(both.symbols[position]));
  }
  return both;
}

bool explained(const std::vector<DigestCounts>& groups, const std::vector<DigestCounts>& unlike) {
  for (std::size_t position = 0; position < kDigestPositions; ++position) {
    for (std::size_t symbol = 0; symbol < kDigestSymbols; ++symbol) {
      const auto rest = [&](std::size_t group) {
        return groups[group].counts[position][symbol] - unlike[group].counts[position][symbol];
      };
      for (std::size_t group = 1; group < groups.size(); ++group)
        if (rest(group) != rest(0)) return false;
    }
  }
  return true;
}

double expected_innocent(const UnequalSymbols& unequal, std::uint64_t documents) {
  double expected = static_cast<double>(documents);
  for (const auto& position : unequal.symbols) {
    if (!position.empty()) expected *= static_cast<double>(position.size()) / kDigestSymbols;
  }
  return expected;
}

NextQuestion next_question(const UnequalSymbols& unequal, const std::vector<DigestCounts>& groups,
                           std::uint32_t slots, const LightBounds& bounds) {
  if (unequal.none()) return NextQuestion::kNone;
  std::uint64_t documents = 0;
  for (const DigestCounts& group : groups) documents = std::max(documents, group.documents());
  if (slots <= 1) return NextQuestion::kFetch;
  return expected_innocent(unequal, documents) <= bounds.innocent_max ? NextQuestion::kFetch
                                                                      : NextQuestion::kSplit;
}

bool positions_agree(const DigestCounts& counts) {
  return std::ranges::all_of(counts.counts, [&](const auto& position) {
    return std::accumulate(position.begin(), position.end(), std::uint64_t{0}) ==
           counts.documents();
  });
}

}  // namespace miroir::anti_entropy
