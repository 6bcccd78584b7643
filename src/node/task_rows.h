#pragma once

#include <string>
#include <vector>

#include "node/task_store.h"

namespace miroir::node {

// How tasks are rows of tasks.db, and how filters are conditions over them.

std::int64_t microseconds_of(WallTime time);
void bind_task(sqlite::Statement& insert, const Task& task);
// Steps through a SELECT * and resets it.
Result<std::vector<Task>> read_tasks(sqlite::Statement& select);

// A condition with parameters, and their values.
std::string condition_of(const TaskFilter& filter);
void bind_condition(sqlite::Statement& statement, const TaskFilter& filter);

}  // namespace miroir::node
