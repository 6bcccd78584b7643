#pragma once

#include <string>

#include "node_api/node_client.h"

namespace miroir {

// Why a drop that is sent now may take along what is not ours, where all of our own tasks have
// ended; empty: it does not. What waits on the node is not in the index yet; what comes between the
// answers and the drop is not seen. An error: the node does not answer at all.
Async<Result<std::string>> why_not_to_drop(NodeClient& client, std::string index_uid,
                                           FieldNames names, Instant deadline);

}  // namespace miroir
