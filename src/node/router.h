#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "meili/api_error.h"
#include "meili/parameters.h"

namespace miroir::node {

// What a key allows: node-search's keys.h makes one of the Authorization header.
struct Access {
  std::function<bool(std::string_view index_uid)> index_allowed;  // empty: every index
  // The filter that a tenant token puts on searches of an index: JSON, null for none.
  std::function<Json(std::string_view index_uid)> search_rule;  // empty: none
  bool allows(std::string_view index_uid) const {
    return !index_allowed || index_allowed(index_uid);
  }
};

// Who may do what. Asked with the route's action ("documents.add"; "" needs no key) before the body
// is read.
class Authority {
 public:
  virtual ~Authority() = default;
  virtual std::expected<Access, meili::ApiError> admit(const std::string* authorization,
                                                       std::string_view action) = 0;
};

// One request on its way through a route's function.
struct Call {
  const http::Request& request;
  std::vector<std::string> variables;  // what stood for the path's {…}, decoded
  meili::Parameters query;
  Access access;
};

using Reply = std::expected<http::Response, meili::ApiError>;
using RouteFunction = std::function<Reply(const Call&)>;

// The body as JSON; refuses another content type.
std::expected<Json, meili::ApiError> body_of(const Call& call);

http::Response json_reply(int status, const Json& body);
http::Response error_reply(const meili::ApiError& error);

// The table of routes. Filled at start, then only read, by any thread.
class Router {
 public:
  // `path`: "/indexes/{index_uid}/documents". `action` is the key's right that it needs.
  // A variable called {index_uid} is checked to be a valid uid and one that the key allows.
  void add(std::string method, std::string_view path, std::string action, RouteFunction function);

  // Finds the route and admits the key. The route to call, or the refusal: 404 and 405 without a
  // body.
  struct Found {
    const RouteFunction* function;
    std::vector<std::string> variables;
    Access access;
  };
  std::expected<Found, http::Response> find(const http::RequestHead& head,
                                            Authority& authority) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> parts;  // "{name}" stands for anything
    std::string action;
    RouteFunction function;
  };
  std::vector<Route> routes_;
};

}  // namespace miroir::node
