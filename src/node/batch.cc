#include "node/batch.h"

namespace miroir::node {
namespace {

constexpr std::size_t kTasksMax = 2'000;
constexpr std::uint64_t kBytesMax = 64 << 20;

enum class Step { kImport, kDelete, kDeleteByFilter, kClear, kIndexDeletion, kOther };

Step step_of(const Task& task) {
  switch (task.kind) {
    case meili::TaskKind::kDocumentAdditionOrUpdate:
      return Step::kImport;
    case meili::TaskKind::kIndexDeletion:
      return Step::kIndexDeletion;
    case meili::TaskKind::kDocumentDeletion:
      if (task.content.find("filter") != nullptr) return Step::kDeleteByFilter;
      return task.content.find("ids") != nullptr ? Step::kDelete : Step::kClear;
    default:
      return Step::kOther;
  }
}

// Whether the step may follow those in the batch; `imports` tells whether one of them adds
// documents.
bool joins(Batch::Kind kind, bool imports, Step step) {
  switch (step) {
    case Step::kImport:
      return kind == Batch::Kind::kDocuments;
    case Step::kDeleteByFilter:
      return !imports;
    default:
      return step != Step::kOther;
  }
}

}  // namespace

Batch batch_of(Task first, std::vector<Task> later) {
  const Step lead = step_of(first);
  Batch batch;
  batch.kind = lead == Step::kOther           ? Batch::Kind::kSingle
               : lead == Step::kClear         ? Batch::Kind::kClear
               : lead == Step::kIndexDeletion ? Batch::Kind::kIndexDeletion
                                              : Batch::Kind::kDocuments;
  batch.tasks.push_back(std::move(first));
  if (batch.kind == Batch::Kind::kSingle || batch.kind == Batch::Kind::kIndexDeletion) return batch;
  bool imports = lead == Step::kImport;
  for (Task& task : later) {
    if (!task.index_uid) break;  // a swap concerns indexes that it does not show
    if (task.index_uid != batch.tasks.front().index_uid) continue;
    const Step step = step_of(task);
    if (!joins(batch.kind, imports, step)) break;
    imports |= step == Step::kImport;
    if (step == Step::kClear) batch.kind = Batch::Kind::kClear;
    batch.tasks.push_back(std::move(task));
    if (step == Step::kIndexDeletion) {
      batch.kind = Batch::Kind::kIndexDeletion;
      break;
    }
  }
  return batch;
}

Result<Batch> next_batch(TaskStore& tasks) {
  MIROIR_TRY(auto first, tasks.first_enqueued());
  if (!first) return Batch{};
  if (step_of(*first) == Step::kOther) return batch_of(std::move(*first), {});
  MIROIR_TRY(auto later, tasks.enqueued_after(first->uid, kTasksMax));
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < later.size(); ++i) {
    MIROIR_TRY(const std::uint64_t size, tasks.body_bytes(later[i].uid));
    bytes += size;
    if (bytes > kBytesMax) {
      later.resize(i);
      break;
    }
  }
  return batch_of(std::move(*first), std::move(later));
}

}  // namespace miroir::node
