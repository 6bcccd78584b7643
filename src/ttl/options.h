#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/yaml.h"

namespace miroir {

// How often an index is swept, and how many documents one sweep deletes at most.
struct TtlPolicy {
  Seconds sweep_interval{300};
  std::uint64_t deletes_max = 10'000;
  bool operator==(const TtlPolicy&) const = default;
};
inline constexpr std::int64_t kSweepIntervalMax = 31'536'000;  // seconds
inline constexpr std::int64_t kSweepDeletesMax = 1'000'000'000;

// What one index has otherwise; nullopt: as the others.
struct TtlOverride {
  std::optional<Seconds> sweep_interval;
  std::optional<std::uint64_t> deletes_max;
  bool empty() const { return !sweep_interval && !deletes_max; }
};
TtlPolicy apply(TtlPolicy policy, const TtlOverride& change);

// The block `ttl` of the configuration (VOCABULARY.md).
struct TtlOptions {
  bool enabled = false;
  TtlPolicy policy;
  std::map<std::string, TtlOverride> per_index;
};

TtlOptions parse_ttl(YamlBlock block);

}  // namespace miroir
