#include "anti_entropy/instruments.h"

#include "anti_entropy/reports.h"

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
      .unresolved = metrics_.gauge(
          "miroir_antientropy_unresolved_documents",
          "Documents that differ and could not be repaired in the last pass.", {{"index", name}}),
      .divergent_passes =
          metrics_.gauge("miroir_antientropy_divergent_passes",
                         "Passes in a row that found documents to differ.", {{"index", name}}),
      .conflicts = metrics_.counter("miroir_antientropy_conflicts_total",
                                    "Documents with equal stamps and different contents.",
                                    {{"index", name}}),
      .states = {}};
  for (const auto& [state, reason] : shard_states()) {
    const Labels labels{
        {"index", name}, {"state", std::string(state)}, {"reason", std::string(reason)}};
    handles.states.emplace(
        std::pair{state, reason},
        metrics_.gauge("miroir_antientropy_shard_state",
                       "Shards by what the last pass knows of their replicas.", labels));
  }
  return indexes_.emplace(name, std::move(handles)).first->second;
}

void Instruments::show(const IndexReport& index) {
  OfIndex& its = of(index.uid);
  its.unresolved.set(static_cast<double>(index.unresolved));
  its.divergent_in_a_row = index.divergent > 0 ? its.divergent_in_a_row + 1 : 0;
  its.divergent_passes.set(static_cast<double>(its.divergent_in_a_row));
  const auto counts = index.states();
  for (auto& [state, gauge] : its.states) {
    const auto count = counts.find(state);
    gauge.set(count == counts.end() ? 0 : static_cast<double>(count->second));
  }
}

void Instruments::forget_all_but(const std::set<std::string>& uids) {
  for (auto& [uid, its] : indexes_) {
    if (uids.contains(uid)) continue;
    its.unresolved.set(0);
    its.divergent_passes.set(0);
    its.divergent_in_a_row = 0;
    for (auto& [state, gauge] : its.states) gauge.set(0);
  }
}

void Instruments::add_conflict(const std::string& index) { of(index).conflicts.increment(); }

}  // namespace miroir::anti_entropy
