#pragma once

#include <map>
#include <string>

#include "base/metrics.h"

namespace miroir::anti_entropy {

// The reconciler's metrics (docs/metrics.md); counters stand at 0 from the start.
class Instruments {
 public:
  explicit Instruments(Metrics& metrics);

  Counter shards_scanned;
  Counter mismatches_found;
  Counter documents_repaired;
  Gauge last_scan_completed;
  Counter light_bytes;
  Counter deep_bytes;

  // Labels for at most 200 indexes; `other` beyond.
  void set_unresolved(const std::string& index, std::uint64_t documents);
  void add_conflict(const std::string& index);

 private:
  std::string label(const std::string& index);

  struct OfIndex {
    Gauge unresolved;
    Counter conflicts;
  };
  OfIndex& of(const std::string& index);

  Metrics& metrics_;
  std::map<std::string, OfIndex> indexes_;
};

}  // namespace miroir::anti_entropy
