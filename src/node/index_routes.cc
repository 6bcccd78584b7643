#include "node/index_routes.h"

#include <algorithm>
#include <set>

#include "meili/index_uid.h"
#include "meili/payload.h"
#include "node/task_routes.h"

namespace miroir::node {
namespace {

using meili::ApiError;

ApiError unreadable() { return meili::api_error("internal", "the database cannot be read"); }

Json to_json(const Index& index) {
  return Json::object({{"uid", index.uid},
                       {"createdAt", to_rfc3339(index.created_at)},
                       {"updatedAt", to_rfc3339(index.updated_at)},
                       {"primaryKey", index.primary_key ? Json(*index.primary_key) : Json()}});
}

std::expected<Json, ApiError> object_body(const Call& call) {
  if (auto type = meili::expect_json(call.request.headers.find("Content-Type")); !type) {
    return std::unexpected(std::move(type.error()));
  }
  return meili::json_body(call.request.body);
}

Reply list_indexes(Engine& engine, const Call& call) {
  if (auto error = meili::check_parameters(call.query, {"offset", "limit"}))
    return std::unexpected(std::move(*error));
  const auto offset = meili::unsigned_parameter(call.query, "offset", 0, "invalid_index_offset");
  if (!offset) return std::unexpected(offset.error());
  const auto limit = meili::unsigned_parameter(call.query, "limit", 20, "invalid_index_limit");
  if (!limit) return std::unexpected(limit.error());
  const auto snapshot = engine.snapshot();
  if (!snapshot) return std::unexpected(unreadable());
  Json results = Json::array();
  std::uint64_t total = 0;
  for (const auto& [uid, index] : snapshot->indexes()) {
    if (!call.access.allows(uid)) continue;
    if (total >= *offset && total - *offset < *limit) results.push_back(to_json(*index));
    ++total;
  }
  return json_reply(200, Json::object({{"results", std::move(results)},
                                       {"offset", *offset},
                                       {"limit", *limit},
                                       {"total", total}}));
}

Reply create_index(Engine& engine, const Call& call) {
  const auto body = object_body(call);
  if (!body) return std::unexpected(body.error());
  if (auto error = meili::check_fields(*body, {"uid", "primaryKey"}))
    return std::unexpected(std::move(*error));
  const Json* uid = body->find("uid");
  if (uid == nullptr)
    return std::unexpected(meili::api_error("missing_index_uid", "Missing field `uid`"));
  if (!uid->is_string())
    return std::unexpected(meili::wrong_type(*uid, "a string", ".uid", "invalid_index_uid"));
  if (!meili::is_index_uid(uid->as_string())) {
    ApiError error = meili::invalid_index_uid(uid->as_string());
    error.message = "Invalid value at `.uid`: " + error.message;
    return std::unexpected(std::move(error));
  }
  const auto primary_key = meili::string_field(*body, "primaryKey", "invalid_index_primary_key");
  if (!primary_key) return std::unexpected(primary_key.error());
  if (!call.access.allows(uid->as_string())) {
    return std::unexpected(meili::api_error("invalid_api_key", "The provided API key is invalid."));
  }
  const Json key = *primary_key ? Json(**primary_key) : Json();
  return enqueue(engine, call,
                 {.kind = meili::TaskKind::kIndexCreation,
                  .index_uid = uid->as_string(),
                  .content = Json::object({{"primaryKey", key}}),
                  .body = {},
                  .details = Json::object({{"primaryKey", key}}),
                  .custom_metadata = {}});
}

Reply update_index(Engine& engine, const Call& call) {
  const auto body = object_body(call);
  if (!body) return std::unexpected(body.error());
  if (auto error = meili::check_fields(*body, {"primaryKey", "uid"}))
    return std::unexpected(std::move(*error));
  const auto primary_key = meili::string_field(*body, "primaryKey", "invalid_index_primary_key");
  if (!primary_key) return std::unexpected(primary_key.error());
  const auto uid = meili::string_field(*body, "uid", "invalid_index_uid");
  if (!uid) return std::unexpected(uid.error());
  if (*uid && !meili::is_index_uid(**uid)) {
    ApiError error = meili::invalid_index_uid(**uid);
    error.message = "Invalid value at `.uid`: " + error.message;
    return std::unexpected(std::move(error));
  }
  const Json key = *primary_key ? Json(**primary_key) : Json();
  Json details = Json::object({{"primaryKey", key}});
  Json content = details;
  if (*uid) {
    details.set("oldIndexUid", call.variables[0]);
    details.set("newIndexUid", **uid);
    content.set("uid", **uid);
  }
  return enqueue(engine, call,
                 {.kind = meili::TaskKind::kIndexUpdate,
                  .index_uid = call.variables[0],
                  .content = std::move(content),
                  .body = {},
                  .details = std::move(details),
                  .custom_metadata = {}});
}

Reply delete_index(Engine& engine, const Call& call) {
  return enqueue(engine, call,
                 {.kind = meili::TaskKind::kIndexDeletion,
                  .index_uid = call.variables[0],
                  .content = Json::object(),
                  .body = {},
                  .details = Json::object({{"deletedDocuments", Json()}}),
                  .custom_metadata = {}});
}

Reply get_index(Engine& engine, const Call& call) {
  const auto snapshot = engine.snapshot();
  if (!snapshot) return std::unexpected(unreadable());
  const auto index = snapshot->index(call.variables[0]);
  if (!index) return std::unexpected(index.error());
  return json_reply(200, to_json(**index));
}

std::expected<Json, ApiError> parse_swap(const Json& swap, const Access& access,
                                         std::set<std::string>& seen,
                                         std::vector<std::string>& repeated) {
  if (auto error = meili::check_fields(swap, {"indexes", "rename"}))
    return std::unexpected(std::move(*error));
  const auto indexes = meili::strings_field(swap, "indexes", "invalid_swap_indexes");
  if (!indexes) return std::unexpected(indexes.error());
  if (!*indexes)
    return std::unexpected(meili::api_error("missing_swap_indexes", "Missing field `indexes`"));
  const auto rename = meili::boolean_field(swap, "rename", false, "invalid_swap_rename");
  if (!rename) return std::unexpected(rename.error());
  Json names = Json::array();
  for (const std::string& name : **indexes) names.push_back(name);
  if (names.size() != 2) {
    return std::unexpected(meili::api_error(
        "invalid_swap_indexes", "Two indexes must be given for each swap. The list `" +
                                    to_text(names) + "` contains " + std::to_string(names.size()) +
                                    " indexes."));
  }
  for (const std::string& name : **indexes) {
    if (!meili::is_index_uid(name)) return std::unexpected(meili::invalid_index_uid(name));
    if (!access.allows(name)) {
      return std::unexpected(
          meili::api_error("invalid_api_key", "The provided API key is invalid."));
    }
    const bool is_new = seen.insert(name).second;
    if (!is_new && std::ranges::find(repeated, name) == repeated.end()) repeated.push_back(name);
  }
  return Json::object({{"indexes", std::move(names)}, {"rename", *rename}});
}

Reply swap_indexes(Engine& engine, const Call& call) {
  const auto body = object_body(call);
  if (!body) return std::unexpected(body.error());
  if (!body->is_array())
    return std::unexpected(meili::wrong_type(*body, "an array", ".", "bad_request"));
  Json swaps = Json::array();
  std::set<std::string> seen;
  std::vector<std::string> repeated;
  for (const Json& element : body->as_array()) {
    auto swap = parse_swap(element, call.access, seen, repeated);
    if (!swap) return std::unexpected(std::move(swap.error()));
    swaps.push_back(std::move(*swap));
  }
  if (!repeated.empty()) {
    std::string names;
    for (const std::string& name : repeated) names += (names.empty() ? "`" : ", `") + name + "`";
    return std::unexpected(meili::api_error("invalid_swap_duplicate_index_found",
                                            "Indexes must be declared only once during a swap. " +
                                                names + (repeated.size() == 1 ? " was" : " were") +
                                                " specified several times."));
  }
  Json details = Json::object({{"swaps", std::move(swaps)}});
  return enqueue(engine, call,
                 {.kind = meili::TaskKind::kIndexSwap,
                  .index_uid = {},
                  .content = details,
                  .body = {},
                  .details = details,
                  .custom_metadata = {}});
}

Json stats_of(const Index& index, const std::optional<std::string>& indexing) {
  const std::uint64_t count = index.documents.size();
  Json distribution = Json::object();
  for (const auto& [field, documents] : index.field_distribution) {
    if (field != "_vectors") distribution.set(field, documents);
  }
  return Json::object({{"numberOfDocuments", count},
                       {"rawDocumentDbSize", index.raw_bytes},
                       {"avgDocumentSize", count == 0 ? 0 : index.raw_bytes / count},
                       {"isIndexing", indexing == index.uid},
                       {"numberOfEmbeddings", 0},
                       {"numberOfEmbeddedDocuments", 0},
                       {"fieldDistribution", std::move(distribution)}});
}

Reply get_index_stats(Engine& engine, const Call& call) {
  const auto snapshot = engine.snapshot();
  if (!snapshot) return std::unexpected(unreadable());
  const auto index = snapshot->index(call.variables[0]);
  if (!index) return std::unexpected(index.error());
  return json_reply(200, stats_of(**index, engine.indexing()));
}

Reply get_stats(Engine& engine, const Call& call) {
  const auto bytes = engine.database_bytes();
  if (!bytes) return std::unexpected(meili::api_error("internal", bytes.error().message));
  const auto snapshot = engine.snapshot();
  if (!snapshot) return std::unexpected(unreadable());
  Json indexes = Json::object();
  std::optional<WallTime> last_update;
  for (const auto& [uid, index] : snapshot->indexes()) {
    if (!call.access.allows(uid)) continue;
    indexes.set(uid, stats_of(*index, engine.indexing()));
    if (!last_update || *last_update < index->updated_at) last_update = index->updated_at;
  }
  return json_reply(
      200, Json::object({{"databaseSize", bytes->first},
                         {"usedDatabaseSize", bytes->second},
                         {"lastUpdate", last_update ? Json(to_rfc3339(*last_update)) : Json()},
                         {"indexes", std::move(indexes)}}));
}

}  // namespace

void add_index_routes(Router& router, Engine& engine) {
  const auto add = [&](const char* method, const char* path, const char* action,
                       Reply (*function)(Engine&, const Call&)) {
    router.add(method, path, action,
               [&engine, function](const Call& call) { return function(engine, call); });
  };
  add("GET", "/indexes", "indexes.get", list_indexes);
  add("POST", "/indexes", "indexes.create", create_index);
  add("GET", "/indexes/{index_uid}", "indexes.get", get_index);
  add("PATCH", "/indexes/{index_uid}", "indexes.update", update_index);
  add("DELETE", "/indexes/{index_uid}", "indexes.delete", delete_index);
  add("GET", "/indexes/{index_uid}/stats", "stats.get", get_index_stats);
  add("POST", "/swap-indexes", "indexes.swap", swap_indexes);
  add("GET", "/stats", "stats.get", get_stats);
}

}  // namespace miroir::node
