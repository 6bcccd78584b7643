#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "node_api/node_client.h"

namespace miroir::anti_entropy {

// The light pass, as a function of what the nodes counted (FACTS.md, "Digests by facet counts").
// Pure.

// The symbols whose counts are not the same in all groups, per position.
struct UnequalSymbols {
  std::array<std::vector<std::uint8_t>, kDigestPositions> symbols;
  bool none() const;
};
UnequalSymbols unequal_symbols(const std::vector<DigestCounts>& groups);

// The symbols that are unequal in both, of the same question asked twice: what was only moving
// shows other symbols the next time. A broken document keeps its own, in one position at least: in
// the others it may cancel with another, or have the symbol of the right stamp.
UnequalSymbols lasting(const UnequalSymbols& before, const UnequalSymbols& now);

// Whether the copies that were found unlike, counted for each group, are all that the groups'
// counts differ by. If not there are others: their symbols cancel each other in some position, so
// that the unequal ones do not lead to them.
bool explained(const std::vector<DigestCounts>& groups, const std::vector<DigestCounts>& unlike);

// How many of `documents` innocent ones carry unequal symbols in every position that has any: what
// it costs to read all that might be broken.
double expected_innocent(const UnequalSymbols& unequal, std::uint64_t documents);

enum class NextQuestion {
  kNone,   // equal: nothing to ask
  kFetch,  // read the stamps of the documents that carry the unequal symbols
  kSplit,  // too many: ask again for each part of the slots
};
struct LightBounds {
  double innocent_max = 1'000;  // documents read in vain in one question
  std::uint64_t all_max =
      4'000;  // all are read where the symbols do not lead to all that is unlike
  std::uint32_t parts = 16;
};
NextQuestion next_question(const UnequalSymbols& unequal, const std::vector<DigestCounts>& groups,
                           std::uint32_t slots, const LightBounds& bounds);

// Each position must sum to the same number: every document has exactly one symbol there.
bool positions_agree(const DigestCounts& counts);

}  // namespace miroir::anti_entropy
