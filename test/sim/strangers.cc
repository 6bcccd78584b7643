// What strangers do on the nodes.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "log/rows.h"
#include "sim/on_node.h"
#include "sim/world.h"

namespace miroir::sim {
namespace {

// Whether the log that is left would tell what became of an index of that name.
bool tells_of(const Ledger::Entries& entries, const std::string& index) {
  return std::ranges::any_of(entries, [&](const auto& one) {
    const Entry& entry = *one.second;
    const bool is_one = entry.incarnation > 0 || entry.kind == EntryKind::kCreateIndex ||
                        entry.kind == EntryKind::kAdoptIndex;
    return is_one && index_names(entry).contains(index);
  });
}

}  // namespace

// On nodes that own it: what is only reported elsewhere, no client's delete would reach.
void World::write_as_stranger(const Fault& fault) {
  const bool by_task = fault.handlers > 0;
  // Under its name there may be the other index by now.
  if (names_changed_ && plan_.foreign_documents == ForeignDocuments::kAdopt) return;
  const Json document =
      Json::object({{"id", fault.id}, {"v", "stranger" + std::to_string(strange_.size())}});
  const auto owners = topology_.owners(topology_.shard_of(slot_of(fault.id)));
  // What was adopted before must not be lost everywhere.
  const auto has_a_version = [&](const std::string& owner) {
    return is_stamped(*nodes_.at(owner), fault);
  };
  if (fault.node.empty() && std::ranges::any_of(owners, has_a_version)) return;
  for (const std::string& owner : owners) {
    SimulatedNode& node = *nodes_.at(owner);
    if (!fault.node.empty() && owner != fault.node) continue;
    node.catch_up();
    if (!node.disk().indexes.contains(fault.index) || has_other_key(node, fault.index)) continue;
    if (by_task && is_being_dropped(node, fault.index)) continue;
    ++damaged_;
    if (by_task) {
      write_by_task(node, fault.index, "id", document);
    } else {
      node.write_directly(fault.index, fault.id, document);
    }
    strange_.push_back({ledger_.head(), fault.index, fault.id, document});
  }
}

// One that is there, in the stranger's eyes, is no new one. What becomes of its documents once a
// client makes an index of that name is said where these are reported or removed.
void World::make_index_as_stranger(const Fault& fault) {
  SimulatedNode& node = *nodes_.at(fault.node);
  const bool theirs = fault.index == kTheirs;
  if (!theirs && (node.disk().indexes.contains(fault.index) ||
                  plan_.foreign_documents == ForeignDocuments::kAdopt))
    return;
  // What clients do to an index of that name fails there.
  damaged_ += theirs ? 1 : kAllDocuments;
  strange_indexes_.insert({fault.node, fault.index});
  const std::string key = theirs ? "isbn" : "id";
  // On a node that does not own it, no client's delete would reach it.
  if (!theirs && !topology_.owns(fault.node, slot_of(fault.id))) {
    (void)node.enqueue(CreateIndex{fault.index, key}, std::nullopt, "");
    return;
  }
  const Json document = Json::object({{key, fault.id}, {"v", "stranger's"}});
  strange_.push_back({ledger_.head(), fault.index, fault.id, document});
  write_by_task(node, fault.index, key, document);
}

// Of all that somebody may do it is the least: nothing, by a task. Of what a node holds it says as
// little as any other.
void World::disturb_everybody(const Fault& fault) {
  everybody_ = true;
  for (auto& [id, node] : nodes_) {
    node->catch_up();
    if (fault.handlers > 0) {
      delete_tasks(id, true);
      continue;
    }
    (void)node->enqueue(DeleteDocuments{fault.index, {"nobody"}}, std::nullopt, "");
  }
}

// Not those that somebody still asks for, also after a crash: nobody would know how they ended.
void World::delete_tasks(const std::string& node, bool newest_too) {
  const MemoryStore::Tables disk = store_.snapshot();
  const auto& rows = disk.at(static_cast<std::size_t>(Table::kNode));
  const auto row = rows.find(node);
  if (row == rows.end()) return;
  const auto saved = decode_progress(row->second);
  if (!saved) return;
  const NodeProgress& its = *saved;
  const auto ended = static_cast<std::int64_t>(std::min({its.done, its.settled, its.acknowledged}));
  const std::int64_t before = ended + its.offset + (newest_too ? 1 : 0);
  if (before <= 0) return;
  const ForgetTasks tasks{.first = 0, .before = static_cast<TaskUid>(before)};
  (void)nodes_.at(node)->enqueue(tasks, std::nullopt, "");
}

void World::lose(const std::string& node, const std::string& index, const std::string& id) {
  ++damaged_;
  witness_.damaged(clock_.now());
  nodes_.at(node)->catch_up();
  nodes_.at(node)->delete_directly(index, id);
  say(fmt::format("{}/{} is lost on {}", index, id, node));
}

bool World::holds_under_other_key(const std::string& node, const std::string& index) {
  SimulatedNode& its = *nodes_.at(node);
  its.catch_up();
  return has_other_key(its, index) && !its.disk().indexes.at(index).documents.empty();
}

bool World::drop_index_of_strangers(const std::string& node, const std::string& index) {
  SimulatedNode& its = *nodes_.at(node);
  its.catch_up();
  const bool forgotten = put_back_.contains({node, index}) && !tells_of(ledger_.entries(), index);
  if (!forgotten && !strange_indexes_.contains({node, index})) return false;
  if (!its.disk().indexes.contains(index)) return false;
  say(fmt::format("a person drops what {}, {} on {}",
                  forgotten ? "a lost log had dropped" : "a stranger made", index, node));
  (void)its.enqueue(DropIndex{index}, std::nullopt, "");
  return true;
}

std::set<std::string> World::strange_ids() const {
  std::set<std::string> ids;
  for (const Strange& one : strange_) ids.insert(one.id);
  return ids;
}

}  // namespace miroir::sim
