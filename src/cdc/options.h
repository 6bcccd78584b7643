#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/yaml.h"

namespace miroir {

// One webhook.
struct CdcSinkOptions {
  std::string id;  // its progress is kept under it
  std::string url;
  std::string secret;  // signs what it is sent
  bool bodies = true;  // documents with the events of their writes
};

// The block `cdc` of the configuration (VOCABULARY.md).
struct CdcOptions {
  bool enabled = false;
  std::vector<CdcSinkOptions> sinks;
  Microseconds retention = std::chrono::hours(24);  // events younger than this can be read
  bool emit_ttl_deletes = false;
  bool emit_internal_writes = false;
};

CdcOptions parse_cdc(YamlBlock block);

}  // namespace miroir
