#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "cdc/options.h"
#include "log/entry.h"

namespace miroir::cdc {

// What the change stream tells of itself (VOCABULARY.md).
class Instruments {
 public:
  Instruments(Metrics& metrics, const std::vector<CdcSinkOptions>& sinks);

  // Lets the counters of the index begin at 0 before there is something to count.
  void know(const std::string& index_uid);
  // Of what concerns several indexes, and of indexes beyond the 200th, the label is `other`.
  void count_published(const std::string& sink, const std::string& index_uid, std::uint64_t events);
  void count_suppressed(Origin origin, std::uint64_t events);
  void count_dropped(const std::string& sink, std::uint64_t events);
  void show_lag(const std::string& sink, double seconds);

 private:
  struct OfSink {
    Counter dropped;
    Gauge lag;
    std::map<std::string, Counter> published;  // by index
  };
  void resolve(const std::string& label);

  Metrics& metrics_;
  std::map<Origin, Counter> suppressed_;
  std::map<std::string, OfSink> sinks_;
  std::set<std::string> indexes_;
};

}  // namespace miroir::cdc
