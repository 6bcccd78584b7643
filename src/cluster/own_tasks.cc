#include "cluster/own_tasks.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "node_api/node_settings.h"

namespace miroir {
namespace {

constexpr std::size_t kEntriesAtOnce = 256;
constexpr std::string_view kMetadataPrefix = "miroir:";

// What the entry, once carried out, makes of an index's name.
std::string renamed_by(const Entry& entry, std::string name) {
  if (entry.born_failed) return name;
  if (entry.kind == EntryKind::kUpdateIndex && entry.index_uid == name) {
    const std::string* new_name = entry.arguments.find_text("newUid");
    return new_name == nullptr ? name : *new_name;
  }
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return name;
  for (const Json& swap : entry.arguments.as_array()) {
    const Json* pair = swap.find("indexes");
    if (pair == nullptr || pair->size() != 2) continue;
    const Json::Array& names = pair->as_array();
    if (names[0] == Json(name)) return names[1].as_string();
    if (names[1] == Json(name)) return names[0].as_string();
  }
  return name;
}

// Meilisearch renames the indexes of old tasks when it swaps or renames, a rename's own task not
// with it: the node may stand after any of the entries that follow.
Async<Result<bool>> names_index(std::string index_uid, std::shared_ptr<const Entry> entry,
                                Log& log) {
  if (entry->index_uid == index_uid || entry->kind == EntryKind::kSwapIndexes) co_return true;
  std::array<std::string, 2> names = {entry->index_uid, renamed_by(*entry, entry->index_uid)};
  if (names[1] == index_uid) co_return true;
  for (Position next = entry->position + 1; next <= log.head();) {
    MIROIR_CO_TRY(const auto entries, co_await log.entries(next, kEntriesAtOnce));
    if (entries.empty()) co_return false;
    for (const std::shared_ptr<const Entry>& later : entries) {
      for (std::string& name : names) name = renamed_by(*later, std::move(name));
      if (std::ranges::count(names, index_uid) > 0) co_return true;
    }
    next = entries.back()->position + 1;
  }
  co_return false;
}

// Whether it says of a task without metadata what the entry sent. Settings alone are told apart.
bool may_be_of(const NodeTask& task, const Entry& entry) {
  if (node_task_type(entry.kind) != task.type) return false;
  const Json* settings = entry.arguments.find("settings");
  if (entry.kind != EntryKind::kUpdateSettings || settings == nullptr) return true;
  return !task.details.is_object() || may_show(task.details, *settings);
}

}  // namespace

std::string_view node_task_type(EntryKind kind) {
  switch (kind) {
    case EntryKind::kWriteDocuments:
    case EntryKind::kMergeDocuments:
    case EntryKind::kRepairDocuments:
      return "documentAdditionOrUpdate";
    case EntryKind::kDeleteDocuments:
    case EntryKind::kDeleteByFilter:
    case EntryKind::kClearDocuments:
    case EntryKind::kRepairDeletes:
      return "documentDeletion";
    case EntryKind::kCreateIndex:
      return "indexCreation";
    case EntryKind::kUpdateIndex:
      return "indexUpdate";
    case EntryKind::kDropIndex:
      return "indexDeletion";
    case EntryKind::kSwapIndexes:
      return "indexSwap";
    case EntryKind::kUpdateSettings:
      return "settingsUpdate";
    case EntryKind::kForgetNodeTasks:
      return "taskDeletion";
    case EntryKind::kPutKey:
    case EntryKind::kDeleteKey:
    case EntryKind::kAdoptIndex:
    case EntryKind::kTakeBack:
    case EntryKind::kTaskOperation:
      return "";
  }
  return "";
}

std::string task_metadata(EntryMark mark) {
  return std::string(kMetadataPrefix) + std::to_string(mark.position) + ":" +
         std::to_string(mark.stamp);
}

std::optional<EntryMark> parse_task_metadata(std::string_view metadata) {
  if (!metadata.starts_with(kMetadataPrefix)) return std::nullopt;
  metadata.remove_prefix(kMetadataPrefix.size());
  const char* const last = metadata.data() + metadata.size();
  EntryMark mark;
  const auto position = std::from_chars(metadata.data(), last, mark.position);
  if (position.ec != std::errc() || position.ptr == last || *position.ptr != ':' ||
      mark.position == 0)
    return std::nullopt;
  const auto stamp = std::from_chars(position.ptr + 1, last, mark.stamp);
  if (stamp.ec != std::errc() || stamp.ptr != last) return std::nullopt;
  return mark;
}

Async<Result<bool>> knows(SentLog sent, EntryMark mark) {
  if (mark.position > std::min(sent.up_to, sent.log.head())) co_return false;
  if (mark.position <= sent.log.forgotten()) co_return true;
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(sent.log, mark.position));
  co_return entry != nullptr && entry->stamp == mark.stamp;
}

Async<Result<std::optional<Position>>> identify(const NodeTask& task, std::int64_t offset,
                                                SentLog sent) {
  if (const auto mark = parse_task_metadata(task.custom_metadata)) {
    MIROIR_CO_TRY(const bool known, co_await knows(sent, *mark));
    co_return known ? std::optional(mark->position) : std::nullopt;
  }
  if (task.type == node_task_type(EntryKind::kWriteDocuments) ||
      task.type == node_task_type(EntryKind::kDeleteDocuments)) {
    co_return std::nullopt;  // ours carry metadata
  }
  const std::int64_t position = std::int64_t{task.uid} - offset;
  if (position < 1 || static_cast<Position>(position) > std::min(sent.up_to, sent.log.head()))
    co_return std::nullopt;
  MIROIR_CO_TRY(const auto entry, co_await kept_entry(sent.log, static_cast<Position>(position)));
  if (entry == nullptr || entry->born_failed) co_return std::nullopt;
  if (entry->target.value_or(std::string(sent.node)) != sent.node || !may_be_of(task, *entry))
    co_return std::nullopt;
  MIROIR_CO_TRY(const bool names, co_await names_index(task.index_uid, entry, sent.log));
  if (!names) co_return std::nullopt;
  co_return static_cast<Position>(position);
}

}  // namespace miroir
