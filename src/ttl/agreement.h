#pragma once

#include <map>
#include <string>
#include <vector>

#include "log/entry.h"
#include "node_api/stored_fields.h"

namespace miroir::ttl {

// The copies that one owner holds: id → what stands in its stored fields.
using OwnerCopies = std::map<std::string, StoredFields>;

// Those of the documents of which all owners hold the same version, and say that it expired by
// then: as records of a conditional delete. Where they disagree, or one holds none, it is for the
// reconciler to find out who is right: an extension that some of them missed must not be swept.
// Pure.
std::vector<BodyRecord> agreed_to_have_expired(const std::vector<std::string>& ids,
                                               const std::vector<OwnerCopies>& owners,
                                               std::int64_t now_milliseconds);

}  // namespace miroir::ttl
