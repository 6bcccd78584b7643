#include "node/settings_routes.h"

#include "meili/payload.h"
#include "meili/settings.h"
#include "node/task_routes.h"

namespace miroir::node {
namespace {

using meili::ApiError;
using meili::Setting;

const std::string& index_of(const Call& call) { return call.variables.front(); }

std::expected<Json, ApiError> settings_of(Engine& engine, const Call& call) {
  const auto snapshot = engine.snapshot();
  const auto index = snapshot->index(index_of(call));
  if (!index) return std::unexpected(index.error());
  return meili::without_secrets((*index)->settings);
}

Reply change(Engine& engine, const Call& call, Json patch, bool deletion) {
  Json details = meili::settings_details(patch);
  return enqueue(engine, call,
                 {.kind = meili::TaskKind::kSettingsUpdate,
                  .index_uid = index_of(call),
                  .content = Json::object({{"settings", std::move(patch)}, {"deletion", deletion}}),
                  .body = {},
                  .details = std::move(details),
                  .custom_metadata = {}});
}

Reply change_all(Engine& engine, const Call& call) {
  auto body = body_of(call);
  if (!body) return std::unexpected(std::move(body.error()));
  auto patch = meili::check_settings(*body);
  if (!patch) return std::unexpected(std::move(patch.error()));
  return change(engine, call, std::move(*patch), false);
}

Reply reset_all(Engine& engine, const Call& call) {
  Json patch = Json::object();
  for (const Setting& setting : meili::all_settings()) patch.set(setting.name, nullptr);
  return change(engine, call, std::move(patch), true);
}

Reply change_one(Engine& engine, const Call& call, const Setting& setting) {
  auto body = body_of(call);
  if (!body) return std::unexpected(std::move(body.error()));
  auto value = meili::check_setting(setting, *body);
  if (!value) return std::unexpected(std::move(value.error()));
  Json patch = Json::object();
  patch.set(setting.name, std::move(*value));
  return change(engine, call, std::move(patch), false);
}

void add_one(Router& router, Engine& engine, const Setting& setting) {
  const std::string path = "/indexes/{index_uid}/settings/" + std::string(setting.route);
  router.add("GET", path, "settings.get", [&engine, setting](const Call& call) -> Reply {
    const auto settings = settings_of(engine, call);
    if (!settings) return std::unexpected(settings.error());
    const Json* value = settings->find(setting.name);
    return json_reply(200, value == nullptr ? Json() : *value);
  });
  router.add(setting.patched ? "PATCH" : "PUT", path, "settings.update",
             [&engine, setting](const Call& call) { return change_one(engine, call, setting); });
  router.add("DELETE", path, "settings.update", [&engine, setting](const Call& call) {
    Json patch = Json::object();
    patch.set(setting.name, nullptr);
    return change(engine, call, std::move(patch), true);
  });
}

}  // namespace

void add_settings_routes(Router& router, Engine& engine) {
  const std::string path = "/indexes/{index_uid}/settings";
  router.add("GET", path, "settings.get", [&engine](const Call& call) -> Reply {
    const auto settings = settings_of(engine, call);
    if (!settings) return std::unexpected(settings.error());
    return json_reply(200, *settings);
  });
  router.add("PATCH", path, "settings.update",
             [&engine](const Call& call) { return change_all(engine, call); });
  router.add("DELETE", path, "settings.update",
             [&engine](const Call& call) { return reset_all(engine, call); });
  for (const Setting& setting : meili::all_settings()) add_one(router, engine, setting);
}

}  // namespace miroir::node
