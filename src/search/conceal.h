#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "http/message.h"
#include "node_api/stored_fields.h"

namespace miroir {

// What clients ask of the stored fields is answered as for a field that does not exist: where a
// request names one, it gets a name that no node has a rule for. Only names change, never what is
// searched for, compared with, or marked up; a request that names none stays as it is, byte for
// byte. An expiry that clients may see can be asked for (attributesToRetrieve, fields), and nothing
// else.

// The body of a search, a fetch, a facet search, or several searches in one.
void conceal_reserved(Json& body, const FieldNames& names = {});
std::string concealed_body(std::string body, const FieldNames& names = {});
// The same, of a query string.
std::string concealed_query(std::string query, const FieldNames& names = {});
http::Request concealed(http::Request request, const FieldNames& names = {});

// Puts the client's own names back into what a node says of them.
std::string revealed(std::string message);

}  // namespace miroir
