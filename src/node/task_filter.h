#pragma once

#include <expected>

#include "meili/parameters.h"
#include "node/task_store.h"

namespace miroir::node {

// The parameters that choose tasks (uids, statuses, types, …), as GET /tasks, POST /tasks/cancel
// and DELETE /tasks take them. "*" stands for everything.
std::expected<TaskFilter, meili::ApiError> parse_task_filter(const meili::Parameters& query);

}  // namespace miroir::node
