#pragma once

#include <vector>

#include "node/task_store.h"

namespace miroir::node {

// Tasks that are carried out together and share a fate. As in Meilisearch: writes of one index
// batch together; a delete by filter may lead them but never join behind an import; a delete-all
// and the index's deletion swallow what is before them; everything else is alone.
struct Batch {
  enum class Kind { kDocuments, kClear, kIndexDeletion, kSingle } kind = Kind::kSingle;
  std::vector<Task> tasks;  // rising uids, at least one
};

// The next batch, or an empty one where no task waits.
Result<Batch> next_batch(TaskStore& tasks);

// The pure part: which of `later` (rising) join the first.
Batch batch_of(Task first, std::vector<Task> later);

}  // namespace miroir::node
