#include "sim/on_node.h"

#include <algorithm>
#include <utility>

namespace miroir::sim {

const Json* document_on(const SimulatedNode& node, const Fault& fault) {
  const auto index = node.disk().indexes.find(fault.index);
  if (index == node.disk().indexes.end()) return nullptr;
  const auto document = index->second.documents.find(fault.id);
  return document == index->second.documents.end() ? nullptr : &document->second;
}

bool has_base(const SimulatedNode& node, const Fault& fault) {
  const Json* document = document_on(node, fault);
  return document != nullptr && document->find(kBaseField) != nullptr;
}

bool is_stamped(const SimulatedNode& node, const Fault& fault) {
  const Json* document = document_on(node, fault);
  return document != nullptr && document->find(FieldNames().updated_at) != nullptr;
}

bool has_other_key(const SimulatedNode& node, const std::string& index) {
  const auto found = node.disk().indexes.find(index);
  return found != node.disk().indexes.end() && found->second.primary_key &&
         found->second.primary_key != "id";
}

bool is_being_dropped(const SimulatedNode& node, const std::string& index) {
  return std::ranges::any_of(node.disk().tasks, [&](const auto& entry) {
    const NodeTask& task = entry.second.task;
    return !task.ended() && task.type == "indexDeletion" && task.index_uid == index;
  });
}

void write_by_task(SimulatedNode& node, const std::string& index, const std::string& key,
                   const Json& document) {
  WriteDocuments write{.index_uid = index,
                       .primary_key = key,
                       .merge = false,
                       .skip_creation = false,
                       .ndjson = to_text(document) + "\n"};
  (void)node.enqueue(std::move(write), std::nullopt, "");
}

}  // namespace miroir::sim
