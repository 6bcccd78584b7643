#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "log/log.h"
#include "store/store.h"

namespace miroir {

// Rows of the log that are not entries: their keys and values.

// kMeta.
inline constexpr std::string_view kNewestBodyRow = "body";       // newest id that an entry named
inline constexpr std::string_view kBodyBytesRow = "body_bytes";  // of all bodies of entries
inline constexpr std::string_view kTrimmedRow = "trimmed";       // bodies up to here are gone
inline constexpr std::string_view kForgottenRow = "forgotten";   // entries up to here are gone
inline constexpr std::string_view kOperationsForgottenRow = "operations_forgotten";
std::string pending_body_row(std::uint64_t body);  // until an entry names it
std::string updated_row(Position incarnation);     // → stamp of the index's change
std::string horizon_row(Position incarnation);  // → greatest stamp of a tombstone that was dropped
std::string dropped_row(Position incarnation);  // → an index that may not be gone after all
inline constexpr std::string_view kDroppedPrefix = "dropped:";
inline constexpr std::string_view kExchangedRow = "exchanged";  // of what was taken back up to here
inline constexpr std::string_view kHorizonPrefix = "horizon:";
inline constexpr std::string_view kPendingBodyPrefix = "pending:";
inline constexpr std::string_view kTakenBackPrefix = "taken_back:";
inline constexpr std::string_view kUpdatedPrefix = "updated:";

// In the log's order.
std::string taken_back_row(const TakenBack& one);
std::string encode(const TakenBack& one);
Result<TakenBack> decode_taken_back(const Row& row);

std::string encode(const TaskEnd& end);
Result<TaskEnd> decode_task_end(std::string_view text);
// Instead of it once a client deleted the task: which parts failed is still needed.
std::string encode_forgotten(const TaskEnd::FailedParts& parts);
bool is_forgotten_task(std::string_view text);
// Of either.
Result<TaskEnd::FailedParts> decode_failed_parts(std::string_view text);

std::string encode(const NodeProgress& progress);
Result<NodeProgress> decode_progress(std::string_view text);

// kTombstone: incarnation, id, position → slot, stamp. No document's id holds a zero byte, but one
// may be asked for: its rows have the prefix of another's.
std::string tombstone_rows(Position incarnation, std::string_view id);  // prefix of the document's
std::string tombstone_row(const Tombstone& tombstone);
std::string encode(const Tombstone& tombstone);
Result<Tombstone> decode_tombstone(const Row& row);

// kTaint: incarnation, node, id → positions.
std::string taint_row(const Taint& taint);
std::string encode_failed(const Taint& taint);
Result<Taint> decode_taint(const Row& row);

// kOutcome: position, node → error.
std::string outcome_row(Position position, std::string_view node);

// All rows of a table (`prefix`: only those), a page at a time.
Async<Result<void>> for_each_row(Store& store, Table table, std::string prefix,
                                 std::function<Result<void>(const Row&)> each);
Async<Result<void>> for_each_row_between(Store& store, Table table, std::string first,
                                         std::string end,
                                         std::function<Result<void>(const Row&)> each);
// A number that is kept as a row; 0 where there is none.
Async<Result<std::uint64_t>> load_number(Store& store, Table table, std::string key);

}  // namespace miroir
