#pragma once

#include <set>
#include <string>

#include "node_api/node_client.h"

namespace miroir {

// A delete by filter takes whatever matches, and equality on an id is loose: `id = abc` finds the
// document `ABC` too, and of long ids only the beginning counts (FACTS.md). Where such a document
// also has the slot and the stamp, for both were written by one request, the filter cannot tell
// them apart. Asks the node, with the delete's own filter, and returns the ids of those copies that
// must not be deleted so; not for documents that are to be deleted anyway.
Async<Result<std::set<std::string>>> inseparable_copies(NodeClient& client, DeleteExactCopies write,
                                                        FieldNames names, Instant deadline);

}  // namespace miroir
