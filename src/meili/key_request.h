#pragma once

#include <expected>
#include <string>

#include "base/clock.h"
#include "base/json.h"
#include "meili/api_error.h"

namespace miroir::meili {

// POST /keys, checked: name, description, uid (`fresh_uid` where it has none), actions, indexes,
// expiresAt (RFC 3339 or null), createdAt and updatedAt.
std::expected<Json, ApiError> parse_new_key(const Json& body, const std::string& fresh_uid,
                                            WallTime now);

// PATCH /keys/{key}: only `name` and `description` may change.
std::expected<void, ApiError> update_key(Json& key, const Json& body, WallTime now);

}  // namespace miroir::meili
