#pragma once

#include <optional>

#include "node_api/simulated_node_fake.h"

namespace miroir {

// What a write is called in a task, and the index it belongs to.
std::string simulated_task_type(const NodeWrite& write);
std::string simulated_task_index(const NodeWrite& write);

// Why a task failed, as its error says, or its details.
struct SimulatedOutcome {
  std::optional<Json> error;
  Json details = Json::object();
  bool stays = false;  // what was changed before the error
};
// Applies one task to the disk, as Meilisearch would when the task runs. After an error the disk
// may be half changed: the caller drops it, unless that stays.
SimulatedOutcome apply_simulated_write(SimulatedNode::Disk& disk, const NodeTask& task,
                                       const NodeWrite& write, const FieldNames& names,
                                       const std::string& now);
Json simulated_task_error(std::string_view code, std::string message);

// Evaluates a client's filter: comparisons of top-level fields, AND, OR, NOT, EXISTS.
Result<bool> simulated_filter_matches(const Json& filter, const Json& document);

}  // namespace miroir
