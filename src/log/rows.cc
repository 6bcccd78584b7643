#include "log/rows.h"

#include <algorithm>

namespace miroir {
namespace {

constexpr std::size_t kRowsPerScan = 4'096;
// Beside the slot, in a tombstone's row.
constexpr std::uint64_t kOfExpiry = 1ULL << 16;

std::string text_of(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_string() ? value->as_string() : std::string();
}

std::int64_t number_at(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

std::uint64_t position_at(const Json& json, std::string_view key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, number_at(json, key)));
}

Json json_at(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value == nullptr ? Json() : *value;
}

// Before what is still needed of a task that a client deleted.
constexpr std::string_view kForgottenTask = "forgotten";

// Of each entry its position and the shards.
Json parts_to_json(const TaskEnd::FailedParts& parts) {
  Json list = Json::array();
  for (const auto& [position, shards] : parts) {
    Json its = Json::array({position});
    for (const std::uint32_t shard : shards) its.push_back(shard);
    list.push_back(std::move(its));
  }
  return list;
}

Result<TaskEnd::FailedParts> parts_from_json(const Json& json) {
  TaskEnd::FailedParts parts;
  if (!json.is_array()) return parts;
  for (const Json& its : json.as_array()) {
    if (!its.is_array() || its.size() == 0 || !std::ranges::all_of(its.as_array(), &Json::is_int64))
      return fail(ErrorCode::kCorrupt, "the failed parts of a task are malformed");
    const Json::Array& numbers = its.as_array();
    std::vector<std::uint32_t>& shards = parts[numbers[0].as_uint64()];
    for (std::size_t i = 1; i < numbers.size(); ++i)
      shards.push_back(static_cast<std::uint32_t>(numbers[i].as_uint64()));
  }
  return parts;
}

Json gaps_to_json(const std::vector<NodeProgress::Gap>& gaps) {
  Json all = Json::array();
  for (const NodeProgress::Gap& gap : gaps)
    all.push_back(Json::object({{"after", gap.after}, {"to", gap.to}}));
  return all;
}

std::vector<NodeProgress::Gap> gaps_at(const Json& json, std::string_view key) {
  std::vector<NodeProgress::Gap> gaps;
  const Json* all = json.find(key);
  if (all == nullptr || !all->is_array()) return gaps;
  for (const Json& gap : all->as_array())
    gaps.push_back({position_at(gap, "after"), position_at(gap, "to")});
  return gaps;
}

Json shards_to_json(const std::set<std::uint32_t>& shards) {
  Json all = Json::array();
  for (const std::uint32_t shard : shards) all.push_back(shard);
  return all;
}

std::set<std::uint32_t> shards_at(const Json& json, std::string_view key) {
  std::set<std::uint32_t> shards;
  const Json* all = json.find(key);
  if (all == nullptr || !all->is_array()) return shards;
  for (const Json& shard : all->as_array())
    if (shard.is_integer()) shards.insert(static_cast<std::uint32_t>(shard.as_uint64()));
  return shards;
}

}  // namespace

std::string pending_body_row(std::uint64_t body) {
  return std::string(kPendingBodyPrefix) + key_of(body);
}

std::string updated_row(Position incarnation) {
  return std::string(kUpdatedPrefix) + key_of(incarnation);
}

std::string horizon_row(Position incarnation) {
  return std::string(kHorizonPrefix) + key_of(incarnation);
}

std::string dropped_row(Position incarnation) {
  return std::string(kDroppedPrefix) + key_of(incarnation);
}

std::string taken_back_row(const TakenBack& one) {
  return std::string(kTakenBackPrefix) + key_of(one.at) + key_of(one.failed);
}

std::string encode(const TakenBack& one) { return key_of(one.index) + key_of(one.other); }

Result<TakenBack> decode_taken_back(const Row& row) {
  const std::string_view numbers = std::string_view(row.key).substr(kTakenBackPrefix.size());
  const std::string_view indexes = row.value;
  if (numbers.size() != 16 || indexes.size() != 16)
    return fail(ErrorCode::kCorrupt, "the row of what was taken back is malformed");
  return TakenBack{number_of(numbers), number_of(numbers.substr(8)), number_of(indexes),
                   number_of(indexes.substr(8))};
}

std::string encode(const TaskEnd& end) {
  Json json = Json::object({{"status", end.status},
                            {"started", end.started},
                            {"finished", end.finished},
                            {"details", end.details},
                            {"error", end.error},
                            {"canceledBy", end.canceled_by}});
  if (!end.failed_parts.empty()) json.set("failedParts", parts_to_json(end.failed_parts));
  return to_text(json);
}

Result<TaskEnd> decode_task_end(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  MIROIR_TRY(TaskEnd::FailedParts parts, parts_from_json(json_at(json, "failedParts")));
  return TaskEnd{.status = text_of(json, "status"),
                 .started = position_at(json, "started"),
                 .finished = position_at(json, "finished"),
                 .details = json_at(json, "details"),
                 .error = json_at(json, "error"),
                 .canceled_by = position_at(json, "canceledBy"),
                 .failed_parts = std::move(parts)};
}

std::string encode_forgotten(const TaskEnd::FailedParts& parts) {
  return std::string(kForgottenTask) + (parts.empty() ? "" : to_text(parts_to_json(parts)));
}

bool is_forgotten_task(std::string_view text) { return text.starts_with(kForgottenTask); }

