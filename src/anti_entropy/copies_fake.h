#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "anti_entropy/decide.h"

namespace miroir::anti_entropy {

// Copies of one document as they may be found, for tests of what is decided about them.

inline constexpr Stamp kOld = 1'000;
inline constexpr Stamp kNew = 2'000;
inline constexpr Stamp kHead = 9'000;
inline const std::string kId = "package-7";

inline Hash128 content(std::uint64_t number) { return xxh3_128(std::to_string(number)); }

// A copy as a whole write leaves it.
inline Copy whole(std::string node, Stamp stamp, std::uint64_t says = 1) {
  Copy copy;
  copy.node = std::move(node);
  copy.presence = Presence::kPresent;
  copy.in_sync = true;
  copy.content = content(says);
  copy.stored.slot = slot_of(kId);
  copy.stored.stamp = stamp;
  copy.stored.base = stamp;
  copy.stored.checksum = checksum_of(copy.content);
  copy.stored.digest = digest_of(kId, stamp);
  return copy;
}

// …and as a merge into the whole write `base` leaves it: the checksum no longer counts.
inline Copy merged(std::string node, Stamp stamp, std::optional<Stamp> base,
                   std::uint64_t says = 1) {
  Copy copy = whole(std::move(node), stamp, says);
  copy.stored.base = base;
  return copy;
}

inline Copy corrupt(std::string node, Stamp stamp) {
  Copy copy = whole(std::move(node), stamp);
  copy.content = content(666);
  return copy;
}

inline Copy absent(std::string node) {
  Copy copy;
  copy.node = std::move(node);
  copy.presence = Presence::kAbsent;
  copy.in_sync = true;
  return copy;
}

inline Copy unknown(std::string node) {
  Copy copy;
  copy.node = std::move(node);
  return copy;
}

inline Copy stale(Copy copy) {
  copy.in_sync = false;
  return copy;
}

inline Copy tainted(Copy copy) {
  copy.tainted = true;
  return copy;
}

// What failed there is known not to have happened.
inline Copy harmless(Copy copy) {
  copy.harmless = true;
  return tainted(std::move(copy));
}

inline Copy in_doubt(Copy copy) {
  copy.in_doubt = true;
  return tainted(std::move(copy));
}

inline Copy foreign(std::string node, std::uint64_t says = 5) {
  Copy copy = absent(std::move(node));
  copy.presence = Presence::kPresent;
  copy.content = content(says);
  return copy;
}

inline Copy missed_entries(Copy copy) {
  copy.missed_entries = true;
  return stale(std::move(copy));
}

// As the log answers for a copy that only replicas that are being healed hold.
inline Copy vouched(Copy copy) {
  copy.standing = Copy::Standing::kVouched;
  return stale(std::move(copy));
}

// What failed on the others, and was applied where it lies.
inline Copy what_failed(Copy copy) {
  copy.is_what_failed = true;
  return stale(std::move(copy));
}

inline Copy refuted(Copy copy) {
  copy.standing = Copy::Standing::kRefuted;
  return stale(std::move(copy));
}

inline Knowledge known() {
  Knowledge knowledge;
  knowledge.newest = kHead;
  knowledge.born = 10;
  knowledge.now = WallTime(Seconds(1'000));
  return knowledge;
}

inline Decision decide_on(std::vector<Copy> owners, Knowledge knowledge = known(),
                          Policy policy = {}, std::vector<Copy> strays = {}) {
  return decide({kId, std::move(owners), std::move(strays)}, knowledge, policy);
}

inline constexpr Verdict kFine{Finding::kRight, Treatment::kLeave};

inline void expect(const Decision& decision, Action action, Reason reason) {
  EXPECT_EQ(name(decision.action), name(action));
  EXPECT_EQ(code(decision.reason), code(reason));
}

}  // namespace miroir::anti_entropy
