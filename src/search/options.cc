#include "search/options.h"

namespace miroir {

SearchOptions parse_scatter(YamlBlock block) {
  SearchOptions options;
  options.node_timeout = block.milliseconds("node_timeout_ms", options.node_timeout);
  options.retry_on_timeout = block.boolean("retry_on_timeout", options.retry_on_timeout);
  options.unavailable =
      block.one_of("unavailable_shard_policy", "partial", {"partial", "error"}) == "error"
          ? UnavailableShards::kError
          : UnavailableShards::kPartial;
  return options;
}

}  // namespace miroir
