#include "node/task_store.h"

#include <algorithm>
#include <limits>

#include "node/task_rows.h"

namespace miroir::node {
namespace {

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS tasks(
    uid INTEGER PRIMARY KEY, status INTEGER NOT NULL, kind INTEGER NOT NULL, index_uid TEXT, batch_uid INTEGER,
    canceled_by INTEGER, enqueued_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER,
    details TEXT NOT NULL, error TEXT, metadata TEXT, content TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS tasks_unfinished ON tasks(status, uid) WHERE status < 2;
  CREATE INDEX IF NOT EXISTS tasks_by_index ON tasks(index_uid, uid);
  CREATE TABLE IF NOT EXISTS bodies(uid INTEGER PRIMARY KEY, body BLOB NOT NULL);
)";

// Cancellation and deletion of tasks jump the queue.
const std::string kJumpers = std::to_string(static_cast<int>(meili::TaskKind::kTaskCancelation)) +
                             "," + std::to_string(static_cast<int>(meili::TaskKind::kTaskDeletion));

meili::ApiError disk_error(const Error& error) {
  if (error.code == ErrorCode::kUnavailable) {
    return meili::api_error("no_space_left_on_device", "No space left on device: " + error.message);
  }
  return meili::api_error("internal", error.message);
}

}  // namespace

Result<std::unique_ptr<TaskStore>> TaskStore::open(const std::string& path) {
  MIROIR_TRY(sqlite::Database database, sqlite::Database::open(path));
  MIROIR_CHECK(database.execute(kSchema));
  return std::unique_ptr<TaskStore>(new TaskStore(std::move(database)));
}

Result<TaskUid> TaskStore::next_uid() {
  MIROIR_TRY(sqlite::Statement* const newest, database_.cached("SELECT max(uid) FROM tasks"));
  MIROIR_TRY(const bool row, newest->step());
  const TaskUid next = !row || newest->is_null(0) ? 0 : static_cast<TaskUid>(newest->int64(0)) + 1;
  newest->reset();
  return next;
}

std::expected<Task, meili::ApiError> TaskStore::add(NewTask made, const TaskHeaders& headers,
                                                    WallTime now) {
  const std::scoped_lock lock(mutex_);
  if (full_) return std::unexpected(disk_error({ErrorCode::kUnavailable, "the disk is full"}));
  const auto next = next_uid();
  if (!next) return std::unexpected(disk_error(next.error()));
  if (headers.uid && *headers.uid < *next) {
    return std::unexpected(
        meili::api_error("bad_request", "Received bad task id: " + std::to_string(*headers.uid) +
                                            " should be >= to " + std::to_string(*next) + "."));
  }
  Task task;
  task.uid = headers.uid.value_or(*next);
  task.kind = made.kind;
  task.index_uid = std::move(made.index_uid);
  task.details = std::move(made.details);
  task.content = std::move(made.content);
  task.custom_metadata = std::move(made.custom_metadata);
  task.enqueued_at = now;
  if (headers.dry_run) return task;
  if (const auto inserted = insert(task, made.body); !inserted)
    return std::unexpected(disk_error(inserted.error()));
  return task;
}

Result<void> TaskStore::insert(const Task& task, std::string_view body) {
  MIROIR_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database_));
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("INSERT INTO tasks VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"));
  bind_task(*row, task);
  MIROIR_CHECK(row->run());
  if (!body.empty()) {
    MIROIR_TRY(sqlite::Statement* const text, database_.cached("INSERT INTO bodies VALUES(?,?)"));
    text->bind(1, std::int64_t{task.uid}).bind_static_blob(2, body);
    MIROIR_CHECK(text->run());
  }
  return transaction.commit();
}

Result<std::optional<Task>> TaskStore::find(TaskUid uid) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const row, database_.cached("SELECT * FROM tasks WHERE uid=?"));
  row->bind(1, std::int64_t{uid});
  MIROIR_TRY(auto tasks, read_tasks(*row));
  if (tasks.empty()) return std::nullopt;
  return std::move(tasks.front());
}

