#include "ttl/options.h"

#include "meili/index_uid.h"

namespace miroir {
namespace {

TtlOverride parse_override(YamlBlock& block) {
  TtlOverride change;
  // 0: not given.
  const std::int64_t interval = block.integer("sweep_interval_s", 0, 1, kSweepIntervalMax);
  const std::int64_t deletes = block.integer("max_deletes_per_sweep", 0, 1, kSweepDeletesMax);
  if (interval > 0) change.sweep_interval = Seconds(interval);
  if (deletes > 0) change.deletes_max = static_cast<std::uint64_t>(deletes);
  return change;
}

}  // namespace

TtlPolicy apply(TtlPolicy policy, const TtlOverride& change) {
  policy.sweep_interval = change.sweep_interval.value_or(policy.sweep_interval);
  policy.deletes_max = change.deletes_max.value_or(policy.deletes_max);
  return policy;
}

TtlOptions parse_ttl(YamlBlock block) {
  TtlOptions options;
  options.enabled = block.boolean("enabled", options.enabled);
  options.policy = apply(options.policy, parse_override(block));
  for (YamlBlock& its : block.blocks("per_index_overrides")) {
    const std::string index = its.required_string("index");
    TtlOverride change = parse_override(its);
    if (!index.empty() && !meili::is_index_uid(index)) its.refuse("index", "an index's uid");
    if (!options.per_index.emplace(index, change).second)
      its.refuse("index", "an index that is not in the list already");
  }
  return options;
}

}  // namespace miroir
