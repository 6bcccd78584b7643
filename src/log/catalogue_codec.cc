#include "log/catalogue_codec.h"

#include <ranges>

#include "log/rows.h"

namespace miroir {
namespace {

Json clears_of(const IndexState& index) {
  Json::Array clears;
  for (const IndexState::Clear& clear : index.clears)
    clears.push_back(Json::array({clear.position, clear.stamp}));
  return clears;
}

Json key_changes_of(const IndexState& index) {
  Json changes = Json::array();
  for (const auto& [position, before] : index.key_changes)
    changes.push_back(Json::array({position, before ? Json(*before) : Json()}));
  return changes;
}

std::string encode_index(const IndexState& index) {
  return to_text(
      Json::object({{"uid", index.uid},
                    {"incarnation", index.incarnation},
                    {"born", index.born},
                    {"takenOverBy", index.taken_over_by},
                    {"namedAt", index.named_at},
                    {"primaryKey", index.primary_key ? Json(*index.primary_key) : Json()},
                    {"keyChanges", key_changes_of(index)},
                    {"settings", index.settings},
                    {"settingsVersion", index.settings_version},
                    {"createdAt", index.created_at},
                    {"updatedAt", index.updated_at},
                    {"clears", clears_of(index)},
                    {"clearsForgotten", index.clears_forgotten},
                    {"droppedAt", index.dropped_at},
                    {"decidedBy", index.decided_by}}));
}

std::uint64_t number_at(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_int64() && value->as_int64() >= 0 ? value->as_uint64() : 0;
}

bool moves_documents_only(const Entry& entry) {
  return entry.kind == EntryKind::kWriteDocuments || entry.kind == EntryKind::kMergeDocuments ||
         entry.kind == EntryKind::kDeleteDocuments || entry.kind == EntryKind::kDeleteByFilter;
}

void put_key(Batch& batch, const Entry& entry, const Catalogue& after) {
  const Json* uid = entry.arguments.find("uid");
  if (uid == nullptr || !uid->is_string()) return;
  if (const KeyState* key = after.key(uid->as_string())) {
    batch.put(Table::kKey, key->uid, to_text(key->key));
  } else {
    batch.put(Table::kKey, uid->as_string(), "");
  }
}

// All of them: they are few.
void put_dropped(Batch& batch, const Catalogue& after) {
  const std::string prefix(kDroppedPrefix);
  batch.erase_range(Table::kMeta, prefix, prefix_end(prefix));
  for (const auto& [incarnation, index] : after.dropped())
    batch.put(Table::kMeta, dropped_row(incarnation), encode_index(index));
}

}  // namespace

Batch CatalogueCodec::apply(Catalogue& catalogue, const Entry& entry) {
  const IndexState* before = catalogue.index(entry.index_uid);
  const bool had_key = before != nullptr && before->first_key().has_value();
  const Position replaced =
      before != nullptr && entry.kind == EntryKind::kAdoptIndex ? before->incarnation : 0;
  catalogue.apply(entry);
  Batch batch;
  if (entry.born_failed || entry.target) return batch;
  if (entry.kind == EntryKind::kPutKey || entry.kind == EntryKind::kDeleteKey) {
    put_key(batch, entry, catalogue);
    return batch;
  }
  if (entry.kind == EntryKind::kDropIndex)
    batch.erase(Table::kMeta, updated_row(entry.incarnation));
  if (entry.kind == EntryKind::kDropIndex || entry.kind == EntryKind::kAdoptIndex ||
      entry.kind == EntryKind::kTakeBack)
    put_dropped(batch, catalogue);
  for (const TakenBack& one : catalogue.pasts().all() | std::views::reverse) {
    if (one.at != entry.position) break;
    batch.put(Table::kMeta, taken_back_row(one), encode(one));
  }
  if (replaced != 0) batch.erase(Table::kMeta, updated_row(replaced));
  for (const std::string& uid : index_names(entry)) {
    const IndexState* index = catalogue.index(uid);
    if (index == nullptr) {
      batch.erase(Table::kIndex, uid);
      continue;
    }
    // Most entries only move the time of the last change: a short row, not the settings again.
    const bool learned = !had_key && index->first_key().has_value();
    if (learned || !moves_documents_only(entry))
      batch.put(Table::kIndex, uid, encode_index(*index));
    batch.put(Table::kMeta, updated_row(index->incarnation), key_of(index->updated_at));
  }
  return batch;
}

Result<void> CatalogueCodec::read_index(Catalogue& catalogue, std::string_view row) {
  MIROIR_TRY(const Json json, parse_json(row));
  IndexState index;
  const Json* uid = json.find("uid");
  if (uid == nullptr || !uid->is_string()) return fail(ErrorCode::kCorrupt, "an index has no uid");
  index.uid = uid->as_string();
  index.incarnation = number_at(json, "incarnation");
  index.born = number_at(json, "born");
  index.taken_over_by = number_at(json, "takenOverBy");
  index.named_at = number_at(json, "namedAt");
  if (const Json* key = json.find("primaryKey"); key != nullptr && key->is_string())
    index.primary_key = key->as_string();
  if (const Json* settings = json.find("settings")) index.settings = *settings;
  index.settings_version = number_at(json, "settingsVersion");
  index.created_at = number_at(json, "createdAt");
  index.updated_at = number_at(json, "updatedAt");
  if (const Json* changes = json.find("keyChanges"); changes != nullptr && changes->is_array()) {
    for (const Json& change : changes->as_array()) {
      if (change.size() != 2) return fail(ErrorCode::kCorrupt, "a change of a key is malformed");
      const Json& key = change.as_array()[1];
      index.key_changes.push_back(
          {change.as_array()[0].as_uint64(),
           key.is_string() ? std::optional(key.as_string()) : std::nullopt});
    }
  }
  if (const Json* clears = json.find("clears"); clears != nullptr && clears->is_array()) {
    for (const Json& clear : clears->as_array()) {
      if (clear.size() != 2) return fail(ErrorCode::kCorrupt, "an index's delete-all is malformed");
      index.clears.push_back({clear.as_array()[0].as_uint64(), clear.as_array()[1].as_uint64()});
    }
  }
  index.clears_forgotten = number_at(json, "clearsForgotten");
  index.dropped_at = number_at(json, "droppedAt");
  index.decided_by = number_at(json, "decidedBy");
  if (index.dropped_at != 0) {
    catalogue.dropped_.insert_or_assign(index.incarnation, std::move(index));
  } else {
    catalogue.indexes_.insert_or_assign(index.uid, std::move(index));
  }
  return {};
}

Async<Result<Catalogue>> CatalogueCodec::load(Store& store) {
  Catalogue catalogue;
  MIROIR_CO_CHECK(co_await for_each_row(
      store, Table::kIndex, "", [&](const Row& row) { return read_index(catalogue, row.value); }));
  MIROIR_CO_CHECK(
      co_await for_each_row(store, Table::kMeta, std::string(kDroppedPrefix),
                            [&](const Row& row) { return read_index(catalogue, row.value); }));
  MIROIR_CO_CHECK(co_await for_each_row(store, Table::kMeta, std::string(kTakenBackPrefix),
                                        [&](const Row& row) -> Result<void> {
                                          MIROIR_TRY(const TakenBack one, decode_taken_back(row));
                                          catalogue.pasts_.add(one);
                                          return {};
                                        }));
  std::map<Position, EntryStamp> updated;
  MIROIR_CO_CHECK(co_await for_each_row(
      store, Table::kMeta, std::string(kUpdatedPrefix), [&](const Row& row) -> Result<void> {
        updated[number_of(std::string_view(row.key).substr(kUpdatedPrefix.size()))] =
            number_of(row.value);
        return {};
      }));
  for (auto& [uid, index] : catalogue.indexes_) {
    const auto found = updated.find(index.incarnation);
    if (found != updated.end()) index.updated_at = found->second;
  }
  MIROIR_CO_CHECK(
      co_await for_each_row(store, Table::kKey, "", [&](const Row& row) -> Result<void> {
        if (row.value.empty()) {
          catalogue.deleted_keys_.insert(row.key);
          return {};
        }
        MIROIR_TRY(Json key, parse_json(row.value));
        catalogue.keys_.insert_or_assign(row.key, KeyState{row.key, std::move(key)});
        return {};
      }));
  co_return catalogue;
}

}  // namespace miroir
