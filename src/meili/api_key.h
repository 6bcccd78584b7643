#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

namespace miroir::meili {

// The key that Meilisearch makes of a uid: hex(HMAC-SHA256(master key, uid)). The same on every
// node with that master key.
std::string derive_key(std::string_view master_key, std::string_view uid);

// A key's uid as nodes print it. Clients may write it in upper case, without hyphens, in braces or
// as a URN.
std::string printed_uid(std::string_view uid);

// Whether a key's `actions` allow an action: itself, "*", or a group like "documents.*".
bool action_allowed(const Json& actions, std::string_view action);
// Whether a key's `indexes` allow an index: its uid, "*", or a prefix like "movies*".
bool index_allowed(const Json& indexes, std::string_view index_uid);
// Whether the key's `expiresAt` is not past.
bool is_alive(const Json& key, WallTime now);

// Whether two keys give the same rights, till the same time: nodes print times their own way and
// list in their own order.
bool same_rights(const Json& a, const Json& b);
// …and have the same name and description; a node adds members of its own.
bool same_key(const Json& a, const Json& b);

}  // namespace miroir::meili
