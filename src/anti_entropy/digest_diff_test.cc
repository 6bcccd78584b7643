#include "anti_entropy/digest_diff.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "anti_entropy/slot_ranges.h"

namespace miroir::anti_entropy {
namespace {

using Documents = std::map<std::string, Stamp>;

DigestCounts count(const Documents& documents) {
  DigestCounts counts;
  for (const auto& [id, stamp] : documents) {
    const DigestSymbols symbols = digest_of(id, stamp);
    for (std::size_t p = 0; p < kDigestPositions; ++p) ++counts.counts[p][symbols[p]];
  }
  return counts;
}

Documents many(int documents) {
  Documents all;
  for (int i = 0; i < documents; ++i)
    all["id" + std::to_string(i)] = 1'000U + static_cast<Stamp>(i);
  return all;
}

TEST(DigestDiffTest, EqualGroupsAskNothing) {
  const DigestCounts counts = count(many(1'000));
  const UnequalSymbols unequal = unequal_symbols({counts, counts, counts});
  EXPECT_TRUE(unequal.none());
  EXPECT_EQ(next_question(unequal, {counts, counts}, 65'536, {}), NextQuestion::kNone);
}

TEST(DigestDiffTest, OneMissingDocumentShowsItsThreeSymbols) {
  Documents damaged = many(1'000);
  const DigestSymbols symbols = digest_of("id7", damaged.at("id7"));
  damaged.erase("id7");
  const std::vector groups = {count(many(1'000)), count(damaged)};
  const UnequalSymbols unequal = unequal_symbols(groups);
  for (std::size_t p = 0; p < kDigestPositions; ++p) {
    EXPECT_EQ(unequal.symbols[p], std::vector<std::uint8_t>{symbols[p]});
  }
  EXPECT_EQ(next_question(unequal, groups, 65'536, {}), NextQuestion::kFetch);
}

TEST(DigestDiffTest, WhatOnlyMovesDoesNotLast) {
  UnequalSymbols moving;
  moving.symbols = {{{1}, {2}, {3}}};
  UnequalSymbols moved_on;
  moved_on.symbols = {{{4}, {7}, {8}}};
  EXPECT_TRUE(lasting(moving, moved_on).none());
  UnequalSymbols broken_and_moving;
  broken_and_moving.symbols = {{{1, 4}, {2, 5}, {3, 6}}};
  EXPECT_EQ(lasting(moving, broken_and_moving).symbols, moving.symbols);
  UnequalSymbols cancelled;  // of two broken documents, in the first position
  cancelled.symbols = {{{}, {2}, {3}}};
  EXPECT_EQ(lasting(cancelled, broken_and_moving).symbols, cancelled.symbols);
}

// A stale copy shows nothing where both stamps have the same symbol; something else may move there.
TEST(DigestDiffTest, StaleDocumentLastsUnlessBothStampsHaveTheSameSymbols) {
  constexpr int kDocuments = 20'000;
  constexpr Stamp kFirst = 1'752'000'000'000'000;
  std::mt19937_64 random(20261123);
  const auto stamp = [&] { return kFirst + random() % 10'000'000'000'000U; };
  int unseen = 0;
  for (int i = 0; i < kDocuments; ++i) {
    const std::string id = "id" + std::to_string(i);
    const Documents right = {{id, stamp()}};
    const Documents stale = {{id, stamp()}};
    std::array<UnequalSymbols, 2> looks;
    for (UnequalSymbols& look : looks) {
      look = unequal_symbols({count(right), count(stale)});
      const DigestSymbols moving = digest_of("moving", stamp());
      for (std::size_t p = 0; p < kDigestPositions; ++p) {
        std::vector<std::uint8_t>& symbols = look.symbols[p];
        const auto place = std::ranges::lower_bound(symbols, moving[p]);
        if (place == symbols.end() || *place != moving[p]) symbols.insert(place, moving[p]);
      }
    }
    unseen += lasting(looks[0], looks[1]).none() ? 1 : 0;
  }
  EXPECT_EQ(unseen, 0) << "of " << kDocuments << ": one in a million";
}

TEST(DigestDiffTest, WipedGroupIsSplitUntilItsPartsAreSmall) {
  const std::vector groups = {count(many(5'000)), DigestCounts{}};
  const UnequalSymbols unequal = unequal_symbols(groups);
  EXPECT_EQ(next_question(unequal, groups, 65'536, {}), NextQuestion::kSplit);
  const std::vector small = {count(many(900)), DigestCounts{}};
  EXPECT_EQ(next_question(unequal_symbols(small), small, 4'096, {}), NextQuestion::kFetch);
}

TEST(DigestDiffTest, OneSlotIsNotSplit) {
  const std::vector groups = {count(many(5'000)), DigestCounts{}};
  EXPECT_EQ(next_question(unequal_symbols(groups), groups, 1, {}), NextQuestion::kFetch);
}

TEST(DigestDiffTest, PositionWithoutUnequalSymbolPutsNoCondition) {
  UnequalSymbols unequal;
  unequal.symbols[1] = {3, 4};
  EXPECT_DOUBLE_EQ(expected_innocent(unequal, 1'000), 20.0);
}

TEST(DigestDiffTest, UnlikeCopiesExplainTheCountsOnlyIfTheyAreAll) {
  const Documents full = many(1'000);
  Documents damaged = full;
  damaged.erase("id7");
  damaged["id8"] += 5;
  damaged["extra"] = 9;
  const std::vector groups = {count(full), count(damaged)};
  const Documents right = {{"id7", full.at("id7")}, {"id8", full.at("id8")}};
  const Documents wrong = {{"id8", damaged.at("id8")}, {"extra", 9}};
  EXPECT_TRUE(explained(groups, {count(right), count(wrong)}));
  EXPECT_FALSE(explained(groups, {count(right), count({{"extra", 9}})}));
  EXPECT_FALSE(explained(groups, {count({{"id8", full.at("id8")}}), count(wrong)}));
  EXPECT_FALSE(explained(groups, {{}, {}}));
  EXPECT_TRUE(explained({count(full), count(full)}, {{}, {}}));
}

TEST(DigestDiffTest, PositionsThatDoNotSumToTheSameAreSeen) {
  DigestCounts counts = count(many(10));
  EXPECT_TRUE(positions_agree(counts));
  ++counts.counts[2][5];
  EXPECT_FALSE(positions_agree(counts));
}

RC_GTEST_PROP(DigestDiffProperties, EveryMissingOrExtraDocumentCarriesAnUnequalSymbolOrCancels,
              ()) {
  const auto lost = *rc::gen::inRange(1, 30);
  const Documents full = many(2'000);
  Documents damaged = full;
  for (int i = 0; i < lost; ++i) damaged.erase("id" + std::to_string(*rc::gen::inRange(0, 2'000)));
  const UnequalSymbols unequal = unequal_symbols({count(full), count(damaged)});
  // Only losses: counts only fall, nothing cancels, so each lost document carries unequal symbols
  // everywhere.
  for (const auto& [id, stamp] : full) {
    if (damaged.contains(id)) continue;
    const DigestSymbols symbols = digest_of(id, stamp);
    for (std::size_t p = 0; p < kDigestPositions; ++p) {
      RC_ASSERT(std::ranges::find(unequal.symbols[p], symbols[p]) != unequal.symbols[p].end());
    }
  }
}

// ---- slot ranges

SlotRanges any_ranges() {
  const auto cuts = *rc::gen::container<std::set<Slot>>(rc::gen::arbitrary<Slot>());
  SlotRanges ranges;
  for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
    const Slot first = *cut;
    if (++cut == cuts.end()) break;
    if (!ranges.empty() && ranges.back().last + 1 == first) continue;
    ranges.push_back({first, *cut});
  }
  return ranges;
}

RC_GTEST_PROP(SlotRangesProperties, ComplementHoldsExactlyTheOthers, ()) {
  const SlotRanges ranges = any_ranges();
  const SlotRanges rest = complement(ranges);
  RC_ASSERT(size(ranges) + size(rest) == 65'536U);
  RC_ASSERT(intersection(ranges, rest).empty());
  RC_ASSERT(complement(rest) == ranges);
}

RC_GTEST_PROP(SlotRangesProperties, IntersectionAgreesWithMembership, ()) {
  const SlotRanges a = any_ranges();
  const SlotRanges b = any_ranges();
  const SlotRanges both = intersection(a, b);
  for (int i = 0; i < 50; ++i) {
    const Slot slot = *rc::gen::arbitrary<Slot>();
    RC_ASSERT(contains(both, slot) == (contains(a, slot) && contains(b, slot)));
  }
}

RC_GTEST_PROP(SlotRangesProperties, PortionsTileTheWhole, ()) {
  const SlotRanges ranges = any_ranges();
  const auto slots = *rc::gen::inRange<std::uint32_t>(1, 30'000);
  std::uint32_t seen = 0;
  std::uint32_t next = 0;
  for (;;) {
    const SlotRanges some = portion(ranges, next, slots, 3);
    if (some.empty()) break;
    RC_ASSERT(some.size() <= 3U);
    RC_ASSERT(size(some) <= slots);
    RC_ASSERT(some.front().first >= next);
    RC_ASSERT(intersection(some, ranges) == some);
    seen += size(some);
    next = some.back().last + 1U;
  }
  RC_ASSERT(seen == size(ranges));
}

RC_GTEST_PROP(SlotRangesProperties, PartsTileTheWhole, ()) {
  const SlotRanges ranges = any_ranges();
  RC_PRE(!ranges.empty());
  const auto parts = split(ranges, 16);
  RC_ASSERT(parts.size() <= 16U);
  std::uint32_t slots = 0;
  for (const SlotRanges& part : parts) {
    RC_ASSERT(!part.empty());
    RC_ASSERT(intersection(part, ranges) == part);
    slots += size(part);
  }
  RC_ASSERT(slots == size(ranges));
  if (slots > 1) RC_ASSERT(parts.size() > 1U);
}

}  // namespace
}  // namespace miroir::anti_entropy
