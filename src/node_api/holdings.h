#pragma once

#include <string>

#include "node_api/node_client.h"

namespace miroir {

// Documents that an index holds, or none; foreign ones have no stamp, and are somebody's.
enum class Holds { kNothing, kOurs, kForeign };

// By counts, so that nothing is left out that moves meanwhile, however much there is. Where the
// node cannot tell them apart (its settings do not make the stamp filterable): as if foreign. An
// index that is not there holds nothing.
Async<Result<Holds>> holdings(NodeClient& client, std::string index_uid, FieldNames names,
                              Instant deadline);

}  // namespace miroir
