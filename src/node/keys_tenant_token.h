#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace miroir::node {

// What a tenant token says: which indexes its bearer may search, and by which filter.
struct TenantToken {
  Json search_rules;
  // The filter for an index (null for none); nullopt where it may not be searched.
  std::optional<Json> rule(std::string_view index_uid) const;
};

// A JSON web token (HS256, HS384, HS512) signed with the API key of that uid, and not expired;
// nullopt for everything else.
std::optional<TenantToken> read_tenant_token(std::string_view token, std::string_view key,
                                             std::string_view key_uid, WallTime now);

}  // namespace miroir::node
