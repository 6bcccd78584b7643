#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace miroir::meili {

enum class TaskStatus { kEnqueued, kProcessing, kSucceeded, kFailed, kCanceled };
enum class TaskKind {
  kDocumentAdditionOrUpdate,
  kDocumentEdition,
  kDocumentDeletion,
  kSettingsUpdate,
  kIndexCreation,
  kIndexDeletion,
  kIndexUpdate,
  kIndexSwap,
  kTaskCancelation,
  kTaskDeletion,
  kDumpCreation,
  kSnapshotCreation,
  kExport,
  kUpgradeDatabase,
  kIndexCompaction,
  kNetworkTopologyChange,
};
inline constexpr int kTaskStatusCount = 5;
inline constexpr int kTaskKindCount = 16;

// Their names in the API: "enqueued", "documentAdditionOrUpdate", …
std::string_view name(TaskStatus status);
std::string_view name(TaskKind kind);
std::optional<TaskStatus> parse_task_status(std::string_view name);
std::optional<TaskKind> parse_task_kind(std::string_view name);

inline bool is_ended(TaskStatus status) { return status >= TaskStatus::kSucceeded; }

// ISO 8601, as a task's `duration`: "PT0.012345S".
std::string iso8601_duration(Microseconds duration);
// "2026-11-23" or RFC 3339. A day alone is its beginning, or, where `end_of_day`, its end.
std::optional<WallTime> parse_date_time(std::string_view text, bool end_of_day);

}  // namespace miroir::meili
