#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "node/task.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

// Which tasks a listing, a cancellation or a deletion means. Empty vectors: any.
struct TaskFilter {
  std::optional<std::vector<TaskUid>> uids;
  std::optional<std::vector<std::uint32_t>> batch_uids;
  std::optional<std::vector<meili::TaskStatus>> statuses;
  std::optional<std::vector<meili::TaskKind>> kinds;
  std::optional<std::vector<std::string>> index_uids;
  std::optional<std::vector<TaskUid>> canceled_by;
  std::optional<WallTime> after_enqueued_at;  // all exclusive
  std::optional<WallTime> before_enqueued_at;
  std::optional<WallTime> after_started_at;
  std::optional<WallTime> before_started_at;
  std::optional<WallTime> after_finished_at;
  std::optional<WallTime> before_finished_at;
};

struct TaskPage {
  std::vector<Task> tasks;
  std::uint64_t total = 0;
  std::optional<TaskUid> next;
};

// What a batch of tasks did, as one fact: written with the batch's changes, and again into the
// queue.
struct BatchResult {
  std::uint32_t uid = 0;
  WallTime started_at;
  WallTime finished_at;
  std::vector<TaskOutcome> outcomes;
  // Indexes that changed their names, at once: tasks before `renamed_before` follow them.
  std::vector<std::pair<std::string, std::string>> renames;
  TaskUid renamed_before = 0;
  std::vector<TaskUid> deleted;  // tasks to forget
};
Json to_json(const BatchResult& result);
Result<BatchResult> parse_batch_result(const Json& json);

// The durable queue and history of tasks (tasks.db). Thread-safe; a call may wait for another's
// fsync.
class TaskStore {
 public:
  static Result<std::unique_ptr<TaskStore>> open(const std::string& path);

  // Refuses a uid below the next one; a full disk is no_space_left_on_device. Durable when it
  // returns.
  std::expected<Task, meili::ApiError> add(NewTask task, const TaskHeaders& headers, WallTime now);

  Result<std::optional<Task>> find(TaskUid uid);
  // From `from` (included) downwards, or upwards where `reverse`.
  Result<TaskPage> list(const TaskFilter& filter, std::optional<TaskUid> from, std::size_t limit,
                        bool reverse);
  Result<std::vector<TaskUid>> matching(const TaskFilter& filter);

  // The lowest task that waits, those that jump the queue first; nullopt where none does.
  Result<std::optional<Task>> first_enqueued();
  // Waiting tasks above `after`, rising.
  Result<std::vector<Task>> enqueued_after(TaskUid after, std::size_t limit);
  Result<std::string> body(TaskUid uid);
  Result<std::uint64_t> body_bytes(TaskUid uid);

  Result<std::uint32_t> next_batch_uid();
  Result<void> start(const std::vector<TaskUid>& uids, std::uint32_t batch_uid, WallTime now);
  // Puts back what was started and did not end.
  Result<void> reset_processing();
  Result<void> finish(const BatchResult& result);

  Result<std::uint64_t> bytes();
  // Commits fail as on a full disk.
  void set_full(bool full);

 private:
  explicit TaskStore(sqlite::Database database) : database_(std::move(database)) {}
  Result<TaskUid> next_uid();
  Result<void> insert(const Task& task, std::string_view body);
  Result<void> finish_one(const BatchResult& result, const TaskOutcome& outcome);

  std::mutex mutex_;
  sqlite::Database database_;
  bool full_ = false;
};

}  // namespace miroir::node
