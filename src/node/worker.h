#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "node/batch.h"
#include "node/catalogue.h"
#include "node/faults.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

// Carries out batches on data.db and the catalogue. Runs on the worker's thread only. What fails as
// an ApiError is the outcome of a task; an Error is the node's own trouble (a full disk), after
// which the batch is tried again.
class Worker {
 public:
  // `publish` runs what changes the catalogue while nobody reads it: the commit and the change in
  // memory, as one.
  using Publish = std::function<Result<void>(std::function<Result<void>()>)>;

  Worker(sqlite::Database& database, Catalogue& catalogue, TaskStore& tasks, Clock& clock,
         Faults& faults, Publish publish, std::function<bool()> contains_enabled);

  // Takes the next batch and carries it out to the end; false where no task waits. `busy` is told
  // the index.
  Result<bool> run_next(const std::function<void(std::optional<std::string>)>& busy);

 private:
  // What a batch did to the catalogue, to be done in memory once it is committed.
  using Apply = std::function<void()>;
  struct Done {
    BatchResult result;
    Apply apply;
  };
  using Attempt = std::expected<Apply, meili::ApiError>;

  Result<void> run(const Batch& batch, std::uint32_t batch_uid);
  Result<Done> carry_out(const Batch& batch);
  Result<Done> documents(const Batch& batch);
  Result<Done> clear(const Batch& batch);
  Result<Done> index_deletion(const Batch& batch);
  Result<Done> single(const Task& task);
  // Kinds that are alone in their batch.
  Result<Attempt> index_creation(const Task& task);
  Result<Attempt> index_update(const Task& task, Done& done);
  Result<Attempt> index_swap(const Task& task, Done& done);
  Result<Attempt> settings_update(const Task& task);
  Result<Json> cancelation(const Task& task, Done& done);
  Result<Json> deletion(const Task& task, Done& done);

  Result<Index*> create_index(const std::string& uid, std::optional<std::string> primary_key);
  Index* find(std::string_view uid);
  Index* find(const Task& task) { return find(task.index_uid.value_or("")); }

  sqlite::Database& database_;
  Catalogue& catalogue_;
  TaskStore& tasks_;
  Clock& clock_;
  Faults& faults_;
  Publish publish_;
  std::function<bool()> contains_enabled_;
  std::unique_ptr<Index> created_;  // by the batch at hand; enters the catalogue with its commit
};

}  // namespace miroir::node
