#include "node_api/write_request.h"

#include <algorithm>

#include "base/assert.h"
#include "node_api/document_filter.h"

namespace miroir {
namespace {

using Query = std::vector<std::pair<std::string, std::string>>;

std::string with_query(std::string path, const Query& query) {
  return query.empty() ? path : std::move(path) + '?' + http::build_query(query);
}

Query metadata_query(std::string_view metadata) {
  if (metadata.empty()) return {};
  return {{"customMetadata", std::string(metadata)}};
}

http::ClientRequest with_json(std::string method, std::string target, const Json& body) {
  return {
      std::move(method), std::move(target), {{"Content-Type", "application/json"}}, to_text(body)};
}

struct ToRequest {
  std::string_view metadata;
  const FieldNames& names;

  http::ClientRequest operator()(const WriteDocuments& write) const {
    Query query;
    if (!write.primary_key.empty()) query.emplace_back("primaryKey", write.primary_key);
    if (write.skip_creation) query.emplace_back("skipCreation", "true");
    if (!metadata.empty()) query.emplace_back("customMetadata", metadata);
    return {write.merge ? "PUT" : "POST",
            with_query(index_path(write.index_uid) + "/documents", query),
            {{"Content-Type", "application/x-ndjson"}},
            write.ndjson};
  }

  http::ClientRequest operator()(const DeleteDocuments& write) const {
    Json ids = Json::array();
    for (const std::string& id : write.ids) ids.push_back(id);
    return with_json("POST",
                     with_query(index_path(write.index_uid) + "/documents/delete-batch",
                                metadata_query(metadata)),
                     ids);
  }

  http::ClientRequest operator()(const DeleteExactCopies& write) const {
    return with_json(
        "POST",
        with_query(index_path(write.index_uid) + "/documents/delete", metadata_query(metadata)),
        Json::object({{"filter", exact_copies_filter(write, names)}}));
  }

  http::ClientRequest operator()(const ClearDocuments& write) const {
    return {"DELETE",
            with_query(index_path(write.index_uid) + "/documents", metadata_query(metadata)),
            {},
            {}};
  }

  http::ClientRequest operator()(const CreateIndex& write) const {
    Json body = Json::object({{"uid", write.index_uid}});
    if (write.primary_key) body.set("primaryKey", *write.primary_key);
    return with_json("POST", "/indexes", body);
  }

  http::ClientRequest operator()(const UpdateIndex& write) const {
    Json body = Json::object();
    if (write.primary_key) body.set("primaryKey", *write.primary_key);
    if (write.new_uid) body.set("uid", *write.new_uid);
    return with_json("PATCH", index_path(write.index_uid), body);
  }

  http::ClientRequest operator()(const DropIndex& write) const {
    return {"DELETE", index_path(write.index_uid), {}, {}};
  }

  http::ClientRequest operator()(const SwapIndexes& write) const {
    Json body = Json::array();
    for (const SwapIndexes::Pair& pair : write.pairs) {
      Json swap = Json::object({{"indexes", Json::array({pair.first, pair.second})}});
      if (pair.rename) swap.set("rename", true);
      body.push_back(std::move(swap));
    }
    return with_json("POST", "/swap-indexes", body);
  }

  http::ClientRequest operator()(const UpdateSettings& write) const {
    return with_json("PATCH", index_path(write.index_uid) + "/settings", write.settings);
  }

  // By number, never by time: a clock that went back must not cost us a task not yet read.
  http::ClientRequest operator()(const ForgetTasks& write) const {
    MIROIR_ASSERT(write.first < write.before && write.before - write.first <= kForgottenTasksMax);
    std::string uids = std::to_string(write.first);
    for (TaskUid uid = write.first + 1; uid < write.before; ++uid) {
      uids += ',' + std::to_string(uid);
    }
    return {"DELETE",
            with_query("/tasks", {{"uids", uids}, {"statuses", "succeeded,failed,canceled"}}),
            {},
            {}};
  }
};

}  // namespace

std::string index_path(const std::string& index_uid) {
  return "/indexes/" + http::percent_encode(index_uid);
}

http::ClientRequest write_request(const NodeWrite& write, TaskUid uid, std::string_view metadata,
                                  const FieldNames& names) {
  http::ClientRequest request = std::visit(ToRequest{metadata, names}, write);
  request.headers.set("TaskId", std::to_string(uid));
  return request;
}

}  // namespace miroir
