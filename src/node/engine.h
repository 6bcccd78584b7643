#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "meili/api_error.h"
#include "node/faults.h"
#include "node/index.h"
#include "node/task_store.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

class Engine;

// One consistent view of all indexes: the memory and a read transaction of the database, of the
// same moment. The worker waits while one is held, so it lives as long as one request, on one
// thread.
class Snapshot {
 public:
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  const Index* find(std::string_view uid) const;
  std::expected<const Index*, meili::ApiError> index(
      std::string_view uid) const;  // or index_not_found
  const std::map<std::string, std::unique_ptr<Index>, std::less<>>& indexes() const;
  // The document's text, keys in the index's order, `_vectors` of its own included.
  Result<std::string> document(const Index& index, DocumentNumber number) const;
  // For the words of documents (text index).
  sqlite::Database& database() const { return *database_; }

 private:
  friend class Engine;
  explicit Snapshot(Engine& engine);
  Engine& engine_;
  std::shared_lock<std::shared_mutex> lock_;
  std::unique_ptr<sqlite::Database> database_;
};

// The node's state: catalogue of indexes, documents, task queue, and the worker thread that runs
// tasks in the order of their uids. Two databases: `tasks.db`, written by requests, and `data.db`,
// written by the worker, whose long transactions thus never keep a request waiting. Every batch
// commits its results with its changes in data.db first; after a crash between the two commits the
// results are carried over, and nothing is done twice. Thread-safe. Failures of the disk come back
// as errors of the request, or stop the worker until they pass.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> open(const std::string& data_dir, Clock& clock,
                                              Faults& faults);
  ~Engine();  // stops the worker after its current batch

  // nullptr where the database cannot be read.
  std::unique_ptr<Snapshot> snapshot();

  // Appends a task, durably. TaskHeaders are those of the request.
  std::expected<Task, meili::ApiError> enqueue(NewTask task, const TaskHeaders& headers);
  TaskStore& tasks() { return *tasks_; }

  // Small durable state of the node as a whole: experimental features, keys. Read on every request:
  // cached.
  std::optional<Json> setting(std::string_view name) const;
  Result<void> set_setting(std::string_view name, const Json& value);
  // "network", "containsFilter", …
  bool feature(std::string_view name) const;

  Clock& clock() { return clock_; }
  // The index that the worker is busy with.
  std::optional<std::string> indexing() const;
  Result<std::pair<std::uint64_t, std::uint64_t>> database_bytes();  // total and used

 private:
  friend class Snapshot;
  struct State;
  Engine(Clock& clock, std::unique_ptr<State> state);
  Result<void> recover();
  void work();  // the worker's thread

  Clock& clock_;
  Faults* faults_ = nullptr;
  std::unique_ptr<TaskStore> tasks_;
  std::unique_ptr<State> state_;
};

}  // namespace miroir::node
