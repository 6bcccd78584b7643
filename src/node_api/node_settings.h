#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "meili/api_error.h"
#include "node_api/stored_fields.h"

namespace miroir {

// An index's settings as clients make them, and as nodes get them: with our filter rules before the
// client's, and no facet limit below the digest's alphabet (DESIGN.md, "Stored fields"). Pure.

// The client's settings after a change: members of `change` replace, null resets; the members of
// typoTolerance, faceting, pagination and embedders are merged one by one.
Json merge_settings(const Json& settings, const Json& change);

// What a node shall have, complete: settings that the client never made are null, and so are
// embedders and other members of `before` that are gone.
Json settings_for_node(const Json& settings, const Json& before, const std::string& primary_key);

// What clients see of a node's answer: their own filter rules and facet limit instead of the
// node's.
Json settings_for_client(Json answer, const Json& settings);

// The settings that a client would have made to get a node's answer, where nobody remembers them.
// `primary_key`: the index's, which the node itself may not know; empty: nobody knows one.
// `remembered`: older ones, or null, for the embedders' secrets, which a node shortens. One that is
// not among them is left out: who has it keeps it.
Json settings_from_node(Json answer, const std::string& primary_key, const Json& remembered);

// Whether a node that was given `sent` may show `shown`: settings, or a part of them. It shows null
// in some places as a list of everything, lists of texts in an order of its own and once each,
// numbers by value, secrets shortened, and more members than it was given.
bool may_show(const Json& shown, const Json& sent);

// What a task says of a reset of all settings: each of them null, but for the two that are lists of
// everything.
Json details_of_reset();

// A change that would take our alphabet out of the separators, or that names a reserved field.
std::optional<meili::ApiError> refuse_settings(const Json& change, const FieldNames& names);

// "filterable-attributes" → "filterableAttributes"; empty if there is no such setting.
std::string setting_of_route(std::string_view route);
// The routes of all settings, and the method that changes each: those that are objects are merged
// by PATCH, others replaced by PUT.
std::vector<std::string> setting_routes();
std::string_view method_of_setting(std::string_view route);

}  // namespace miroir
