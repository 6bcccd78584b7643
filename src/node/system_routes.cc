#include <array>

#include "meili/payload.h"
#include "node/index_routes.h"

namespace miroir::node {
namespace {

constexpr std::array<std::string_view, 15> kFeatures = {"metrics",
                                                        "logsRoute",
                                                        "editDocumentsByFunction",
                                                        "containsFilter",
                                                        "dynamicSearchRules",
                                                        "network",
                                                        "getTaskDocumentsRoute",
                                                        "taskQueueCompactionRoute",
                                                        "compositeEmbedders",
                                                        "chatCompletions",
                                                        "multimodal",
                                                        "foreignKeys",
                                                        "disableDocumentsFetchQueue",
                                                        "legacySearch",
                                                        "renderRoute"};

Json features_of(const Engine& engine) {
  Json features = Json::object();
  for (const std::string_view name : kFeatures) features.set(name, engine.feature(name));
  return features;
}

Reply update_features(Engine& engine, const Call& call) {
  if (auto type = meili::expect_json(call.request.headers.find("Content-Type")); !type) {
    return std::unexpected(std::move(type.error()));
  }
  const auto body = meili::json_body(call.request.body);
  if (!body) return std::unexpected(body.error());
  if (!body->is_object()) return std::unexpected(*meili::check_fields(*body, {}));
  Json features = features_of(engine);
  for (const auto& [name, value] : body->as_object()) {
    if (features.find(name) == nullptr) {
      return std::unexpected(meili::api_error("bad_request", "Unknown field `" + name + "`"));
    }
    if (!value.is_bool())
      return std::unexpected(meili::wrong_type(value, "a boolean", "." + name, "bad_request"));
    features.set(name, value);
  }
  if (auto saved = engine.set_setting("features", features); !saved) {
    return std::unexpected(meili::api_error("internal", saved.error().message));
  }
  return json_reply(200, features);
}

}  // namespace

void add_system_routes(Router& router, Engine& engine) {
  router.add("GET", "/health", "",
             [](const Call&) { return json_reply(200, Json::object({{"status", "available"}})); });
  router.add("GET", "/version", "version", [](const Call&) {
    return json_reply(
        200, Json::object(
                 {{"commitSha", "miroir"}, {"commitDate", "unknown"}, {"pkgVersion", "1.50.0"}}));
  });
  router.add("GET", "/experimental-features", "experimental.get",
             [&](const Call&) { return json_reply(200, features_of(engine)); });
  router.add("PATCH", "/experimental-features", "experimental.update",
             [&](const Call& call) { return update_features(engine, call); });
}

}  // namespace miroir::node
