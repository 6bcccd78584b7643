#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "http/message.h"

namespace miroir {

// What clients ask of the stored fields is answered as for a field that does not exist: where a
// request names one, it gets a name that no node has a rule for. Only names change, never what is
// searched for, compared with, or marked up; a request that names none stays as it is, byte for
// byte.

// The body of a search, a fetch, a facet search, or several searches in one.
void conceal_reserved(Json& body);
std::string concealed_body(std::string body);
// The same, of a query string.
std::string concealed_query(std::string query);
http::Request concealed(http::Request request);

// Puts the client's own names back into what a node says of them.
std::string revealed(std::string message);

}  // namespace miroir
