#include "demo/checker.h"

#include <set>

namespace miroir::demo {
namespace {

constexpr std::size_t kPage = 5'000;
constexpr std::size_t kSentencesMax = 20;

void complain(Proof& proof, std::string sentence) {
  ++proof.wrong_count;
  if (proof.wrong.size() < kSentencesMax) proof.wrong.push_back(std::move(sentence));
}

Json without_stored_fields(Json document) {
  std::erase_if(document.as_object(),
                [](const Json::Member& member) { return member.first.starts_with("_miroir_"); });
  return document;
}

// Every document of a node. It is quiet now, so pages by offset are exact.
Result<std::vector<Json>> read_all(Api& api, const std::string& index_uid) {
  std::vector<Json> documents;
  while (true) {
    MIROIR_TRY(Json page, api.expect("GET", "/indexes/" + index_uid +
                                                "/documents?limit=" + std::to_string(kPage) +
                                                "&offset=" + std::to_string(documents.size())));
    Json* results = page.find("results");
    const Json* total = page.find("total");
    if (results == nullptr || total == nullptr)
      return fail(ErrorCode::kCorrupt, "a page without results");
    for (Json& document : results->as_array()) documents.push_back(std::move(document));
    if (results->size() == 0 || documents.size() >= total->as_uint64()) return documents;
  }
}

}  // namespace

void Model::put(const Json& document) { documents_[document.find("id")->as_string()] = document; }
void Model::remove(const std::string& id) { documents_.erase(id); }

Result<Proof> check(const std::vector<CheckedNode>& nodes, const std::string& index_uid,
                    const Model& model) {
  if (nodes.empty()) return fail(ErrorCode::kInvalid, "there is nothing to check: no nodes");
  Proof proof;
  std::map<int, std::map<std::string, std::string>> seen;  // group → id → node
  for (const CheckedNode& node : nodes) {
    seen[node.group];  // an empty group is one from which everything is missing
    MIROIR_TRY(const auto documents, read_all(*node.api, index_uid));
    proof.documents_read += documents.size();
    for (const Json& document : documents) {
      const Json* id = document.find("id");
      if (id == nullptr || !id->is_string()) {
        complain(proof, "node " + node.id + " holds a document without an id");
        continue;
      }
      const std::string& name = id->as_string();
      if (const auto [at, first] = seen[node.group].emplace(name, node.id); !first) {
        complain(proof, name + " is on " + at->second + " and on " + node.id + " of one group");
      }
      const auto expected = model.documents().find(name);
      if (expected == model.documents().end()) {
        complain(proof, name + " on " + node.id + " was deleted, or never written");
      } else if (!(without_stored_fields(document) == expected->second)) {
        complain(proof, name + " on " + node.id + " is not what was acknowledged");
      }
    }
  }
  for (const auto& [group, ids] : seen) {
    for (const auto& [name, document] : model.documents()) {
      if (!ids.contains(name)) {
        complain(proof, name + " is missing from group " + std::to_string(group));
      }
    }
  }
  return proof;
}

}  // namespace miroir::demo
