#pragma once

#include <map>
#include <string>
#include <utility>

#include "base/assert.h"
#include "node_api/stored_fields.h"

namespace miroir {

// Two ids that Meilisearch takes for the same in a filter, of one slot: they differ only in case.
inline std::pair<std::string, std::string> alike_ids() {
  const std::string base = "alikealikealike";
  std::map<Slot, std::string> seen;
  for (unsigned bits = 0; bits < 1U << base.size(); ++bits) {
    std::string id = base;
    for (std::size_t i = 0; i < id.size(); ++i) {
      if ((bits >> i & 1) != 0) id[i] = static_cast<char>(id[i] - 'a' + 'A');
    }
    const auto [other, fresh] = seen.emplace(slot_of(id), id);
    if (!fresh) return {other->second, id};
  }
  MIROIR_ASSERT(false);
  return {};
}

// Two ids of 500 bytes and of one slot that share their beginning, as far as a filter compares it.
inline std::pair<std::string, std::string> alike_long_ids() {
  std::map<Slot, std::string> seen;
  for (int number = 100'000; number < 999'999; ++number) {
    std::string id = std::string(494, 'x') + std::to_string(number);
    const auto [other, fresh] = seen.emplace(slot_of(id), id);
    if (!fresh) return {other->second, id};
  }
  MIROIR_ASSERT(false);
  return {};
}

}  // namespace miroir
