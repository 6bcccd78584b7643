#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/metrics.h"

namespace miroir::anti_entropy {

struct IndexReport;

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
  void show(const IndexReport& index);
  void add_conflict(const std::string& index);
  // Indexes that are no more have nothing to show.
  void forget_all_but(const std::set<std::string>& uids);

 private:
  std::string label(const std::string& index);

  struct OfIndex {
    Gauge unresolved;
    Gauge divergent_passes;
    Counter conflicts;
    std::map<std::pair<std::string_view, std::string_view>, Gauge> states;
    std::uint64_t divergent_in_a_row = 0;
  };
  OfIndex& of(const std::string& index);

  Metrics& metrics_;
  std::map<std::string, OfIndex> indexes_;
};

}  // namespace miroir::anti_entropy
