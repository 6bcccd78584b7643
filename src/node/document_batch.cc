#include "node/document_batch.h"

#include <unordered_set>

#include "base/document.h"
#include "meili/geo.h"
#include "meili/primary_key.h"
#include "node/filter_evaluation.h"

namespace miroir::node {
namespace {

using meili::ApiError;

BodyFormat format_of(const Task& task) {
  return task.content.find("format")->as_string() == "json" ? BodyFormat::kJson
                                                            : BodyFormat::kNdjson;
}

bool flag(const Task& task, std::string_view name) {
  const Json* value = task.content.find(name);
  return value != nullptr && value->is_bool() && value->as_bool();
}

}  // namespace

TaskOutcome swallowed(const Task& task, std::uint64_t deleted_documents) {
  TaskOutcome outcome{.uid = task.uid, .details = task.details, .error = {}, .canceled_by = {}};
  if (outcome.details.find("indexedDocuments") != nullptr)
    outcome.details.set("indexedDocuments", 0);
  if (outcome.details.find("deletedDocuments") != nullptr)
    outcome.details.set("deletedDocuments", deleted_documents);
  return outcome;
}

TaskOutcome failed(const Task& task, ApiError error) {
  TaskOutcome outcome = swallowed(task, 0);
  outcome.error = std::move(error);
  return outcome;
}

DocumentBatch::DocumentBatch(const Index& index, sqlite::Database& database, TaskStore& tasks,
                             Faults& faults, bool contains_enabled)
    : index_(index),
      database_(database),
      tasks_(tasks),
      faults_(faults),
      contains_enabled_(contains_enabled),
      primary_key_(index.primary_key) {}

std::optional<ApiError> DocumentBatch::settle_primary_key(const Task& task,
                                                          std::string_view first_document) {
  const Json* named = task.content.find("primaryKey");
  if (named != nullptr && named->is_string()) {
    if (primary_key_ && *primary_key_ != named->as_string()) {
      return meili::api_error("index_primary_key_already_exists",
                              "Index already has a primary key: `" + *primary_key_ + "`.");
    }
    primary_key_ = named->as_string();
  }
  if (primary_key_ || first_document.empty()) return std::nullopt;
  auto inferred = meili::infer_primary_key(first_document);
  if (!inferred) return std::move(inferred.error());
  primary_key_ = std::move(*inferred);
  return std::nullopt;
}

Result<DocumentBatch::Judged> DocumentBatch::judge(const Task& task) {
  Import import;
  MIROIR_TRY(import.body, tasks_.body(task.uid));
  if (Faults::take(faults_.fail_tasks)) {
    return Judged(std::unexpected(meili::api_error("internal", "This task was made to fail.")));
  }
  const bool geographic =
      index_.rules.filterable("_geo").has_value() || index_.rules.sortable("_geo");
  const std::optional<std::string> primary_key_before = primary_key_;
  std::unordered_set<std::string> ids;
  std::optional<ApiError> error;
  const auto see = [&](std::string_view document) -> Result<void> {
    if (import.received++ == 0) error = settle_primary_key(task, document);
    if (!error) {
      auto id = meili::document_id_of(document, *primary_key_);
      if (!id) {
        error = std::move(id.error());
      } else {
        if (geographic && !shared_error_) shared_error_ = meili::check_geo(document, *id);
        ids.insert(std::move(*id));
      }
    }
    return error ? fail(ErrorCode::kCancelled, "judged") : Result<void>();
  };
  const auto seen = miroir::for_each_document(import.body, format_of(task), see);
  if (import.received == 0) error = settle_primary_key(task, "");
  if (error) {
    primary_key_ = primary_key_before;
    return Judged(std::unexpected(std::move(*error)));
  }
  MIROIR_CHECK(seen);
  import.indexed = ids.size();
  return Judged(std::move(import));
}

Result<std::uint64_t> DocumentBatch::erase(const Task& task) {
  std::uint64_t deleted = 0;
  std::vector<std::string> ids;
  if (const Json* filter = task.content.find("filter")) {
    const auto matches = evaluate(*filter, index_, contains_enabled_, "invalid_document_filter");
    if (!matches) return fail(ErrorCode::kInternal, matches.error().message);
    if (matches->empty()) return deleted;
    for (const auto& [id, number] : index_.numbers) {
      if (matches->contains(number)) ids.push_back(id);
    }
  } else {
    for (const Json& id : task.content.find("ids")->as_array()) ids.push_back(id.as_string());
  }
  for (const std::string& id : ids) {
    MIROIR_TRY(const bool erased, change_->erase(id));
    deleted += erased ? 1 : 0;
  }
  return deleted;
}

Result<void> DocumentBatch::write(const Task& task, const Import& import) {
  const bool replaces = task.content.find("method")->as_string() == "replace";
  const bool skips_creation = flag(task, "skipCreation");
  return miroir::for_each_document(
      import.body, format_of(task), [&](std::string_view text) -> Result<void> {
        MIROIR_TRY(Json document, parse_json(text, DecimalReading::kNode));
        const auto id = meili::document_id_of(document, *primary_key_);
        if (!id) return fail(ErrorCode::kInternal, id.error().message);
        if (skips_creation && !change_->contains(*id)) return {};
        return replaces ? change_->replace(*id, std::move(document))
                        : change_->merge(*id, std::move(document));
      });
}

Result<std::vector<TaskOutcome>> DocumentBatch::run(const std::vector<Task>& tasks, WallTime now) {
  std::vector<std::optional<Judged>> judged(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (tasks[i].kind != meili::TaskKind::kDocumentAdditionOrUpdate) continue;
    MIROIR_TRY(judged[i], judge(tasks[i]));
  }

  change_.emplace(index_, database_);
  std::vector<TaskOutcome> outcomes;
  // Filters are judged before anything is written, so that what fails everybody leaves nothing to
  // undo.
  for (const Task& task : tasks) {
    const Json* filter = task.content.find("filter");
    if (filter == nullptr || shared_error_) continue;
    if (const auto matches =
            evaluate(*filter, index_, contains_enabled_, "invalid_document_filter");
        !matches) {
      shared_error_ = matches.error();
      shared_error_->message = "Index `" + index_.uid + "`: " + shared_error_->message;
    }
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const Task& task = tasks[i];
    if (judged[i] && !judged[i]->has_value()) {
      outcomes.push_back(failed(task, judged[i]->error()));
    } else if (shared_error_) {
      outcomes.push_back(failed(task, *shared_error_));
    } else if (judged[i]) {
      MIROIR_CHECK(write(task, **judged[i]));
      TaskOutcome outcome{.uid = task.uid, .details = task.details, .error = {}, .canceled_by = {}};
      outcome.details.set("indexedDocuments", static_cast<std::int64_t>((*judged[i])->indexed));
      outcomes.push_back(std::move(outcome));
    } else {
      MIROIR_TRY(const std::uint64_t deleted, erase(task));
      outcomes.push_back(swallowed(task, deleted));
    }
  }
  if (shared_error_) primary_key_ = index_.primary_key;
  if (primary_key_ && primary_key_ != index_.primary_key) {
    MIROIR_TRY(sqlite::Statement* const row,
               database_.cached("UPDATE indexes SET primary_key=? WHERE number=?"));
    row->bind(1, *primary_key_).bind(2, index_.number);
    MIROIR_CHECK(row->run());
  }
  MIROIR_CHECK(change_->finish(now));
  return outcomes;
}

void DocumentBatch::apply(Index& index) {
  index.primary_key = primary_key_;
  std::move(*change_).apply(index);
}

}  // namespace miroir::node
