#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/client.h"
#include "http/message.h"

namespace miroir::http {

// Heads as they are sent. Framing and the connection are this room's business: whatever the caller
// says of them (Content-Length, Transfer-Encoding, Connection, …) is left out, so that a message
// passed on from elsewhere cannot be framed twice.

// The status is 200-599. A field that would break the head is left out.
std::string response_head(const Response& response, bool keep_alive);

// kInvalid: the method, the target or a field is malformed.
Result<std::string> request_head(const ClientRequest& request, std::string_view authority);

// Whether an answer of that status has no body, whatever its head says.
bool is_bodiless(int status);

}  // namespace miroir::http
