#pragma once

#include <expected>
#include <string>

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// GET /tasks, GET /tasks/{uid}, POST /tasks/cancel, DELETE /tasks.
void add_task_routes(Router& router, Engine& engine);

// `TaskId` and `DryRun`, or what is wrong with them.
std::expected<TaskHeaders, meili::ApiError> headers_of(const Call& call);

// Appends the task and answers 202 (or `status`) with its summary, or with what is wrong.
Reply enqueue(Engine& engine, const Call& call, NewTask task, int status = 202);

}  // namespace miroir::node
