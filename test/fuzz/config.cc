// The configuration: never a crash, and every refusal names the file and, where there is one, the
// line; what is accepted can be lived with.
// Input: the file.
#include "cli/config.h"

#include <chrono>
#include <regex>

#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace miroir;
  const std::string_view text = fuzz::text_of(data, size);
  const auto config = parse_config(text, "miroir.yaml");
  if (!config) {
    static const std::regex kLine(R"(miroir\.yaml:[1-9][0-9]*: [^]+)");
    fuzz::expect(std::regex_match(config.error().message, kLine), "an error names file and line",
                 text, config.error().message);
    return 0;
  }
  fuzz::expect(Topology::make(config->nodes, 1).has_value(),
               "there are nodes, and they are several", text);
  // What is added to a time must leave it one.
  const WallTime far(std::chrono::sys_days(std::chrono::year(2100) / 1 / 1));
  for (const Microseconds duration :
       {config->anti_entropy.schedule, config->anti_entropy.light_interval,
        config->anti_entropy.audit_retention, config->anti_entropy.tombstone_retention,
        config->log.retention_age, config->cdc.retention}) {
    fuzz::expect(duration > Microseconds::zero() && far + duration > far && far - duration < far,
                 "a duration that a clock knows", text);
  }
  return 0;
}
