#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "node_api/node_write.h"

namespace miroir {

// At most this many tasks are forgotten by one request: their uids stand in its target.
inline constexpr TaskUid kForgottenTasksMax = 2'000;

// The request that asks a node for a write, as the task `uid`. Nothing of the client's is escaped
// by anybody else. `oldest_task` is the lowest uid that the node still has; only ForgetTasks uses
// it.
http::ClientRequest write_request(const NodeWrite& write, TaskUid uid, std::string_view metadata,
                                  const FieldNames& names, TaskUid oldest_task = 0);

}  // namespace miroir
