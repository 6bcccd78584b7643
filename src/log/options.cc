#include "log/options.h"

namespace miroir {

LogOptions parse_log(YamlBlock block) {
  LogOptions options;
  YamlBlock retention = block.block("retention");
  options.retention_age = retention.duration("age", options.retention_age);
  options.retention_bytes = retention.bytes("bytes", options.retention_bytes);
  options.tasks_kept = static_cast<std::uint64_t>(
      block.integer("tasks_kept", static_cast<std::int64_t>(options.tasks_kept), 1, 1'000'000'000));
  return options;
}

}  // namespace miroir
