#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace miroir {

using Labels = std::map<std::string, std::string>;

// Handles into the registry: resolve once, keep, and use from any thread. They live as long as the
// registry.
class Counter {
 public:
  void increment(double by = 1);
  double value() const;
  void* handle_ = nullptr;
};
class Gauge {
 public:
  void set(double value);
  double value() const;
  void* handle_ = nullptr;
};
class Histogram {
 public:
  void observe(double value);
  void* handle_ = nullptr;
};

// All metrics of one process. A counter exists, at 0, from the moment its handle is resolved:
// resolve handles at the start, or increase() misses the first event. Labels come from closed sets
// only. Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  Histogram histogram(const std::string& name, const std::string& help, std::vector<double> buckets,
                      const Labels& labels = {});
  // Forgets one labelled gauge (a state that no longer is).
  void remove_gauge(const std::string& name, const Labels& labels);
  // Prometheus text exposition format 0.0.4.
  std::string text() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace miroir
