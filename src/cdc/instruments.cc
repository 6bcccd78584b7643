#include "cdc/instruments.h"

namespace miroir::cdc {
namespace {

constexpr std::size_t kIndexLabelsMax = 200;
constexpr const char* kOther = "other";

}  // namespace

Instruments::Instruments(Metrics& metrics, const std::vector<CdcSinkOptions>& sinks)
    : metrics_(metrics) {
  for (const Origin origin :
       {Origin::kAntiEntropy, Origin::kTtlExpire, Origin::kMove, Origin::kSystem}) {
    suppressed_[origin] = metrics.counter("miroir_cdc_events_suppressed_total",
                                          "Changes that are no events, by who caused them.",
                                          {{"origin", std::string(name(origin))}});
  }
  for (const CdcSinkOptions& sink : sinks) {
    const Labels labels{{"sink", sink.id}};
    OfSink& its = sinks_[sink.id];
    its.dropped = metrics.counter(
        "miroir_cdc_dropped_total",
        "Events that the log lost before the sink took them; one where it went back.", labels);
    its.lag = metrics.gauge("miroir_cdc_lag_seconds",
                            "Age of the oldest change that the sink has not been given.", labels);
    its.lag.set(0);
  }
  resolve(kOther);
}

void Instruments::resolve(const std::string& label) {
  for (auto& [id, sink] : sinks_) {
    sink.published[label] =
        metrics_.counter("miroir_cdc_events_published_total", "Events that the sink took.",
                         {{"sink", id}, {"index", label}});
  }
}

void Instruments::know(const std::string& index_uid) {
  if (index_uid.empty() || indexes_.size() >= kIndexLabelsMax) return;
  if (indexes_.insert(index_uid).second) resolve(index_uid);
}

void Instruments::count_published(const std::string& sink, const std::string& index_uid,
                                  std::uint64_t events) {
  know(index_uid);
  const std::string& label = indexes_.contains(index_uid) ? index_uid : kOther;
  sinks_.at(sink).published.at(label).increment(static_cast<double>(events));
}

void Instruments::count_suppressed(Origin origin, std::uint64_t events) {
  suppressed_.at(origin).increment(static_cast<double>(events));
}

void Instruments::count_dropped(const std::string& sink, std::uint64_t events) {
  sinks_.at(sink).dropped.increment(static_cast<double>(events));
}

void Instruments::show_lag(const std::string& sink, double seconds) {
  sinks_.at(sink).lag.set(seconds);
}

}  // namespace miroir::cdc
