#include "anti_entropy/instruments.h"

#include <algorithm>

#include "anti_entropy/reports.h"

namespace miroir::anti_entropy {
namespace {
constexpr std::size_t kIndexLabelsMax = 200;
constexpr const char* kOther = "other";

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
      light_bytes(scanned_bytes(metrics, "light")),
      deep_bytes(scanned_bytes(metrics, "deep")),
      metrics_(metrics) {
  of(kOther);
}

void Instruments::show_completed(WallTime pass, WallTime deep) {
  const auto show_time = [this](const char* name, const char* help, WallTime when) {
    const auto seconds = std::chrono::duration_cast<Seconds>(when.time_since_epoch());
    metrics_.gauge(name, help).set(static_cast<double>(seconds.count()));
  };
  show_time("miroir_antientropy_last_scan_completed_seconds",
            "UNIX time of the last completed pass.", pass);
  show_time("miroir_antientropy_last_deep_scan_completed_seconds",
            "UNIX time at which deep passes had last been through all shards.", deep);
}

Instruments::OfLabel& Instruments::of(const std::string& index) {
  if (auto its = labels_.find(index); its != labels_.end()) return its->second;
  if (labels_.size() > kIndexLabelsMax) return labels_.at(kOther);
  OfLabel handles{
      .unresolved = metrics_.gauge(
          "miroir_antientropy_unresolved_documents",
          "Documents that differ and could not be repaired in the last pass.", {{"index", index}}),
      .divergent_passes =
          metrics_.gauge("miroir_antientropy_divergent_passes",
                         "Passes in a row that found documents to differ.", {{"index", index}}),
      .conflicts = metrics_.counter("miroir_antientropy_conflicts_total",
                                    "Documents with equal stamps and different contents.",
                                    {{"index", index}}),
      .states = {},
      .found = {}};
  for (const auto& [state, reason] : shard_states()) {
    const Labels labels{
        {"index", index}, {"state", std::string(state)}, {"reason", std::string(reason)}};
    handles.states.emplace(
        std::pair{state, reason},
        metrics_.gauge("miroir_antientropy_shard_state",
                       "Shards by what the last pass knows of their replicas.", labels));
  }
  return labels_.emplace(index, std::move(handles)).first->second;
}

void Instruments::show(const IndexReport& index) {
  OfLabel& label = of(index.uid);
  Found& found = label.found[index.uid];
  found.unresolved = index.unresolved;
  found.divergent_in_a_row = index.divergent > 0 ? found.divergent_in_a_row + 1 : 0;
  found.states = index.states();
  show(label);
}

void Instruments::show_again(const Json& index) {
  const auto number = [](const Json& json, std::string_view name) {
    const Json* value = json.find(name);
    return value != nullptr && value->is_integer() ? value->as_uint64() : 0;
  };
  const Json* uid = index.find("index");
  const Json* states = index.find("states");
  if (uid == nullptr || !uid->is_string() || states == nullptr || !states->is_array()) return;
  OfLabel& label = of(uid->as_string());
  Found& found = label.found[uid->as_string()];
  found.unresolved = number(index, "unresolved");
  found.divergent_in_a_row = number(index, "divergent") > 0 ? 1 : 0;
  for (const Json& state : states->as_array()) {
    for (const auto& known : shard_states()) {
      if (state.find("state") != nullptr && *state.find("state") == Json(known.first) &&
          state.find("reason") != nullptr && *state.find("reason") == Json(known.second))
        found.states[known] = number(state, "shards");
    }
  }
  show(label);
}

void Instruments::show(OfLabel& label) {
  std::uint64_t unresolved = 0;
  std::uint64_t divergent_passes = 0;
  States states;
  for (const auto& [uid, found] : label.found) {
    unresolved += found.unresolved;
    divergent_passes = std::max(divergent_passes, found.divergent_in_a_row);
    for (const auto& [state, shards] : found.states) states[state] += shards;
  }
  label.unresolved.set(static_cast<double>(unresolved));
  label.divergent_passes.set(static_cast<double>(divergent_passes));
  for (auto& [state, gauge] : label.states) gauge.set(static_cast<double>(states[state]));
}

void Instruments::forget_all_but(const std::set<std::string>& uids) {
  for (auto& [name, label] : labels_) {
    std::erase_if(label.found, [&](const auto& its) { return !uids.contains(its.first); });
    show(label);
  }
}

void Instruments::add_conflict(const std::string& index) { of(index).conflicts.increment(); }

}  // namespace miroir::anti_entropy
