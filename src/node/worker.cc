#include "node/worker.h"

#include <algorithm>

#include "meili/index_uid.h"
#include "node/document_batch.h"
#include "node/settings.h"
#include "node/text_index.h"

namespace miroir::node {

Worker::Worker(sqlite::Database& database, Catalogue& catalogue, TaskStore& tasks, Clock& clock,
               Faults& faults, Publish publish, std::function<bool()> contains_enabled)
    : database_(database),
      catalogue_(catalogue),
      tasks_(tasks),
      clock_(clock),
      faults_(faults),
      publish_(std::move(publish)),
      contains_enabled_(std::move(contains_enabled)) {}

Result<bool> Worker::run_next(const std::function<void(std::optional<std::string>)>& busy) {
  MIROIR_TRY(const Batch batch, next_batch(tasks_));
  if (batch.tasks.empty()) return false;
  MIROIR_TRY(const std::uint32_t uid, tasks_.next_batch_uid());
  busy(batch.tasks.front().index_uid);
  auto done = run(batch, uid);
  busy(std::nullopt);
  if (!done) {
    MIROIR_CHECK(tasks_.reset_processing());
    return std::unexpected(std::move(done.error()));
  }
  return true;
}

Result<void> Worker::run(const Batch& batch, std::uint32_t batch_uid) {
  const WallTime started = clock_.wall_now();
  std::vector<TaskUid> uids;
  for (const Task& task : batch.tasks) uids.push_back(task.uid);
  MIROIR_CHECK(tasks_.start(uids, batch_uid, started));
  if (faults_.disk_full) return fail(ErrorCode::kUnavailable, "the disk is full");

  created_.reset();
  MIROIR_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(database_));
  MIROIR_TRY(Done done, carry_out(batch));
  done.result.uid = batch_uid;
  done.result.started_at = started;
  done.result.finished_at = clock_.wall_now();
  MIROIR_TRY(sqlite::Statement* const row,
             database_.cached("INSERT OR REPLACE INTO last_batch VALUES(1,?)"));
  row->bind(1, to_text(to_json(done.result)));
  MIROIR_CHECK(row->run());
  MIROIR_CHECK(publish_([&]() -> Result<void> {
    MIROIR_CHECK(transaction.commit());
    if (created_) {
      std::string uid = created_->uid;
      catalogue_.emplace(std::move(uid), std::move(created_));
    }
    if (done.apply) done.apply();
    return {};
  }));
  return tasks_.finish(done.result);
}

Result<Worker::Done> Worker::carry_out(const Batch& batch) {
  switch (batch.kind) {
    case Batch::Kind::kDocuments:
      return documents(batch);
    case Batch::Kind::kClear:
      return clear(batch);
    case Batch::Kind::kIndexDeletion:
      return index_deletion(batch);
    case Batch::Kind::kSingle:
      return single(batch.tasks.front());
  }
  return fail(ErrorCode::kInternal, "a batch of no kind");
}

Index* Worker::find(std::string_view uid) {
  if (created_ && created_->uid == uid) return created_.get();
  const auto found = catalogue_.find(uid);
  return found == catalogue_.end() ? nullptr : found->second.get();
}

Result<Index*> Worker::create_index(const std::string& uid,
                                    std::optional<std::string> primary_key) {
  created_ = std::make_unique<Index>();
  MIROIR_TRY(created_->number, free_index_number(database_));
  created_->uid = uid;
  created_->primary_key = std::move(primary_key);
  created_->created_at = clock_.wall_now();
  created_->updated_at = created_->created_at;
  created_->settings = default_settings();
  created_->rules = FieldRules(created_->settings);
  MIROIR_CHECK(save_index(database_, *created_));
  MIROIR_CHECK(create_text_index(database_, created_->number));
  return created_.get();
}

Result<Worker::Done> Worker::documents(const Batch& batch) {
  Done done;
  Index* index = find(batch.tasks.front());
  const bool imports = std::ranges::any_of(batch.tasks, [](const Task& task) {
    return task.kind == meili::TaskKind::kDocumentAdditionOrUpdate;
  });
  if (index == nullptr && !imports) {
    for (const Task& task : batch.tasks) {
      done.result.outcomes.push_back(failed(task, meili::index_not_found(*task.index_uid)));
    }
    return done;
  }
  if (index == nullptr) {
    MIROIR_TRY(index, create_index(*batch.tasks.front().index_uid, std::nullopt));
  }
  auto written =
      std::make_shared<DocumentBatch>(*index, database_, tasks_, faults_, contains_enabled_());
  MIROIR_TRY(done.result.outcomes, written->run(batch.tasks, clock_.wall_now()));
  done.apply = [index, written] { written->apply(*index); };
  return done;
}

