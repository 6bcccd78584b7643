#include "log/entry.h"

#include <algorithm>
#include <array>
#include <span>

namespace miroir {
namespace {

constexpr std::array<std::string_view, 5> kOrigins = {"client", "antientropy", "ttl_expire", "move",
                                                      "system"};
constexpr std::array<std::string_view, 18> kKinds = {
    "writeDocuments", "mergeDocuments",  "deleteDocuments", "deleteByFilter", "clearDocuments",
    "createIndex",    "updateIndex",     "dropIndex",       "adoptIndex",     "swapIndexes",
    "takeBack",       "updateSettings",  "putKey",          "deleteKey",      "repairDocuments",
    "repairDeletes",  "forgetNodeTasks", "taskOperation"};

// What an entry was encoded from: absent members mean the default.
class Members {
 public:
  explicit Members(const Json& json) : json_(json) {}

  std::uint64_t number(std::string_view key) const {
    const Json* value = json_.find(key);
    return value != nullptr && value->is_int64() && value->as_int64() >= 0 ? value->as_uint64() : 0;
  }
  std::string text(std::string_view key) const {
    const Json* value = json_.find(key);
    return value != nullptr && value->is_string() ? value->as_string() : std::string();
  }
  Json json(std::string_view key) const {
    const Json* value = json_.find(key);
    return value == nullptr ? Json() : *value;
  }
  const Json* find(std::string_view key) const { return json_.find(key); }

