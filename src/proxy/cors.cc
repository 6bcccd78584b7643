#include "proxy/cors.h"

namespace miroir {
namespace {

constexpr const char* kVary =
    "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
constexpr const char* kSecondsKept = "86400";

bool is_for_clients(const http::RequestHead& head) { return !head.path.starts_with("/_miroir"); }

}  // namespace

bool is_from_a_page(const http::RequestHead& head) {
  return head.headers.find("Origin") != nullptr && is_for_clients(head);
}

void let_page_read(http::Response& response) {
  response.headers.set("Access-Control-Allow-Origin", "*");
  response.headers.set("Vary", kVary);
}

std::optional<http::Response> answer_preflight(const http::RequestHead& head) {
  if (head.method != "OPTIONS" || !is_from_a_page(head) ||
      head.headers.find("Access-Control-Request-Method") == nullptr) {
    return std::nullopt;
  }
  http::Response response{200, {}, {}};
  let_page_read(response);
  response.headers.set("Access-Control-Allow-Methods",
                       "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
  response.headers.set("Access-Control-Max-Age", kSecondsKept);
  if (const std::string* asked = head.headers.find("Access-Control-Request-Headers"))
    response.headers.set("Access-Control-Allow-Headers", *asked);
  return response;
}

}  // namespace miroir
