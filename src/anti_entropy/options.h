#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "anti_entropy/window.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/yaml.h"
#include "node_api/stored_fields.h"

namespace miroir {

// Documents written behind Miroir's back: they have no stamp.
enum class ForeignDocuments { kReport, kAdopt, kRemove };
enum class TieRule { kQuarantine, kHash };
// Deletes and tie-breaks of one pass in one shard, beyond which a person must agree.
struct BreakerOptions {
  double share = 0.05;                // of the shard's documents…
  std::uint64_t min_documents = 100;  // …but never fewer than these
};

// The block `anti_entropy` of the configuration (VOCABULARY.md).
struct AntiEntropyOptions {
  bool enabled = true;
  Microseconds schedule = std::chrono::hours(6);  // deep pass
  Microseconds light_interval = std::chrono::seconds(60);
  std::size_t max_read_concurrency = 2;        // reads of nodes at a time
  std::size_t fingerprint_batch_size = 1'000;  // documents a page at the start; adapts to bytes
  bool auto_repair = true;
  FieldNames names;
  Microseconds tombstone_retention = std::chrono::days(30);
  // No settings: what DESIGN.md's rule 4 says, and what bounds the memory of a pass.
  Microseconds tombstone_age_min = std::chrono::hours(1);
  std::size_t unresolved_max = 100'000;      // documents of an index…
  std::size_t unresolved_kept_max = 10'000;  // …and those that the next pass knows by id
  Microseconds audit_retention = std::chrono::days(30);
  ForeignDocuments foreign_documents = ForeignDocuments::kReport;
  TieRule tie = TieRule::kQuarantine;
  BreakerOptions breaker;
  std::vector<Window> windows;        // of scheduled deep passes; none: always
  std::uint32_t shards_per_pass = 0;  // of a scheduled deep pass; 0: all
};

AntiEntropyOptions parse_anti_entropy(YamlBlock block);

}  // namespace miroir
