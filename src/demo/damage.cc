#include <fmt/format.h>

#include "demo/story.h"

namespace miroir::demo {
namespace {

std::string documents_path() { return std::string("/indexes/") + kIndex + "/documents"; }

// Some of the documents of one node, exactly as it holds them, stored fields included. `part` of
// four keeps the kinds of damage apart.
Result<std::vector<Json>> read_some(Stage& stage, const std::string& node, int part,
                                    std::size_t count) {
  Api& api = *stage.node(node).api;
  MIROIR_TRY(const Json first, api.expect("GET", documents_path() + "?limit=1"));
  const std::uint64_t total = first.find("total")->as_uint64();
  const std::uint64_t offset = total * static_cast<std::uint64_t>(part) / 4;
  MIROIR_TRY(const Json page,
             api.expect("GET", documents_path() + "?limit=" + std::to_string(count) +
                                   "&offset=" + std::to_string(offset)));
  const auto& documents = page.find("results")->as_array();
  if (documents.size() < count)
    return fail(ErrorCode::kInvalid, "too few documents on node " + node);
  return documents;
}

std::string id_of(const Json& document) { return document.find("id")->as_string(); }

std::set<std::string> ids_of(const std::vector<Json>& documents) {
  std::set<std::string> ids;
  for (const Json& document : documents) ids.insert(id_of(document));
  return ids;
}

Json array_of(const std::vector<Json>& documents) { return Json(Json::Array(documents)); }

// Through Miroir, as a client would.
Result<void> change_all(Stage& stage, const std::set<std::string>& ids, const std::string& mark) {
  Json changed = Json::array();
  for (const std::string& id : ids) {
    Json document = stage.model().documents().at(id);
    document.set("mark", mark);
    changed.push_back(std::move(document));
  }
  MIROIR_CHECK(stage.miroir().write("POST", documents_path(), changed));
  for (const Json& document : changed.as_array()) stage.model().put(document);
  return {};
}

Result<void> delete_all(Stage& stage, const std::set<std::string>& ids) {
  Json list = Json::array();
  for (const std::string& id : ids) list.push_back(id);
  MIROIR_CHECK(stage.miroir().write("POST", documents_path() + "/delete-batch", list));
  for (const std::string& id : ids) stage.model().remove(id);
  return {};
}

// Writes to a node behind Miroir's back.
class Vandal {
 public:
  explicit Vandal(Api& node) : node_(node) {}
  Result<void> post(const std::string& path, const Json& body) {
    MIROIR_TRY(const Json accepted, node_.expect("POST", path, body));
    tasks_.push_back(accepted.find("taskUid")->as_int64());
    return {};
  }
  Result<void> wait() {
    for (const std::int64_t task : tasks_) MIROIR_CHECK(node_.wait_task(task));
    return {};
  }

 private:
  Api& node_;
  std::vector<std::int64_t> tasks_;
};

}  // namespace

Result<Damage> damage(Stage& stage) {
  Damage damage;
  // Time passes for one disk only: what is written after the copy is missing when it comes back.
  stage.kill_node("b1");
  MIROIR_CHECK(stage.copy_disk("b1"));
  MIROIR_CHECK(stage.start_node("b1"));
  MIROIR_CHECK(stage.wait_equal());
  damage.restored_node = "b1";

  MIROIR_TRY(const auto stale, read_some(stage, "b2", 0, 10));
  MIROIR_TRY(const auto resurrected, read_some(stage, "b2", 1, 5));
  damage.stale = ids_of(stale);
  damage.resurrected = ids_of(resurrected);
  MIROIR_CHECK(change_all(stage, damage.stale, "the newer version"));
  MIROIR_CHECK(delete_all(stage, damage.resurrected));
  MIROIR_CHECK(stage.wait_equal());

  MIROIR_TRY(auto changed, read_some(stage, "b2", 2, 5));
  damage.changed = ids_of(changed);
  for (Json& document : changed)
    document.set("description", "somebody wrote this behind Miroir's back");
  MIROIR_TRY(const auto deleted, read_some(stage, "b2", 3, 10));
  damage.deleted = ids_of(deleted);
  Json deleted_ids = Json::array();
  for (const std::string& id : damage.deleted) deleted_ids.push_back(id);

  stage.kill_node("b1");
  MIROIR_CHECK(stage.restore_disk("b1"));
  MIROIR_CHECK(stage.start_node("b1"));
  say("  node b1: its disk put back to an older copy");
  // At once, so that no pass comes in between.
  Vandal vandal(*stage.node("b2").api);
  MIROIR_CHECK(vandal.post(documents_path() + "/delete-batch", deleted_ids));
  say(fmt::format("  node b2: {} documents deleted", damage.deleted.size()));
  MIROIR_CHECK(vandal.post(documents_path(), array_of(stale)));
  say(fmt::format("  node b2: {} documents put back as they were before their last change",
                  damage.stale.size()));
  MIROIR_CHECK(vandal.post(documents_path(), array_of(resurrected)));
  say(fmt::format("  node b2: {} deleted documents put back as they were",
                  damage.resurrected.size()));
  MIROIR_CHECK(vandal.post(documents_path(), array_of(changed)));
  MIROIR_CHECK(vandal.wait());
  say(fmt::format("  node b2: {} documents' contents changed under their old stamps",
                  damage.changed.size()));
  return damage;
}

Result<void> sabotage(Stage& stage) {
  MIROIR_TRY(const auto documents, read_some(stage, "a1", 1, 1));
  Json broken = documents.front();
  broken.set("description", "sabotage");
  MIROIR_CHECK(stage.node("a1").api->write("POST", documents_path(), Json::array({broken})));
  say("  sabotage: " + id_of(broken) + " broken on node a1");
  return {};
}

}  // namespace miroir::demo
