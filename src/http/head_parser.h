#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace miroir::http {

// Heads of requests and responses, parsed strictly: what two parsers could read differently is
// refused, never interpreted (RFC 9112; request smuggling). Pure functions of bytes.

// How the body is framed.
struct Framing {
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
};

struct HeadError {
  int status = 400;
  std::string message;
};

struct ParsedRequest {
  RequestHead head;
  Framing framing;
  bool keep_alive = true;
  bool expects_continue = false;
};
struct ParsedResponse {
  int status = 0;
  Headers headers;
  Framing framing;
  bool keep_alive = true;
};

// Bytes of the head in front of `bytes`, its empty line included; 0 where it is not complete yet;
// an error for a line that does not end in CRLF.
std::expected<std::size_t, HeadError> head_size(std::string_view bytes);

// `head` is complete. Refused: versions other than HTTP/1.0 and 1.1, a request target that is not a
// path, no Host (1.1), several or a malformed one, Transfer-Encoding other than exactly `chunked`,
// Transfer-Encoding with Content-Length, several Content-Lengths or one that is not digits, folded
// lines, space before a colon, control characters.
std::expected<ParsedRequest, HeadError> parse_request_head(std::string_view head);
std::expected<ParsedResponse, HeadError> parse_response_head(std::string_view head);

// What may be sent: a header name is a token, a value has no control characters, a target begins
// with a slash and is visible ASCII without a fragment.
bool is_token(std::string_view text);
bool is_field_value(std::string_view text);
bool is_target(std::string_view text);

}  // namespace miroir::http
