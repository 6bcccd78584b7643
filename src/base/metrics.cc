#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

namespace miroir {

struct Metrics::State {
  prometheus::Registry registry;
  mutable std::mutex mutex;  // of the maps below; the registry has its own
  std::map<std::string, prometheus::Family<prometheus::Counter>*> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*> histograms;
  std::map<std::pair<std::string, Labels>, prometheus::Gauge*> gauge_handles;
};

void Counter::increment(double by) { static_cast<prometheus::Counter*>(handle_)->Increment(by); }
double Counter::value() const { return static_cast<prometheus::Counter*>(handle_)->Value(); }
void Gauge::set(double value) { static_cast<prometheus::Gauge*>(handle_)->Set(value); }
double Gauge::value() const { return static_cast<prometheus::Gauge*>(handle_)->Value(); }
void Histogram::observe(double value) {
  static_cast<prometheus::Histogram*>(handle_)->Observe(value);
}

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& family = state_->counters[name];
  if (family == nullptr) {
    family = &prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry);
  }
  Counter counter;
  counter.handle_ = &family->Add(labels);
  return counter;
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& family = state_->gauges[name];
  if (family == nullptr) {
    family = &prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry);
  }
  auto& handle = state_->gauge_handles[{name, labels}];
  if (handle == nullptr) handle = &family->Add(labels);
  Gauge gauge;
  gauge.handle_ = handle;
  return gauge;
}

Histogram Metrics::histogram(const std::string& name, const std::string& help,
                             std::vector<double> buckets, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& family = state_->histograms[name];
  if (family == nullptr) {
    family = &prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry);
  }
  Histogram histogram;
  histogram.handle_ = &family->Add(labels, std::move(buckets));
  return histogram;
}

void Metrics::remove_gauge(const std::string& name, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  const auto found = state_->gauge_handles.find({name, labels});
  if (found == state_->gauge_handles.end()) return;
  state_->gauges[name]->Remove(found->second);
  state_->gauge_handles.erase(found);
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(state_->registry.Collect());
}

}  // namespace miroir
