// What drifts of a node's indexes and settings, behind Miroir's back.
#include <algorithm>
#include <utility>

#include "node_api/node_settings.h"
#include "sim/on_node.h"
#include "sim/world.h"

namespace miroir::sim {
namespace {

Json foreign_settings(int dice) {
  const Json words = Json::array({"foreign"});
  switch (dice % 5) {
    case 0:
      return Json::object({{"sortableAttributes", words}});
    case 1:
      return Json::object({{"filterableAttributes", words}});
    case 2:
      return Json::object({{"synonyms", Json::object({{"foreign", words}})}});
    case 3:
      return Json::object({{"typoTolerance", Json::object({{"enabled", false}})},
                           {"filterableAttributes", Json()}});
    default:
      return details_of_reset();
  }
}

// What was PUT there alone, and is merged into again once it is gone, makes two copies without a
// base, which nothing tells apart where the node is trusted (DESIGN.md, "Deciding"): a task under a
// number that Miroir passes over on that node is not noticed.
bool all_have_a_base(const SimulatedNode::Disk& disk, const SimulatedNode::Index& index) {
  const auto merges = [](const auto& row) {
    const auto* write =
        row.second.write ? std::get_if<WriteDocuments>(&*row.second.write) : nullptr;
    return write != nullptr && write->merge;
  };
  return std::ranges::none_of(disk.tasks, merges) &&
         std::ranges::all_of(index.documents, [](const auto& row) {
           return row.first[0] != 'm' || row.second.find(kBaseField) != nullptr;
         });
}

}  // namespace

void World::drift(const Fault& fault) {
  SimulatedNode& node = *nodes_.at(fault.node);
  const auto index = node.disk().indexes.find(fault.index);
  if (index == node.disk().indexes.end() || is_being_dropped(node, fault.index)) return;
  if (fault.kind != FaultKind::kDriftSettings && !all_have_a_base(node.disk(), index->second))
    return;
  if (fault.kind == FaultKind::kDriftLost) {
    damaged_ += kAllDocuments;
    node.drop_directly(fault.index);
    return;
  }
  // Under another name by the time that it is done, it would make an index.
  for (const std::string& name : {fault.index, other_index(fault.index)})
    strange_indexes_.insert({fault.node, name});
  if (fault.kind == FaultKind::kDriftSettings) {
    (void)node.enqueue(UpdateSettings{fault.index, foreign_settings(fault.handlers)}, std::nullopt,
                       "");
    return;
  }
  damaged_ += kAllDocuments;
  (void)node.enqueue(DropIndex{fault.index}, std::nullopt, "");
  if (fault.kind == FaultKind::kDriftDrop) return;
  (void)node.enqueue(CreateIndex{fault.index, "isbn"}, std::nullopt, "");
  if (fault.handlers % 3 == 0)
    write_by_task(node, fault.index, "isbn", Json::object({{"isbn", "s"}, {"v", "stranger's"}}));
}

}  // namespace miroir::sim
