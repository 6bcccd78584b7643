#pragma once

#include <map>
#include <string>
#include <vector>

#include "forward/forward_world_fake.h"
#include "log/tasks.h"
#include "write/document_writer.h"
#include "write/index_writer.h"
#include "write/key_writer.h"
#include "write/settings_writer.h"

namespace miroir {

// Of a task, as clients see it.
inline std::string status_of(const Json& task) { return task.find("status")->as_string(); }
inline std::string error_of(const Json& task) {
  const Json* error = task.find("error");
  return error != nullptr && error->is_object() ? error->find("code")->as_string() : "";
}

// The writers before two groups of two simulated nodes that do what the log says. Routes are called
// as the proxy calls them.
class WriteWorld {
 public:
  explicit WriteWorld(WriteOptions options = {})
      : world(20261123, {}), options_(std::move(options)) {
    world.start();
    MIROIR_ASSERT(world.run_until([this] { return !world.cluster().whole_groups().empty(); }));
  }

  struct Answer {
    int status = 0;
    Json body;
    std::string code() const { return text("code"); }
    std::string message() const { return text("message"); }
    Position task() const { return body.find("taskUid")->as_uint64(); }
    std::string text(std::string_view name) const {
      const Json* value = body.find(name);
      return value != nullptr && value->is_string() ? value->as_string() : "";
    }
  };

  Answer post(std::string uid, std::string documents, std::string query = {}) {
    return add(std::move(uid), false, json_request("POST", std::move(documents), std::move(query)));
  }
  Answer put(std::string uid, std::string documents, std::string query = {}) {
    return add(std::move(uid), true, json_request("PUT", std::move(documents), std::move(query)));
  }
  Answer add(std::string uid, bool merge, http::Request request) {
    return answer(documents().add(std::move(uid), merge, std::move(request)));
  }
  Answer answer(Async<http::Response> route) {
    const http::Response response = world.await(std::move(route));
    return {response.status, parse_json(response.body).value_or(Json(response.body))};
  }

  static http::Request json_request(std::string method, std::string body, std::string query = {}) {
    http::Request request;
    request.method = std::move(method);
    request.query = std::move(query);
    request.headers.set("Content-Type", "application/json");
    request.body = std::move(body);
    return request;
  }

  WriteContext context() { return {world.log(), world.cluster(), world.clock, options_}; }
  DocumentWriter documents() { return DocumentWriter(context()); }
  IndexWriter indexes() { return IndexWriter(context()); }
  SettingsWriter settings() { return SettingsWriter(context()); }
  KeyWriter keys() { return KeyWriter(context(), world.random); }

  // The task as clients see it, after it has ended.
  Json ended(Position task) {
    world.await_task(task);
    auto found = world.await(find_task(world.log(), task, [](Position) { return false; }));
    MIROIR_ASSERT(found && *found);
    return std::move(**found);
  }
  Json ended(const Answer& accepted) { return ended(accepted.task()); }
  Entry entry(Position position) { return **world.await(world.log().entry(position)); }
  const IndexState* index(std::string_view uid) { return world.log().catalogue().index(uid); }
  // The documents of one group, without the stored fields: id → text.
  std::map<std::string, std::string> documents_of(const std::string& uid, int group = 0) {
    MIROIR_ASSERT(world.run_until([this] { return world.all_done(); }));
    std::map<std::string, std::string> all = world.documents_of_group(group, uid);
    for (auto& [id, text] : all) {
      std::string own;
      MIROIR_ASSERT(append_without(
          own, text, [](std::string_view key) { return key.starts_with(kReservedPrefix); }));
      text = own;
    }
    return all;
  }

  ForwardWorld world;

 private:
  WriteOptions options_;
};

}  // namespace miroir
