#include "anti_entropy/copies.h"

namespace miroir::anti_entropy {

bool Copy::checksum_counts() const {
  return stored.stamp && stored.base == stored.stamp && stored.checksum;
}

bool Copy::checksum_holds() const {
  return checksum_counts() && *stored.checksum == checksum_of(content);
}

bool Copy::contradicts_itself(std::string_view id) const {
  if (!stored.stamp) return false;
  return stored.slot != slot_of(id) || stored.digest != digest_of(id, *stored.stamp) ||
         (checksum_counts() && !checksum_holds());
}

Result<Hash128> content_of(std::string_view text, const FieldNames& names, DecimalReading reading) {
  return content_hash(text, reading, [&](std::string_view key) {
    return is_reserved(key, names) || key == names.expires_at || key == "_vectors";
  });
}

}  // namespace miroir::anti_entropy
