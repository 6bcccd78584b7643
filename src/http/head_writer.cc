#include "http/head_writer.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "http/head_parser.h"

namespace miroir::http {
namespace {

constexpr std::array<std::string_view, 9> kOwnFields = {
    "Connection", "Content-Length", "Expect",  "Keep-Alive",       "Proxy-Connection",
    "TE",         "Trailer",        "Upgrade", "Transfer-Encoding"};

bool is_own(std::string_view name) {
  return std::ranges::any_of(kOwnFields,
                             [&](std::string_view own) { return same_name(own, name); });
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

struct Reason {
  int status;
  std::string_view phrase;
};
constexpr Reason kReasons[] = {
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
};

// The phrase may be empty.
std::string_view reason_of(int status) {
  const auto found = std::ranges::find(kReasons, status, &Reason::status);
  return found == std::end(kReasons) ? std::string_view() : found->phrase;
}

}  // namespace

bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

std::string response_head(const Response& response, bool keep_alive) {
  MIROIR_ASSERT(response.status >= 200 && response.status <= 599);
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  head.append(reason_of(response.status)).append("\r\n");
  for (const auto& [name, value] : response.headers.all()) {
    if (is_own(name) || !is_token(name) || !is_field_value(value)) continue;
    append_field(head, name, value);
  }
  if (!is_bodiless(response.status)) {
    append_field(head, "Content-Length", std::to_string(response.body.size()));
  }
  if (!keep_alive) append_field(head, "Connection", "close");
  return head + "\r\n";
}

Result<std::string> request_head(const ClientRequest& request, std::string_view authority) {
  if (!is_token(request.method)) return fail(ErrorCode::kInvalid, "a malformed method");
  if (!is_target(request.target)) return fail(ErrorCode::kInvalid, "a malformed request target");
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\n";
  append_field(head, "Host", authority);
  for (const auto& [name, value] : request.headers.all()) {
    if (!is_token(name) || !is_field_value(value)) {
      return fail(ErrorCode::kInvalid, "a malformed header field");
    }
    if (!is_own(name) && !same_name(name, "Host")) append_field(head, name, value);
  }
  const bool bodiless_method = request.method == "GET" || request.method == "HEAD";
  if (!request.body.empty() || !bodiless_method) {
    append_field(head, "Content-Length", std::to_string(request.body.size()));
  }
  return head + "\r\n";
}

}  // namespace miroir::http
