#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "node/engine.h"
#include "node/router.h"

namespace miroir::node {

// The API keys of the node, and who may do what. A key is computed from the master key and the
// key's uid, and never stored. Without a master key everybody may do everything. Thread-safe.
class Keys : public Authority {
 public:
  // Makes the default keys where the node has none yet.
  Keys(Engine& engine, std::string master_key);

  std::expected<Access, meili::ApiError> admit(const std::string* authorization,
                                               std::string_view action) override;

  bool has_master_key() const { return !master_key_.empty(); }
  // As GET /keys/{key} shows it; `uid_or_key` is either.
  std::optional<Json> find(std::string_view uid_or_key) const;
  Json list() const;  // newest first

  std::expected<Json, meili::ApiError> create(const Json& body);
  std::expected<Json, meili::ApiError> update(std::string_view uid_or_key, const Json& body);
  std::expected<void, meili::ApiError> erase(std::string_view uid_or_key);

 private:
  std::string value_of(const Json& key) const;
  Json shown(const Json& key) const;
  Json::Array stored() const;
  std::expected<void, meili::ApiError> store(Json::Array keys);

  Engine& engine_;
  std::string master_key_;
  mutable std::mutex mutex_;  // around every reading and changing of the list
};

// GET, POST /keys; GET, PATCH, DELETE /keys/{key}.
void add_key_routes(Router& router, Keys& keys);

}  // namespace miroir::node
