#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/yaml.h"
#include "node_api/stored_fields.h"

namespace miroir {

enum class ForeignDocuments { kReport };  // documents written behind Miroir's back
enum class TieRule { kQuarantine, kHash };

// The block `anti_entropy` of the configuration (VOCABULARY.md).
struct AntiEntropyOptions {
  bool enabled = true;
  Microseconds schedule = std::chrono::hours(6);  // deep pass
  Microseconds light_interval = std::chrono::seconds(60);
  std::size_t max_read_concurrency = 2;        // nodes read at a time
  std::size_t fingerprint_batch_size = 1'000;  // documents a page at the start; adapts to bytes
  bool auto_repair = true;
  FieldNames names;
  Microseconds tombstone_retention = std::chrono::days(30);
  Microseconds audit_retention = std::chrono::days(30);
  ForeignDocuments foreign_documents = ForeignDocuments::kReport;
  TieRule tie = TieRule::kQuarantine;
};

AntiEntropyOptions parse_anti_entropy(YamlBlock block);

}  // namespace miroir