Result<Worker::Done> Worker::clear(const Batch& batch) {
  Done done;
  Index* index = find(batch.tasks.front());
  for (const Task& task : batch.tasks) {
    if (index == nullptr) {
      done.result.outcomes.push_back(failed(task, meili::index_not_found(*task.index_uid)));
    } else {
      const bool clears = task.content.find("ids") == nullptr &&
                          task.kind == meili::TaskKind::kDocumentDeletion &&
                          task.content.find("filter") == nullptr;
      done.result.outcomes.push_back(swallowed(task, clears ? index->documents.size() : 0));
    }
  }
  if (index == nullptr) return done;
  MIROIR_CHECK(erase_documents(database_, *index));
  MIROIR_CHECK(drop_text_index(database_, index->number));
  MIROIR_CHECK(create_text_index(database_, index->number));
  const WallTime now = clock_.wall_now();
  done.apply = [index, now] {
    Index empty;
    empty.number = index->number;
    empty.uid = index->uid;
    empty.primary_key = index->primary_key;
    empty.created_at = index->created_at;
    empty.updated_at = now;
    empty.settings = std::move(index->settings);
    empty.rules = index->rules;
    empty.fields = std::move(index->fields);
    empty.field_order = std::move(index->field_order);
    *index = std::move(empty);
  };
  return done;
}

Result<Worker::Done> Worker::index_deletion(const Batch& batch) {
  Done done;
  Index* index = find(batch.tasks.front());
  const bool imports = std::ranges::any_of(batch.tasks, [](const Task& task) {
    return task.kind == meili::TaskKind::kDocumentAdditionOrUpdate;
  });
  for (const Task& task : batch.tasks) {
    if (index == nullptr && !imports) {
      done.result.outcomes.push_back(failed(task, meili::index_not_found(*task.index_uid)));
    } else {
      const bool deletes = task.kind == meili::TaskKind::kIndexDeletion;
      done.result.outcomes.push_back(
          swallowed(task, deletes && index != nullptr ? index->documents.size() : 0));
    }
  }
  if (index == nullptr) return done;
  MIROIR_CHECK(erase_index(database_, *index));
  MIROIR_CHECK(drop_text_index(database_, index->number));
  done.apply = [this, uid = index->uid] { catalogue_.erase(uid); };
  return done;
}

Result<Worker::Done> Worker::single(const Task& task) {
  Done done;
  Attempt attempt = std::unexpected(meili::api_error("internal", "This node does not do that."));
  switch (task.kind) {
    case meili::TaskKind::kIndexCreation: {
      MIROIR_TRY(attempt, index_creation(task));
      break;
    }
    case meili::TaskKind::kIndexUpdate: {
      MIROIR_TRY(attempt, index_update(task, done));
      break;
    }
    case meili::TaskKind::kIndexSwap: {
      MIROIR_TRY(attempt, index_swap(task, done));
      break;
    }
    case meili::TaskKind::kSettingsUpdate: {
      MIROIR_TRY(attempt, settings_update(task));
      break;
    }
    case meili::TaskKind::kTaskCancelation:
    case meili::TaskKind::kTaskDeletion: {
      MIROIR_TRY(Json details, task.kind == meili::TaskKind::kTaskCancelation
                                   ? cancelation(task, done)
                                   : deletion(task, done));
      done.result.outcomes.push_back(
          {.uid = task.uid, .details = std::move(details), .error = {}, .canceled_by = {}});
      return done;
    }
    default:
      break;
  }
  if (!attempt) {
    done.result.outcomes.push_back(failed(task, std::move(attempt.error())));
    return done;
  }
  done.apply = std::move(*attempt);
  done.result.outcomes.push_back(
      {.uid = task.uid, .details = task.details, .error = {}, .canceled_by = {}});
  return done;
}

Result<Json> Worker::cancelation(const Task& task, Done& done) {
  std::int64_t canceled = 0;
  for (const Json& uid : task.content.find("uids")->as_array()) {
    MIROIR_TRY(const auto found, tasks_.find(static_cast<TaskUid>(uid.as_int64())));
    if (!found || found->status != meili::TaskStatus::kEnqueued) continue;
    ++canceled;
    TaskOutcome outcome = swallowed(*found, 0);
    outcome.canceled_by = task.uid;
    done.result.outcomes.push_back(std::move(outcome));
  }
  Json details = task.details;
  details.set("canceledTasks", canceled);
  return details;
}

Result<Json> Worker::deletion(const Task& task, Done& done) {
  for (const Json& uid : task.content.find("uids")->as_array()) {
    MIROIR_TRY(const auto found, tasks_.find(static_cast<TaskUid>(uid.as_int64())));
    if (found && meili::is_ended(found->status)) done.result.deleted.push_back(found->uid);
  }
  Json details = task.details;
  details.set("deletedTasks", static_cast<std::int64_t>(done.result.deleted.size()));
  return details;
}

}  // namespace miroir::node
