#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/metrics.h"
#include "http/message.h"

namespace miroir {

// What a caller must be allowed to do: an action of Meilisearch's keys ("documents.add"), or one of
// these.
inline constexpr std::string_view kNoKey;               // anybody
inline constexpr std::string_view kAdminKey = "admin";  // MIROIR_ADMIN_API_KEY

// One route: a method and a path template like "/indexes/{uid}/documents/{id}".
struct Route {
  using Values = std::vector<std::string>;  // what stood for {…}, decoded, in order
  using Handler = std::function<Async<http::Response>(Values values, http::Request request)>;

  std::string method;
  std::string path;
  std::string action;
  Handler handler;
};

class Routes {
 public:
  void add(std::string method, std::string path, std::string_view action, Route::Handler handler);

  struct Match {
    const Route* route = nullptr;  // nullptr: no such path, or no such method on it
    bool path_exists = false;
    Route::Values values;
    std::string index_uid;  // the value of {uid} under /indexes
  };
  Match find(const http::RequestHead& head) const;

 private:
  struct Entry {
    Route route;
    std::vector<std::string> segments;
  };
  std::vector<Entry> entries_;
};

}  // namespace miroir
