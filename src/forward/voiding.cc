#include "forward/voiding.h"

#include <algorithm>

#include "forward/plan.h"

namespace miroir {
bool only_changes_documents(EntryKind kind) {
  return kind == EntryKind::kWriteDocuments || kind == EntryKind::kMergeDocuments ||
         kind == EntryKind::kDeleteDocuments || kind == EntryKind::kDeleteByFilter;
}

Async<Result<std::vector<Voiding::Part>>> Voiding::parts_of(Position task) const {
  std::vector<Part> parts;
  for (Position position = task; position > 0; --position) {
    MIROIR_CO_TRY(auto entry, co_await context_.log.entry(position));
    if (entry->task != task) break;
    if (entry->born_failed || !only_changes_documents(entry->kind)) co_return std::vector<Part>();
    Part part{std::move(entry), {}};
    for (std::size_t node = 0; node < forwarders_.size(); ++node) {
      if (concerns(*part.entry, forwarders_[node]->node(), context_.cluster.topology()))
        part.nodes.push_back(node);
    }
    if (part.nodes.empty()) co_return std::vector<Part>();
    parts.insert(parts.begin(), std::move(part));
  }
  co_return parts;
}

bool Voiding::hold(const std::vector<Part>& parts) {
  const bool unsent = std::ranges::all_of(parts, [&](const Part& part) {
    return std::ranges::all_of(part.nodes, [&](std::size_t node) {
      return forwarders_[node]->can_hold(part.entry->position);
    });
  });
  if (!unsent) return false;
  for (const Part& part : parts) {
    for (std::size_t node : part.nodes) forwarders_[node]->hold(part.entry->position);
  }
  return true;
}

void Voiding::let_go(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    for (std::size_t node : part.nodes)
      forwarders_[node]->release(part.entry->position, std::nullopt);
  }
}

Log::Places Voiding::places_of(const std::vector<Part>& parts) const {
  Log::Places where;
  for (const Part& part : parts)
    for (std::size_t node : part.nodes)
      where.emplace_back(part.entry->position, forwarders_[node]->node());
  return where;
}

Async<void> Voiding::make_void(std::vector<Part> parts, Json outcome) {
  // All or none, whatever befalls us: what is void on one node only would happen on the others.
  const Log::Places where = places_of(parts);
  co_await insist(context_.clock, "outcome",
                  [&] { return context_.log.record_failures(where, outcome); });
  for (const Part& part : parts) {
    for (std::size_t node : part.nodes) {
      Forwarder& forwarder = *forwarders_[node];
      co_await insist(context_.clock, "outcome",
                      [&] { return outcomes_.failed(part.entry, forwarder.node(), outcome); });
      forwarder.release(part.entry->position, outcome);
    }
  }
}

Json canceled_by(Position task) { return Json::object({{std::string(kNeverSent), task}}); }

Json failed_elsewhere(const Json& error) {
  Json outcome = error;
  outcome.set(kNeverSent, 0);
  return outcome;
}

std::optional<Position> voided_by(const Json& outcome) {
  const Json* by = outcome.find(kNeverSent);
  if (by == nullptr || !by->is_integer()) return std::nullopt;
  return by->as_uint64();
}

}  // namespace miroir
