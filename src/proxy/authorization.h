#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"
#include "log/catalogue.h"
#include "meili/api_error.h"

namespace miroir {

// The secrets of this process. Never logged.
struct Secrets {
  std::string master_key;       // what clients use; empty: no key is asked of anybody
  std::string node_master_key;  // what the nodes were started with
  std::string admin_key;        // for /_miroir; empty: the master key serves
};

// Who may do what. Keys are judged from the catalogue: a key is HMAC-SHA256(node master key, key
// uid), the same on every node, so a client's key is good for a node as it is.
class Authorization {
 public:
  explicit Authorization(Secrets secrets) : secrets_(std::move(secrets)) {}

  // The refusal, or nullopt. `action` is a route's (routes.h); `index_uid` empty where the route
  // has none.
  std::optional<meili::ApiError> judge(const http::RequestHead& head, std::string_view action,
                                       const std::string& index_uid, const Catalogue& catalogue,
                                       WallTime now) const;
  // Whether the request carries the master key, or none is asked of anybody: what it carries must
  // not travel to a node.
  bool is_master(const http::RequestHead& head) const;
  // Whether an admitted request may see the index in a listing. One without a key is the master's:
  // it was taken out.
  bool may_see(const http::RequestHead& head, const std::string& index_uid,
               const Catalogue& catalogue) const;
  // Whether an admitted request may make the index by writing to it. One without a key is the
  // master's.
  bool may_make(const http::RequestHead& head, const std::string& index_uid,
                const Catalogue& catalogue) const;
  // The value of a key, as clients use it.
  std::string key_of(const std::string& uid) const;

 private:
  const KeyState* find_key(std::string_view token, const Catalogue& catalogue) const;

  Secrets secrets_;
};

}  // namespace miroir
