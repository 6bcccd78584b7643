#pragma once

#include <set>
#include <string>

#include "base/metrics.h"
#include "log/appender.h"
#include "log/tombstones.h"

namespace miroir {

// What the log tells of itself (VOCABULARY.md).
class LogMetrics {
 public:
  explicit LogMetrics(Metrics& metrics);
  void show(const Appender::Head& head);
  void show(const Catalogue& catalogue, const Tombstones& tombstones);
  // Tasks that begin, and that are cancelled; those that end on the nodes are counted by whoever
  // watches them (src/forward).
  void count_enqueued() { enqueued_.increment(); }
  void count_canceled() { canceled_.increment(); }

 private:
  Metrics& metrics_;
  Gauge position_;
  Gauge bytes_;
  Counter enqueued_;
  Counter canceled_;
  std::set<std::string> indexes_;  // that have a gauge
};

}  // namespace miroir
