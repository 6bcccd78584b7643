#pragma once

#include <optional>

#include "http/message.h"

namespace miroir {

// Browsers may call the client API from any page, as they may a Meilisearch: what a request may do
// is its key's business, never its origin's. The admin API is not for pages of others.

// The answer to a browser's question whether it may send a request; nullopt where it is none.
std::optional<http::Response> answer_preflight(const http::RequestHead& head);

// Whether the answer to this request may be read by the page that sent it.
bool is_from_a_page(const http::RequestHead& head);
void let_page_read(http::Response& response);

}  // namespace miroir
