#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/faults.h"
#include "node/index_change.h"
#include "node/task_store.h"

namespace miroir::node {

// Additions, updates and deletions of one index, in their order. Each task is judged first: one
// whose own documents are wrong (a bad id) fails alone, what Meilisearch notices only when it
// indexes (a bad `_geo`, a filter on an attribute that is not filterable) fails them all.
class DocumentBatch {
 public:
  DocumentBatch(const Index& index, sqlite::Database& database, TaskStore& tasks, Faults& faults,
                bool contains_enabled);

  // One outcome a task. Writes inside the caller's transaction.
  Result<std::vector<TaskOutcome>> run(const std::vector<Task>& tasks, WallTime now);
  // After the commit.
  void apply(Index& index);

 private:
  struct Import {
    std::string body;
    std::size_t received = 0;
    std::size_t indexed = 0;  // documents with different ids
  };
  using Judged = std::expected<Import, meili::ApiError>;

  Result<Judged> judge(const Task& task);
  std::optional<meili::ApiError> settle_primary_key(const Task& task,
                                                    std::string_view first_document);
  // Returns how many documents there were to delete. Its filter, if it has one, was judged before.
  Result<std::uint64_t> erase(const Task& task);
  Result<void> write(const Task& task, const Import& import);

  const Index& index_;
  sqlite::Database& database_;
  TaskStore& tasks_;
  Faults& faults_;
  bool contains_enabled_;
  std::optional<std::string> primary_key_;
  std::optional<meili::ApiError> shared_error_;  // found while judging
  std::optional<IndexChange> change_;
};

// How a task ends that failed, or that was swallowed by a deletion: details with nothing left
// unknown.
TaskOutcome failed(const Task& task, meili::ApiError error);
TaskOutcome swallowed(const Task& task, std::uint64_t deleted_documents);

}  // namespace miroir::node
