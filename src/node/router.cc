#include "node/router.h"

#include <algorithm>

#include "meili/index_uid.h"
#include "meili/payload.h"

namespace miroir::node {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> parts;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::size_t slash = path.find('/');
    parts.emplace_back(path.substr(0, slash));
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash);
  }
  return parts;
}

bool is_variable(std::string_view part) { return part.starts_with('{'); }

}  // namespace

std::expected<Json, meili::ApiError> body_of(const Call& call) {
  auto json = meili::expect_json(call.request.headers.find("Content-Type"));
  if (!json) return std::unexpected(std::move(json.error()));
  return meili::json_body(call.request.body);
}

http::Response json_reply(int status, const Json& body) {
  return http::json_response(status, to_text(body));
}

http::Response error_reply(const meili::ApiError& error) {
  return json_reply(error.status, meili::to_json(error));
}

void Router::add(std::string method, std::string_view path, std::string action,
                 RouteFunction function) {
  routes_.push_back({std::move(method), split(path), std::move(action), std::move(function)});
}

std::expected<Router::Found, http::Response> Router::find(const http::RequestHead& head,
                                                          Authority& authority) const {
  std::vector<std::string> parts;
  for (const std::string& part : split(head.path)) {
    auto decoded = http::percent_decode(part);
    if (!decoded) return std::unexpected(http::Response{.status = 404, .headers = {}, .body = {}});
    parts.push_back(std::move(*decoded));
  }
  const Route* found = nullptr;
  bool path_exists = false;
  for (const Route& route : routes_) {
    const bool matches = std::ranges::equal(
        route.parts, parts, [](const std::string& expected, const std::string& got) {
          return is_variable(expected) || expected == got;
        });
    if (!matches) continue;
    path_exists = true;
    // A literal route comes before one with a variable in its place, by the order of their adding.
    if (found == nullptr &&
        (route.method == head.method || (head.method == "HEAD" && route.method == "GET"))) {
      found = &route;
    }
  }
  if (found == nullptr) {
    return std::unexpected(
        http::Response{.status = path_exists ? 405 : 404, .headers = {}, .body = {}});
  }
  auto access = authority.admit(head.headers.find("Authorization"), found->action);
  if (!access) return std::unexpected(error_reply(access.error()));
  std::vector<std::string> variables;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!is_variable(found->parts[i])) continue;
    if (found->parts[i] == "{index_uid}") {
      if (!access->allows(parts[i])) {
        return std::unexpected(
            error_reply(meili::api_error("invalid_api_key", "The provided API key is invalid.")));
      }
      if (!meili::is_index_uid(parts[i]))
        return std::unexpected(error_reply(meili::invalid_index_uid(parts[i])));
    }
    variables.push_back(std::move(parts[i]));
  }
  return Found{&found->function, std::move(variables), std::move(*access)};
}

}  // namespace miroir::node