Result<TaskPage> TaskStore::list(const TaskFilter& filter, std::optional<TaskUid> from,
                                 std::size_t limit, bool reverse) {
  const std::scoped_lock lock(mutex_);
  const std::string where = condition_of(filter);
  TaskPage page;
  MIROIR_TRY(sqlite::Statement count,
             database_.prepare("SELECT count(*) FROM tasks WHERE " + where));
  bind_condition(count, filter);
  MIROIR_TRY(const bool counted, count.step());
  page.total = counted ? static_cast<std::uint64_t>(count.int64(0)) : 0;

  std::string sql = "SELECT * FROM tasks WHERE " + where;
  if (from) sql += std::string(" AND uid") + (reverse ? ">=" : "<=") + std::to_string(*from);
  sql += std::string(" ORDER BY uid ") + (reverse ? "ASC" : "DESC");
  const std::size_t bounded =
      std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max());
  sql += " LIMIT " + std::to_string(bounded + 1);
  MIROIR_TRY(sqlite::Statement rows, database_.prepare(sql));
  bind_condition(rows, filter);
  MIROIR_TRY(page.tasks, read_tasks(rows));
  if (page.tasks.size() > bounded) {
    page.next = page.tasks.back().uid;
    page.tasks.pop_back();
  }
  return page;
}

Result<std::vector<TaskUid>> TaskStore::matching(const TaskFilter& filter) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement rows, database_.prepare("SELECT uid FROM tasks WHERE " +
                                                       condition_of(filter) + " ORDER BY uid"));
  bind_condition(rows, filter);
  std::vector<TaskUid> uids;
  while (true) {
    MIROIR_TRY(const bool row, rows.step());
    if (!row) return uids;
    uids.push_back(static_cast<TaskUid>(rows.int64(0)));
  }
}

Result<std::optional<Task>> TaskStore::first_enqueued() {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("SELECT * FROM tasks WHERE status=0 ORDER BY kind NOT IN (" +
                              kJumpers + "), uid LIMIT 1"));
  MIROIR_TRY(auto tasks, read_tasks(*row));
  if (tasks.empty()) return std::nullopt;
  return std::move(tasks.front());
}

Result<std::vector<Task>> TaskStore::enqueued_after(TaskUid after, std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const rows,
             database_.cached("SELECT * FROM tasks WHERE status=0 AND uid>? ORDER BY uid LIMIT ?"));
  rows->bind(1, std::int64_t{after}).bind(2, static_cast<std::int64_t>(limit));
  return read_tasks(*rows);
}

Result<std::string> TaskStore::body(TaskUid uid) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const row, database_.cached("SELECT body FROM bodies WHERE uid=?"));
  row->bind(1, std::int64_t{uid});
  MIROIR_TRY(const bool found, row->step());
  std::string body = found ? std::string(row->blob(0)) : std::string();
  row->reset();
  return body;
}

Result<std::uint64_t> TaskStore::body_bytes(TaskUid uid) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("SELECT length(body) FROM bodies WHERE uid=?"));
  row->bind(1, std::int64_t{uid});
  MIROIR_TRY(const bool found, row->step());
  const std::uint64_t bytes = found ? static_cast<std::uint64_t>(row->int64(0)) : 0;
  row->reset();
  return bytes;
}

Result<std::uint32_t> TaskStore::next_batch_uid() {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("SELECT coalesce(max(batch_uid)+1,0) FROM tasks"));
  MIROIR_CHECK(row->step());
  const auto uid = static_cast<std::uint32_t>(row->int64(0));
  row->reset();
  return uid;
}

