#include "sim/model.h"

#include "base/hash.h"

namespace miroir::sim {
namespace {

bool is_tagged(const Json& document, const std::string& tag) {
  const Json* value = document.find("tag");
  return value != nullptr && *value == Json(tag);
}

}  // namespace

Json document_of(const Request& request, const std::string& id) {
  Json document = Json::object({{"id", id}});
  // The value decides which fields there are, so that replacing also removes.
  const std::size_t dice = std::hash<std::string>()(id + request.value);
  if (request.act == Act::kMerge) {
    document.set("merged" + std::to_string(dice % 3), request.value);
    if (dice % 2 == 0) document.set("v", request.value);
    if (request.expires_at) document.set(kExpiresAt, *request.expires_at);
    return document;
  }
  document.set("v", request.value);
  if (id[0] == 'f') document.set("tag", "t" + std::to_string(dice % kTags));
  if (dice % 2 == 0) document.set("price", static_cast<double>(dice % 1'000) / 8);
  if (dice % 5 != 0)
    document.set("deep", Json::object({{"list", Json::array({1, request.value, Json()})}}));
  if (request.expires_at) document.set(kExpiresAt, *request.expires_at);
  return document;
}

bool Model::apply(const Request& request) {
  const auto found = indexes_.find(request.index);
  const bool exists = found != indexes_.end();
  switch (request.act) {
    case Act::kReplace:
      for (const std::string& id : request.ids) {
        Index& index = written(request.index);
        index.documents[id] = document_of(request, id);
        index.strange.erase(id);
        index.deleted.erase(id);
      }
      return true;
    case Act::kMerge:
      for (const std::string& id : request.ids) {
        Json& document = written(request.index).documents[id];
        for (const auto& [field, value] : document_of(request, id).as_object())
          document.set(field, value);
      }
      return true;
    case Act::kSettings:
      written(request.index).stop_words = Json::array({request.value});
      return true;
    case Act::kCreate:
      return indexes_.try_emplace(request.index).second;
    case Act::kSwap:
      if (indexes_.size() < kIndexes) return false;
      std::swap(indexes_.begin()->second, indexes_.rbegin()->second);
      return true;
    case Act::kRename: {
      if (!exists || indexes_.contains(other_index(request.index))) return false;
      auto renamed = indexes_.extract(found);
      renamed.key() = other_index(request.index);
      indexes_.insert(std::move(renamed));
      return true;
    }
    case Act::kDrop:
      if (exists) indexes_.erase(found);
      return exists;
    case Act::kClear:
      if (!exists) return false;
      for (const auto& [id, document] : found->second.documents) found->second.deleted.insert(id);
      found->second.documents.clear();
      found->second.strange.clear();
      return true;
    case Act::kDelete:
    case Act::kDeleteBatch:
      if (!exists) return false;
      for (const std::string& id : request.ids) {
        found->second.documents.erase(id);
        found->second.strange.erase(id);
        found->second.deleted.insert(id);
      }
      return true;
    case Act::kDeleteFilter:
      if (!exists) return false;
      for (const std::string& id : documents_of(request)) found->second.deleted.insert(id);
      std::erase_if(found->second.documents,
                    [&](const auto& row) { return is_tagged(row.second, request.value); });
      return true;
    case Act::kCreateKey:
    case Act::kRenameKey:
    case Act::kDeleteKey:
      break;  // no tasks
  }
  return false;
}

Model::Index& Model::written(const std::string& uid) {
  Index& index = indexes_[uid];
  index.made = true;
  return index;
}

std::vector<std::string> Model::documents_of(const Request& request) const {
  if (request.act != Act::kDeleteFilter)
    return has_documents(request.act) ? request.ids : std::vector<std::string>();
  std::vector<std::string> ids;
  const auto index = indexes_.find(request.index);
  if (index == indexes_.end()) return ids;
  for (const auto& [id, document] : index->second.documents) {
    if (is_tagged(document, request.value)) ids.push_back(id);
  }
  return ids;
}

void Model::apply_canceled(const Request& request) {
  if (request.act == Act::kReplace || request.act == Act::kMerge || request.act == Act::kSettings)
    indexes_[request.index];
}

bool Model::apply_failed(const Request& request) {
  apply_canceled(request);
  if (request.act != Act::kDeleteFilter || !indexes_.contains(request.index)) return false;
  // One that finds nothing is sent to nobody, and succeeds.
  Model other = *this;
  other.apply(request);
  return other.indexes_.at(request.index).documents.size() ==
         indexes_.at(request.index).documents.size();
}

}  // namespace miroir::sim
