#include "ttl/agreement.h"

#include <algorithm>

namespace miroir::ttl {
namespace {

bool is_sound(const std::string& id, const StoredFields& stored) {
  return stored.stamp && stored.slot == slot_of(id) &&
         stored.digest == digest_of(id, *stored.stamp);
}

}  // namespace

std::vector<BodyRecord> agreed_to_have_expired(const std::vector<std::string>& ids,
                                               const std::vector<OwnerCopies>& owners,
                                               std::int64_t now_milliseconds) {
  std::vector<BodyRecord> records;
  if (owners.empty()) return records;
  for (const std::string& id : ids) {
    const auto first = owners.front().find(id);
    if (first == owners.front().end() || !is_sound(id, first->second)) continue;
    const StoredFields& stored = first->second;
    if (!stored.expires_at || *stored.expires_at > now_milliseconds) continue;
    const bool agreed = std::ranges::all_of(owners, [&](const OwnerCopies& copies) {
      const auto copy = copies.find(id);
      return copy != copies.end() && copy->second == stored;
    });
    if (!agreed) continue;
    records.push_back({.slot = *stored.slot, .checksum = *stored.stamp, .id = id, .document = ""});
  }
  return records;
}

}  // namespace miroir::ttl
