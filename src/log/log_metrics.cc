#include "log/log_metrics.h"

#include <map>

namespace miroir {
namespace {

constexpr std::size_t kIndexLabelsMax = 200;
constexpr const char* kTombstones = "miroir_tombstones";
constexpr const char* kTasks = "miroir_tasks_total";
constexpr const char* kTasksHelp = "Clients' tasks by how they ended.";

}  // namespace

LogMetrics::LogMetrics(Metrics& metrics)
    : metrics_(metrics),
      position_(metrics.gauge("miroir_log_position", "Newest position of the log")),
      bytes_(metrics.gauge("miroir_log_bytes", "Bytes of the bodies that the log keeps")),
      enqueued_(metrics.counter(kTasks, kTasksHelp, {{"status", "enqueued"}})),
      canceled_(metrics.counter(kTasks, kTasksHelp, {{"status", "canceled"}})) {}

void LogMetrics::show(const Appender::Head& head) {
  position_.set(static_cast<double>(head.position));
  bytes_.set(static_cast<double>(head.body_bytes));
}

void LogMetrics::show(const Catalogue& catalogue, const Tombstones& tombstones) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& [uid, index] : catalogue.indexes())
    counts[counts.size() < kIndexLabelsMax ? uid : "other"] += tombstones.count(index.incarnation);
  for (const std::string& uid : indexes_)
    if (!counts.contains(uid)) metrics_.remove_gauge(kTombstones, {{"index", uid}});
  indexes_.clear();
  for (const auto& [uid, count] : counts) {
    metrics_.gauge(kTombstones, "Deletes that are remembered", {{"index", uid}})
        .set(static_cast<double>(count));
    indexes_.insert(uid);
  }
}

}  // namespace miroir
