#include "anti_entropy/instruments.h"

namespace miroir::anti_entropy {
namespace {
constexpr std::size_t kIndexLabelsMax = 200;

Counter scanned_bytes(Metrics& metrics, const char* tier) {
  return metrics.counter("miroir_antientropy_scanned_bytes_total",
                         "Bytes of documents read from nodes by the reconciler.", {{"tier", tier}});
}
}  // namespace

Instruments::Instruments(Metrics& metrics)
    : shards_scanned(metrics.counter("miroir_antientropy_shards_scanned_total",
                                     "Shards whose replicas were compared.")),
      mismatches_found(
          metrics.counter("miroir_antientropy_mismatches_found_total",
                          "Settled documents, settings, keys and indexes found to differ.")),
      documents_repaired(metrics.counter("miroir_antientropy_docs_repaired_total",
                                         "Documents repaired, verified by reading them again.")),
      last_scan_completed(metrics.gauge("miroir_antientropy_last_scan_completed_seconds",
                                        "UNIX time of the last completed pass.")),
      light_bytes(scanned_bytes(metrics, "light")),
      deep_bytes(scanned_bytes(metrics, "deep")),
      metrics_(metrics) {
  of("other");
}

std::string Instruments::label(const std::string& index) {
  return indexes_.contains(index) || indexes_.size() <= kIndexLabelsMax ? index : "other";
}

Instruments::OfIndex& Instruments::of(const std::string& index) {
  const std::string name = label(index);
  if (auto found = indexes_.find(name); found != indexes_.end()) return found->second;
  OfIndex handles{
      metrics_.gauge("miroir_antientropy_unresolved_documents",
                     "Documents that differ and could not be repaired in the last pass.",
                     {{"index", name}}),
      metrics_.counter("miroir_antientropy_conflicts_total",
                       "Documents with equal stamps and different contents.", {{"index", name}})};
  return indexes_.emplace(name, handles).first->second;
}

void Instruments::set_unresolved(const std::string& index, std::uint64_t documents) {
  of(index).unresolved.set(static_cast<double>(documents));
}

void Instruments::add_conflict(const std::string& index) { of(index).conflicts.increment(); }

}  // namespace miroir::anti_entropy