Result<TaskEnd::FailedParts> decode_failed_parts(std::string_view text) {
  if (text == kForgottenTask) return TaskEnd::FailedParts();
  if (!is_forgotten_task(text)) {
    MIROIR_TRY(TaskEnd end, decode_task_end(text));
    return std::move(end.failed_parts);
  }
  MIROIR_TRY(const Json json, parse_json(text.substr(kForgottenTask.size())));
  return parts_from_json(json);
}

std::string encode(const NodeProgress& progress) {
  return to_text(Json::object({{"offset", progress.offset},
                               {"done", progress.done},
                               {"acknowledged", progress.acknowledged},
                               {"acknowledgedAt", progress.acknowledged_at},
                               {"renumbered", progress.renumbered},
                               {"state", progress.state},
                               {"reason", progress.reason},
                               {"joined", progress.joined},
                               {"run", progress.run},
                               {"gaps", gaps_to_json(progress.gaps)},
                               {"settled", progress.settled},
                               {"proven", progress.proven},
                               {"takenBehind", shards_to_json(progress.taken_behind)},
                               {"doubtedFrom", progress.doubted_from},
                               {"doubtedTo", progress.doubted_to}}));
}

Result<NodeProgress> decode_progress(std::string_view text) {
  MIROIR_TRY(const Json json, parse_json(text));
  return NodeProgress{.offset = number_at(json, "offset"),
                      .done = position_at(json, "done"),
                      .acknowledged = position_at(json, "acknowledged"),
                      .acknowledged_at = text_of(json, "acknowledgedAt"),
                      .renumbered = position_at(json, "renumbered"),
                      .state = text_of(json, "state"),
                      .reason = text_of(json, "reason"),
                      .joined = position_at(json, "joined"),
                      .run = position_at(json, "run"),
                      .gaps = gaps_at(json, "gaps"),
                      .settled = position_at(json, "settled"),
                      .proven = position_at(json, "proven"),
                      .taken_behind = shards_at(json, "takenBehind"),
                      .doubted_from = position_at(json, "doubtedFrom"),
                      .doubted_to = position_at(json, "doubtedTo")};
}

std::string tombstone_rows(Position incarnation, std::string_view id) {
  return key_of(incarnation) + key_join(id, "");
}

std::string tombstone_row(const Tombstone& tombstone) {
  return tombstone_rows(tombstone.incarnation, tombstone.id) + key_of(tombstone.position);
}

std::string encode(const Tombstone& tombstone) {
  const std::uint64_t of_expiry = tombstone.of_expiry ? kOfExpiry : 0;
  return key_of(tombstone.stamp) + key_of(tombstone.slot | of_expiry);
}

Result<Tombstone> decode_tombstone(const Row& row) {
  constexpr std::size_t kAround = 8 + 1 + 8;  // the id
  if (row.key.size() < kAround || row.value.size() != 16) {
    return fail(ErrorCode::kCorrupt, "a tombstone's row is malformed");
  }
  const std::string_view key = row.key;
  const std::string_view value = row.value;
  return Tombstone{.incarnation = number_of(key),
                   .id = row.key.substr(8, key.size() - kAround),
                   .slot = static_cast<EntrySlot>(number_of(value.substr(8))),
                   .position = number_of(key.substr(key.size() - 8)),
                   .stamp = number_of(value),
                   .of_expiry = (number_of(value.substr(8)) & kOfExpiry) != 0};
}

std::string taint_row(const Taint& taint) {
  return key_of(taint.incarnation) + key_join(taint.node, taint.id);
}

std::string encode_failed(const Taint& taint) {
  std::string positions;
  for (const Position position : taint.failed) positions += key_of(position);
  return positions;
}

Result<Taint> decode_taint(const Row& row) {
  const std::size_t end = row.key.size() < 8 ? std::string::npos : row.key.find('\0', 8);
  if (end == std::string::npos || row.value.empty() || row.value.size() % 8 != 0) {
    return fail(ErrorCode::kCorrupt, "a taint's row is malformed");
  }
  Taint taint{.incarnation = number_of(row.key),
              .id = row.key.substr(end + 1),
              .node = row.key.substr(8, end - 8),
              .failed = {}};
  for (std::size_t at = 0; at < row.value.size(); at += 8)
    taint.failed.push_back(number_of(std::string_view(row.value).substr(at, 8)));
  return taint;
}

std::string outcome_row(Position position, std::string_view node) {
  return key_of(position) + std::string(node);
}

Async<Result<void>> for_each_row(Store& store, Table table, std::string prefix,
                                 std::function<Result<void>(const Row&)> each) {
  std::string end = prefix_end(prefix);
  co_return co_await for_each_row_between(store, table, std::move(prefix), std::move(end),
                                          std::move(each));
}

Async<Result<void>> for_each_row_between(Store& store, Table table, std::string first,
                                         std::string end,
                                         std::function<Result<void>(const Row&)> each) {
  while (true) {
    MIROIR_CO_TRY(const std::vector<Row> rows,
                  co_await store.scan(table, first, end, kRowsPerScan));
    for (const Row& row : rows) MIROIR_CO_CHECK(each(row));
    if (rows.size() < kRowsPerScan) co_return Result<void>();
    first = rows.back().key + '\0';
  }
}

Async<Result<std::uint64_t>> load_number(Store& store, Table table, std::string key) {
  MIROIR_CO_TRY(const auto value, co_await store.get(table, std::move(key)));
  if (!value) co_return std::uint64_t{0};
  if (value->size() != 8) co_return fail(ErrorCode::kCorrupt, "a number's row is malformed");
  co_return number_of(*value);
}

}  // namespace miroir
