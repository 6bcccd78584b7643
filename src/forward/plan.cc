#include "forward/plan.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/document.h"

namespace miroir {
namespace {

std::optional<std::string> optional_text(const Json& object, std::string_view name) {
  const Json* value = object.find(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->as_string();
}

Result<NodeWrite> swap_of(const Entry& entry) {
  SwapIndexes write;
  if (!entry.arguments.is_array()) return fail(ErrorCode::kCorrupt, "a swap without pairs");
  for (const Json& swap : entry.arguments.as_array()) {
    const Json* indexes = swap.find("indexes");
    if (indexes == nullptr || !indexes->is_array() || indexes->size() != 2) {
      return fail(ErrorCode::kCorrupt, "a swap of something else than two indexes");
    }
    const Json* rename = swap.find("rename");
    write.pairs.push_back({indexes->as_array()[0].as_string(), indexes->as_array()[1].as_string(),
                           rename != nullptr && rename->is_bool() && rename->as_bool()});
  }
  return write;
}

// Its task numbers at the time of sending: an offset that moved since moved them too.
Result<NodeWrite> forget_of(const Entry& entry, std::int64_t offset) {
  const auto number = [&](std::string_view name) {
    const Json* position = entry.arguments.find(name);
    return position != nullptr && position->is_int64() ? position->as_int64() + offset : -1;
  };
  constexpr std::int64_t kNumberMax = std::numeric_limits<TaskUid>::max();
  const std::int64_t first = number("first");
  const std::int64_t before = number("before");
  if (first < 0 || before <= first || before > kNumberMax || before - first > kForgottenTasksMax)
    return fail(ErrorCode::kTooLarge, "the node has no such tasks any more");
  return ForgetTasks{static_cast<TaskUid>(first), static_cast<TaskUid>(before)};
}

// Whether the entry's shards are this topology's. A delete by filter does not say: it was resolved
// by it.
bool tells_shards(const Entry& entry, const Topology& topology) {
  return has_records(entry.kind) &&
         (entry.shard_count == topology.shard_count() || entry.shard_count == 0);
}

}  // namespace

bool has_records(EntryKind kind) {
  switch (kind) {
    case EntryKind::kWriteDocuments:
    case EntryKind::kMergeDocuments:
    case EntryKind::kDeleteDocuments:
    case EntryKind::kRepairDocuments:
    case EntryKind::kRepairDeletes:
      return true;
    default:
      return false;
  }
}

bool is_key(EntryKind kind) { return kind == EntryKind::kPutKey || kind == EntryKind::kDeleteKey; }

bool reaches_nodes(const Entry& entry) {
  return !entry.born_failed && entry.kind != EntryKind::kTaskOperation &&
         entry.kind != EntryKind::kAdoptIndex && entry.kind != EntryKind::kTakeBack;
}

bool unresolved(const Entry& entry) {
  return entry.kind == EntryKind::kDeleteByFilter && !entry.born_failed;
}

bool comes_with_a_name(const Entry& entry) {
  return entry.kind == EntryKind::kUpdateIndex && entry.task != entry.position;
}

std::vector<ShardId> touched_shards(const Entry& entry, const Topology& topology) {
  if (has_records(entry.kind) && entry.records == 0) return {};
  if (tells_shards(entry, topology)) return entry.shards;
  std::vector<ShardId> all(topology.shard_count());
  std::iota(all.begin(), all.end(), ShardId{0});
  return all;
}

bool concerns(const Entry& entry, const std::string& node, const Topology& topology) {
  if (!reaches_nodes(entry)) return false;
  if (has_records(entry.kind) && entry.records == 0) return false;
  if (entry.target) return *entry.target == node;
  if (!tells_shards(entry, topology)) return true;
  const std::vector<ShardId>& owned = topology.shards_of(node);
  return std::ranges::any_of(
      entry.shards, [&](ShardId shard) { return std::ranges::binary_search(owned, shard); });
}

bool is_for(const Entry& entry, const BodyRecord& record, const std::string& node,
            const Topology& topology) {
  return entry.target ? *entry.target == node : topology.owns(node, record.slot);
}

Result<NodeWrite> write_of(const Entry& entry, std::int64_t offset) {
  switch (entry.kind) {
    case EntryKind::kClearDocuments:
      return ClearDocuments{entry.index_uid};
    case EntryKind::kCreateIndex:
      return CreateIndex{entry.index_uid, optional_text(entry.arguments, "primaryKey")};
    case EntryKind::kUpdateIndex:
      return UpdateIndex{entry.index_uid, optional_text(entry.arguments, "primaryKey"),
                         optional_text(entry.arguments, "newUid")};
    case EntryKind::kDropIndex:
      return DropIndex{entry.index_uid};
    case EntryKind::kSwapIndexes:
      return swap_of(entry);
    case EntryKind::kUpdateSettings: {
      const Json* settings = entry.arguments.find("settings");
      if (settings == nullptr)
        return fail(ErrorCode::kCorrupt, "a settings entry without settings");
      return UpdateSettings{entry.index_uid, *settings};
    }
    case EntryKind::kForgetNodeTasks:
      return forget_of(entry, offset);
    default:
      return fail(ErrorCode::kInternal, "no request is made of this kind of entry");
  }
}

PartBuilder::PartBuilder(const Entry& entry, FieldNames names, std::uint64_t bytes_max)
    : entry_(entry), names_(std::move(names)), bytes_max_(bytes_max) {}

Result<void> PartBuilder::add(const BodyRecord& record) {
  switch (entry_.kind) {
    case EntryKind::kWriteDocuments:
      append_stored(ndjson_, record.document,
                    fields_of_whole_write(record.id, entry_.stamp, record.checksum, names_),
                    names_);
      ndjson_.push_back('\n');
      break;
    case EntryKind::kMergeDocuments:
      append_stored(ndjson_, record.document, fields_of_merge(record.id, entry_.stamp, names_),
                    names_);
      ndjson_.push_back('\n');
      break;
    case EntryKind::kRepairDocuments:
      ndjson_.append(record.document);
      ndjson_.push_back('\n');
      break;
    case EntryKind::kDeleteDocuments:
    case EntryKind::kRepairDeletes:
      if (names_exact_stamps(entry_)) {
        copies_.push_back({.id = record.id, .slot = record.slot, .stamp = exact_stamp(record)});
        bytes_ += record.id.size() + 128;
      } else {
        ids_.push_back(record.id);
        bytes_ += record.id.size() + 3;
      }
      break;
    default:
      return fail(ErrorCode::kInternal, "this kind of entry has no records");
  }
  if (ndjson_.size() + bytes_ > bytes_max_) {
    return fail(ErrorCode::kTooLarge, "the documents exceed the largest request that a node takes");
  }
  return {};
}

std::optional<NodeWrite> PartBuilder::take() {
  if (!ndjson_.empty()) {
    WriteDocuments write;
    write.index_uid = entry_.index_uid;
    write.primary_key = entry_.primary_key;
    write.merge = entry_.kind == EntryKind::kMergeDocuments;
    write.ndjson = std::move(ndjson_);
    return write;
  }
  if (!ids_.empty()) return DeleteDocuments{entry_.index_uid, std::move(ids_)};
  if (!copies_.empty())
    return DeleteExactCopies{entry_.index_uid, entry_.primary_key, std::move(copies_)};
  return std::nullopt;
}

}  // namespace miroir