Result<void> TaskStore::start(const std::vector<TaskUid>& uids, std::uint32_t batch_uid,
                              WallTime now) {
  const std::scoped_lock lock(mutex_);
  // It need not survive a power cut: after one, everything that did not end is enqueued again
  // anyway.
  MIROIR_CHECK(database_.execute("PRAGMA synchronous=NORMAL"));
  const auto started = [&]() -> Result<void> {
    MIROIR_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database_));
    for (const TaskUid uid : uids) {
      MIROIR_TRY(
          sqlite::Statement* const row,
          database_.cached("UPDATE tasks SET status=1, batch_uid=?, started_at=? WHERE uid=?"));
      row->bind(1, std::int64_t{batch_uid})
          .bind(2, microseconds_of(now))
          .bind(3, std::int64_t{uid});
      MIROIR_CHECK(row->run());
    }
    return transaction.commit();
  }();
  MIROIR_CHECK(database_.execute("PRAGMA synchronous=FULL"));
  return started;
}

Result<void> TaskStore::reset_processing() {
  const std::scoped_lock lock(mutex_);
  return database_.execute(
      "UPDATE tasks SET status=0, batch_uid=NULL, started_at=NULL WHERE status=1");
}

Result<void> TaskStore::finish_one(const BatchResult& result, const TaskOutcome& outcome) {
  MIROIR_TRY(
      sqlite::Statement* const row,
      database_.cached(
          "UPDATE tasks SET status=?, batch_uid=?, canceled_by=?, started_at=?, finished_at=?, "
          "details=?, error=? WHERE uid=?"));
  const meili::TaskStatus status = outcome.canceled_by ? meili::TaskStatus::kCanceled
                                   : outcome.error     ? meili::TaskStatus::kFailed
                                                       : meili::TaskStatus::kSucceeded;
  row->bind(1, static_cast<int>(status)).bind(2, std::int64_t{result.uid});
  if (outcome.canceled_by) {
    row->bind(3, std::int64_t{*outcome.canceled_by});
  } else {
    row->bind(4, microseconds_of(result.started_at));  // what was cancelled never started
  }
  row->bind(5, microseconds_of(result.finished_at)).bind(6, to_text(outcome.details));
  if (outcome.error) row->bind(7, to_text(meili::to_json(*outcome.error)));
  row->bind(8, std::int64_t{outcome.uid});
  MIROIR_CHECK(row->run());
  MIROIR_TRY(sqlite::Statement* const body, database_.cached("DELETE FROM bodies WHERE uid=?"));
  body->bind(1, std::int64_t{outcome.uid});
  return body->run();
}

Result<void> TaskStore::finish(const BatchResult& result) {
  const std::scoped_lock lock(mutex_);
  MIROIR_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database_));
  for (const TaskOutcome& outcome : result.outcomes) MIROIR_CHECK(finish_one(result, outcome));
  // All at once, so that a swap does not rename twice.
  if (!result.renames.empty()) {
    std::string sql = "UPDATE tasks SET index_uid=CASE index_uid";
    for (std::size_t i = 0; i < result.renames.size(); ++i) sql += " WHEN ? THEN ?";
    MIROIR_TRY(sqlite::Statement rename,
               database_.prepare(sql + " ELSE index_uid END WHERE uid<?"));
    int parameter = 0;
    for (const auto& [from, to] : result.renames)
      rename.bind(parameter + 1, from).bind(parameter + 2, to), parameter += 2;
    rename.bind(parameter + 1, std::int64_t{result.renamed_before});
    MIROIR_CHECK(rename.run());
  }
  for (const TaskUid uid : result.deleted) {
    MIROIR_TRY(sqlite::Statement* const erase,
               database_.cached("DELETE FROM tasks WHERE uid=? AND status>=2"));
    erase->bind(1, std::int64_t{uid});
    MIROIR_CHECK(erase->run());
  }
  return transaction.commit();
}

Result<std::uint64_t> TaskStore::bytes() {
  const std::scoped_lock lock(mutex_);
  return database_.bytes();
}

void TaskStore::set_full(bool full) {
  const std::scoped_lock lock(mutex_);
  full_ = full;
}

}  // namespace miroir::node
