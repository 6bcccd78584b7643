#include "sim/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace miroir::sim {
namespace {

// Whether a task that carries no metadata may be this request's.
bool fits(const Request& request, const Entry& entry) {
  if (request.act == Act::kSwap) return entry.task_type == "indexSwap";
  if (entry.index_uid != request.index) return false;
  if (request.act == Act::kCreate) return entry.task_type == "indexCreation";
  if (request.act == Act::kDrop) return entry.task_type == "indexDeletion";
  return entry.task_type == "settingsUpdate" &&
         to_text(entry.task_details).find('"' + request.value + '"') != std::string::npos;
}

std::string text_at(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  return value != nullptr && value->is_string() ? value->as_string() : "";
}

// Requests on keys have no tasks. Each is known by the key and the name that it gives it; that a
// key is deleted, by the key, which is never made again.
void replay_keys(const std::vector<Operation>& operations,
                 const std::vector<std::shared_ptr<const Entry>>& entries, History& history) {
  using Change = std::pair<std::string, std::string>;
  std::map<Change, const Operation*> may_be;
  std::set<Change> took_place;
  for (const Operation& operation : operations) {
    if (is_key_act(operation.request.act) && operation.status < 300)
      may_be[{operation.request.ids.front(), operation.request.value}] = &operation;
  }
  for (const auto& entry : entries) {
    const bool put = entry->kind == EntryKind::kPutKey;
    if ((!put && entry->kind != EntryKind::kDeleteKey) || entry->target) continue;
    const Change change{text_at(entry->arguments, "uid"),
                        put ? text_at(entry->arguments, "name") : ""};
    if (!may_be.contains(change))
      history.wrong.push_back(fmt::format("the change of a key at {} is no request's: {}",
                                          entry->position, to_text(entry->arguments)));
    took_place.insert(change);
    if (put) {
      history.model.keys()[change.first] = change.second;
    } else {
      history.model.keys().erase(change.first);
    }
  }
  for (const auto& [change, operation] : may_be) {
    if (operation->status != 0 && !took_place.contains(change))
      history.wrong.push_back(
          fmt::format("op{} was acknowledged, and did not take place", operation->number));
  }
}

}  // namespace

std::string metadata_of(int number) { return "op" + std::to_string(number); }

History replay(std::vector<Operation>& operations,
               const std::vector<std::shared_ptr<const Entry>>& entries,
               const std::function<bool(Position)>& cursed,
               const std::function<void(const Model&, Position)>& at) {
  History history;
  replay_keys(operations, entries, history);
  std::map<Position, const Entry*> tasks;
  std::map<std::string, Position> by_metadata;
  for (const auto& entry : entries) {
    if (entry->task_type.empty() || entry->task != entry->position) continue;
    tasks[entry->position] = entry.get();
    if (!entry->custom_metadata.empty() &&
        !by_metadata.emplace(entry->custom_metadata, entry->position).second)
      history.wrong.push_back("the request " + entry->custom_metadata + " was taken twice");
  }
  std::map<Position, Operation*> order;
  for (Operation& operation : operations) {
    if (operation.status != 202) continue;
    const auto found = tasks.find(operation.task);
    const bool there = found != tasks.end() &&
                       (is_document_act(operation.request.act)
                            ? found->second->custom_metadata == metadata_of(operation.number)
                            : fits(operation.request, *found->second));
    if (!there || !order.emplace(operation.task, &operation).second) {
      history.wrong.push_back(fmt::format("op{} was acknowledged as task {}, which is not its",
                                          operation.number, operation.task));
    }
  }
  for (Operation& operation : operations) {
    if (operation.status == 202 || is_key_act(operation.request.act)) continue;
    operation.task = 0;
    if (is_document_act(operation.request.act)) {
      const auto found = by_metadata.find(metadata_of(operation.number));
      if (found != by_metadata.end()) operation.task = found->second;
    } else if (operation.status == 0) {
      for (const auto& [position, entry] : tasks) {
        if (order.contains(position) || !fits(operation.request, *entry)) continue;
        operation.task = position;
        break;
      }
    }
    if (operation.task == 0) continue;
    order.emplace(operation.task, &operation);
    if (operation.status != 0) {
      history.wrong.push_back(fmt::format("op{} was refused with {}, and took place as task {}",
                                          operation.number, operation.status, operation.task));
    }
  }
  for (const auto& [position, entry] : tasks) {
    if (!order.contains(position))
      history.wrong.push_back(fmt::format("task {} is no request's", position));
  }
  for (auto& [position, operation] : order) {
    if (at) at(history.model, position);
    const bool fails = is_document_act(operation->request.act) && cursed(position);
    operation->valid = fails ? history.model.apply_failed(operation->request)
                             : history.model.apply(operation->request);
  }
  if (at) at(history.model, entries.empty() ? 1 : entries.back()->position + 1);
  return history;
}

}  // namespace miroir::sim
