#pragma once

#include <string>
#include <string_view>

#include "http/client.h"
#include "node_api/node_write.h"

namespace miroir {

std::string index_path(const std::string& index_uid);

// The request that asks a node for a write, as the task `uid`. Nothing of the client's is escaped
// by anybody else.
http::ClientRequest write_request(const NodeWrite& write, TaskUid uid, std::string_view metadata,
                                  const FieldNames& names);

}  // namespace miroir
