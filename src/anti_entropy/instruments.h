#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"

namespace miroir::anti_entropy {

struct IndexReport;

// The reconciler's metrics (docs/admin.md); counters stand at 0 from the start. Labels for at most
// 200 indexes: `other` is the sum of all beyond.
class Instruments {
 public:
  explicit Instruments(Metrics& metrics);

  Counter shards_scanned;
  Counter mismatches_found;
  Counter documents_repaired;
  Counter light_bytes;
  Counter deep_bytes;

  // When passes last completed, 0 where none did. Not shown where passes are switched off: alerts
  // on it would fire for ever.
  void show_completed(WallTime pass, WallTime deep);
  void show(const IndexReport& index);
  // The same of a report that was kept, as IndexReport::to_json makes it.
  void show_again(const Json& index);
  void add_conflict(const std::string& index);
  // Indexes that are no more have nothing to show.
  void forget_all_but(const std::set<std::string>& uids);

 private:
  using States = std::map<std::pair<std::string_view, std::string_view>, std::uint64_t>;
  // What the last pass found.
  struct Found {
    std::uint64_t unresolved = 0;
    std::uint64_t divergent_in_a_row = 0;
    States states;
  };
  struct OfLabel {
    Gauge unresolved;
    Gauge divergent_passes;
    Counter conflicts;
    std::map<std::pair<std::string_view, std::string_view>, Gauge> states;
    std::map<std::string, Found> found;  // of each of its indexes
  };
  OfLabel& of(const std::string& index);
  static void show(OfLabel& label);

  Metrics& metrics_;
  std::map<std::string, OfLabel> labels_;
};

}  // namespace miroir::anti_entropy
