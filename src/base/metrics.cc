#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

#include "base/assert.h"

namespace miroir {

struct Metrics::State {
  prometheus::Registry registry;
  mutable std::mutex mutex;  // of the maps below; the registry has its own
  std::map<std::string, prometheus::Family<prometheus::Counter>*> counters;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> gauges;
  std::map<std::string, prometheus::Family<prometheus::Histogram>*> histograms;
  std::map<std::pair<std::string, Labels>, prometheus::Gauge*> gauge_handles;
};

void Counter::increment(double by) {
  MIROIR_ASSERT(counter_ != nullptr);
  counter_->Increment(by);
}

double Counter::value() const {
  MIROIR_ASSERT(counter_ != nullptr);
  return counter_->Value();
}

void Gauge::set(double value) {
  MIROIR_ASSERT(gauge_ != nullptr);
  gauge_->Set(value);
}

double Gauge::value() const {
  MIROIR_ASSERT(gauge_ != nullptr);
  return gauge_->Value();
}

void Histogram::observe(double value) {
  MIROIR_ASSERT(histogram_ != nullptr);
  histogram_->Observe(value);
}

Metrics::Metrics() : state_(std::make_unique<State>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& family = state_->counters[name];
  if (family == nullptr) {
    family = &prometheus::BuildCounter().Name(name).Help(help).Register(state_->registry);
  }
  return Counter(family->Add(labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& family = state_->gauges[name];
  if (family == nullptr) {
    family = &prometheus::BuildGauge().Name(name).Help(help).Register(state_->registry);
  }
  auto& handle = state_->gauge_handles[{name, labels}];
  if (handle == nullptr) handle = &family->Add(labels);
  return Gauge(*handle);
}

Histogram Metrics::histogram(const std::string& name, const std::string& help,
                             std::vector<double> buckets, const Labels& labels) {
  std::lock_guard lock(state_->mutex);
  auto& family = state_->histograms[name];
  if (family == nullptr) {
    family = &prometheus::BuildHistogram().Name(name).Help(help).Register(state_->registry);
  }
  return Histogram(family->Add(labels, std::move(buckets)));
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
