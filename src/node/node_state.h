#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"
#include "sqlite/sqlite.h"

namespace miroir::node {

// Small durable values of the node as a whole (experimental features, keys), read on every request
// from memory. Thread-safe.
class NodeState {
 public:
  static Result<std::unique_ptr<NodeState>> open(const std::string& path);
  std::optional<Json> get(std::string_view name) const;
  Result<void> set(std::string_view name, const Json& value);

 private:
  explicit NodeState(sqlite::Database database) : database_(std::move(database)) {}
  mutable std::mutex mutex_;
  sqlite::Database database_;
  std::map<std::string, Json, std::less<>> values_;
};

}  // namespace miroir::node