 private:
  const Json& json_;
};

void set_number(Json& json, std::string_view key, std::uint64_t value) {
  if (value != 0) json.set(key, value);
}

void set_text(Json& json, std::string_view key, const std::string& value) {
  if (!value.empty()) json.set(key, value);
}

void set_json(Json& json, std::string_view key, const Json& value) {
  if (!value.is_null()) json.set(key, value);
}

Result<std::size_t> index_of(std::span<const std::string_view> names, std::string_view name) {
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) {
    return fail(ErrorCode::kCorrupt, "an entry's `" + std::string(name) + "` is unknown");
  }
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

std::string_view name(Origin origin) { return kOrigins[static_cast<std::size_t>(origin)]; }
std::string_view name(EntryKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::set<std::string> index_names(const Entry& entry) {
  std::set<std::string> names;
  const auto add = [&](const Json& uid) {
    if (uid.is_string()) names.insert(uid.as_string());
  };
  if (!entry.index_uid.empty()) names.insert(entry.index_uid);
  for (const auto& [kind, argument] :
       {std::pair(EntryKind::kUpdateIndex, "newUid"), std::pair(EntryKind::kTakeBack, "rename"),
        std::pair(EntryKind::kTakeBack, "exchange")}) {
    if (entry.kind != kind) continue;
    if (const Json* other = entry.arguments.find(argument)) add(*other);
  }
  if (entry.kind != EntryKind::kSwapIndexes || !entry.arguments.is_array()) return names;
  for (const Json& swap : entry.arguments.as_array()) {
    const Json* both = swap.find("indexes");
    if (both != nullptr && both->is_array()) std::ranges::for_each(both->as_array(), add);
  }
  return names;
}

bool spares_foreign(const Entry& entry) {
  return entry.kind == EntryKind::kDropIndex && entry.arguments.find("sparesForeign") != nullptr;
}

std::set<std::string> names_taken_away(const Entry& entry) {
  if (spares_foreign(entry)) return {};
  const Json* new_uid =
      entry.kind == EntryKind::kUpdateIndex ? entry.arguments.find("newUid") : nullptr;
  const bool renamed =
      new_uid != nullptr && new_uid->is_string() && *new_uid != Json(entry.index_uid);
  if (entry.kind == EntryKind::kDropIndex || renamed) return {entry.index_uid};
  if (entry.kind == EntryKind::kSwapIndexes) return index_names(entry);
  return {};
}

bool is_operation(const Entry& entry) {
  return !entry.born_failed && !entry.target &&
         (entry.kind == EntryKind::kCreateIndex || entry.kind == EntryKind::kUpdateIndex ||
          entry.kind == EntryKind::kDropIndex || entry.kind == EntryKind::kSwapIndexes ||
          entry.kind == EntryKind::kPutKey || entry.kind == EntryKind::kDeleteKey);
}

bool is_adoption(const Entry& entry) {
  return entry.kind == EntryKind::kWriteDocuments && entry.origin == Origin::kAntiEntropy;
}

std::optional<EntryStamp> exact_stamp(const BodyRecord& record) {
  if (record.checksum == 0) return std::nullopt;
  return record.checksum;
}

bool names_exact_stamps(const Entry& entry) {
  return entry.kind == EntryKind::kRepairDeletes ||
         (entry.kind == EntryKind::kDeleteDocuments && entry.origin == Origin::kTtlExpire);
}

std::string encode(const Entry& entry) {
  Json json = Json::object({{"position", entry.position},
                            {"stamp", entry.stamp},
                            {"origin", name(entry.origin)},
                            {"kind", name(entry.kind)}});
  set_number(json, "run", entry.run);
  set_text(json, "index", entry.index_uid);
  set_number(json, "incarnation", entry.incarnation);
  set_text(json, "primaryKey", entry.primary_key);
  if (entry.target) json.set("target", *entry.target);
  set_json(json, "arguments", entry.arguments);
  set_number(json, "body", entry.body);
  set_number(json, "bodyPieces", entry.body_pieces);
  set_number(json, "bodyBytes", entry.body_bytes);
  set_number(json, "bodyStored", entry.body_stored);
  set_number(json, "records", entry.records);
  if (!entry.shards.empty()) {
    Json::Array shards;
    for (const std::uint32_t shard : entry.shards) shards.emplace_back(std::uint64_t{shard});
    json.set("shards", std::move(shards));
  }
  set_number(json, "shardCount", entry.shard_count);
  set_number(json, "task", entry.task);
  set_text(json, "type", entry.task_type);
  set_json(json, "details", entry.task_details);
  set_text(json, "metadata", entry.custom_metadata);
  if (entry.born_failed) {
    json.set("bornFailed", meili::to_json(*entry.born_failed));
    json.set("bornFailedStatus", entry.born_failed->status);
  }
  return to_text(json);
}

Result<Entry> decode_entry(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  const Members members(json);
  Entry entry;
  entry.position = members.number("position");
  entry.stamp = members.number("stamp");
  entry.run = members.number("run");
  MIROIR_TRY(const std::size_t origin, index_of(kOrigins, members.text("origin")));
  MIROIR_TRY(const std::size_t kind, index_of(kKinds, members.text("kind")));
  entry.origin = static_cast<Origin>(origin);
  entry.kind = static_cast<EntryKind>(kind);
  entry.index_uid = members.text("index");
  entry.incarnation = members.number("incarnation");
  entry.primary_key = members.text("primaryKey");
  if (members.find("target") != nullptr) entry.target = members.text("target");
  entry.arguments = members.json("arguments");
  entry.body = members.number("body");
  entry.body_pieces = members.number("bodyPieces");
  entry.body_bytes = members.number("bodyBytes");
  entry.body_stored = members.number("bodyStored");
  entry.records = members.number("records");
  if (const Json* shards = members.find("shards"); shards != nullptr && shards->is_array()) {
    for (const Json& shard : shards->as_array())
      entry.shards.push_back(static_cast<std::uint32_t>(shard.as_uint64()));
  }
  entry.shard_count = static_cast<std::uint32_t>(members.number("shardCount"));
  entry.task = members.number("task");
  entry.task_type = members.text("type");
  entry.task_details = members.json("details");
  entry.custom_metadata = members.text("metadata");
  if (const Json* error = members.find("bornFailed")) {
    MIROIR_TRY(entry.born_failed, meili::parse_api_error(*error));
    entry.born_failed->status = static_cast<int>(members.number("bornFailedStatus"));
  }
  return entry;
}

}  // namespace miroir
