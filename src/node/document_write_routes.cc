#include "base/document.h"
#include "meili/filter.h"
#include "meili/payload.h"
#include "node/document_routes.h"
#include "node/task_routes.h"

namespace miroir::node {
namespace {

using meili::ApiError;
using meili::PayloadFormat;

std::optional<std::string> metadata_of(const Call& call) {
  const std::string* text = meili::find_parameter(call.query, "customMetadata");
  return text == nullptr ? std::nullopt : std::optional(*text);
}

// Lists of something else than documents are Meilisearch's own trouble; everything else is the
// client's.
ApiError refusal(const std::string& body, PayloadFormat format, const Error& error) {
  if (format == PayloadFormat::kJson) {
    if (const auto json = parse_json(body); json && json->is_array()) {
      return meili::api_error("internal", "invalid type: expected a map");
    }
  }
  return meili::malformed_payload(format, error);
}

struct Documents {
  std::string body;
  std::size_t count = 0;
  bool json = false;
};

std::expected<Documents, ApiError> documents_of(const Call& call) {
  // The headers are judged before the body, as Meilisearch does: that tells who takes task numbers.
  if (const auto headers = headers_of(call); !headers) return std::unexpected(headers.error());
  const std::string* delimiter_text = meili::find_parameter(call.query, "csvDelimiter");
  const auto delimiter = meili::csv_delimiter_of(delimiter_text);
  if (!delimiter) return std::unexpected(delimiter.error());
  const auto format =
      meili::payload_format(call.request.headers.find("Content-Type"), delimiter_text);
  if (!format) return std::unexpected(format.error());
  if (call.request.body.empty()) return std::unexpected(meili::missing_payload(*format));
  Documents documents{.body = {}, .count = 0, .json = *format == PayloadFormat::kJson};
  if (*format == PayloadFormat::kCsv) {
    auto converted = meili::csv_to_ndjson(call.request.body, *delimiter);
    if (!converted) return std::unexpected(std::move(converted.error()));
    documents.body = std::move(*converted);
  } else {
    documents.body = call.request.body;
  }
  const auto seen =
      for_each_document(documents.body, documents.json ? BodyFormat::kJson : BodyFormat::kNdjson,
                        [&](std::string_view) -> Result<void> {
                          ++documents.count;
                          return {};
                        });
  if (!seen) return std::unexpected(refusal(documents.body, *format, seen.error()));
  return documents;
}

Reply add_documents(Engine& engine, const Call& call, const char* method) {
  if (auto error = meili::check_parameters(
          call.query, {"primaryKey", "csvDelimiter", "customMetadata", "skipCreation"})) {
    return std::unexpected(std::move(*error));
  }
  const auto skip =
      meili::boolean_parameter(call.query, "skipCreation", false, "invalid_skip_creation");
  if (!skip) return std::unexpected(skip.error());
  auto documents = documents_of(call);
  if (!documents) return std::unexpected(std::move(documents.error()));
  const std::string* primary_key = meili::find_parameter(call.query, "primaryKey");
  return enqueue(
      engine, call,
      {.kind = meili::TaskKind::kDocumentAdditionOrUpdate,
       .index_uid = call.variables[0],
       .content =
           Json::object({{"method", method},
                         {"format", documents->json ? "json" : "ndjson"},
                         {"primaryKey", primary_key == nullptr ? Json() : Json(*primary_key)},
                         {"skipCreation", *skip}}),
       .body = std::move(documents->body),
       .details = Json::object({{"receivedDocuments", static_cast<std::int64_t>(documents->count)},
                                {"indexedDocuments", Json()}}),
       .custom_metadata = metadata_of(call)});
}

Reply enqueue_deletion(Engine& engine, const Call& call, Json content, Json details) {
  return enqueue(engine, call,
                 {.kind = meili::TaskKind::kDocumentDeletion,
                  .index_uid = call.variables[0],
                  .content = std::move(content),
                  .body = {},
                  .details = std::move(details),
                  .custom_metadata = metadata_of(call)});
}

Reply delete_ids(Engine& engine, const Call& call, Json ids) {
  Json details = Json::object({{"providedIds", static_cast<std::int64_t>(ids.size())},
                               {"deletedDocuments", Json()},
                               {"originalFilter", Json()}});
  return enqueue_deletion(engine, call, Json::object({{"ids", std::move(ids)}}),
                          std::move(details));
}

std::optional<ApiError> check_metadata_only(const Call& call) {
  return meili::check_parameters(call.query, {"customMetadata"});
}

Reply delete_all(Engine& engine, const Call& call) {
  if (auto error = check_metadata_only(call)) return std::unexpected(std::move(*error));
  return enqueue_deletion(engine, call, Json::object(),
                          Json::object({{"deletedDocuments", Json()}}));
}

Reply delete_one(Engine& engine, const Call& call) {
  if (auto error = check_metadata_only(call)) return std::unexpected(std::move(*error));
  return delete_ids(engine, call, Json::array({call.variables[1]}));
}

std::expected<Json, ApiError> body_of_delete(const Call& call) {
  if (auto error = check_metadata_only(call)) return std::unexpected(std::move(*error));
  return body_of(call);
}

Reply delete_batch(Engine& engine, const Call& call) {
  const auto body = body_of_delete(call);
  if (!body) return std::unexpected(body.error());
  if (!body->is_array()) {
    return std::unexpected(meili::api_error(
        "bad_request", "Json deserialize error: invalid type: " + std::string(body->type_name()) +
                           ", expected a sequence at line 1 column 0"));
  }
  Json ids = Json::array();
  for (const Json& id : body->as_array()) ids.push_back(id.is_string() ? id : Json(to_text(id)));
  return delete_ids(engine, call, std::move(ids));
}

Reply delete_by_filter(Engine& engine, const Call& call) {
  const auto body = body_of_delete(call);
  if (!body) return std::unexpected(body.error());
  if (auto error = meili::check_fields(*body, {"filter"}))
    return std::unexpected(std::move(*error));
  const Json* filter = body->find("filter");
  if (filter == nullptr) {
    return std::unexpected(meili::api_error("missing_document_filter", "Missing field `filter`"));
  }
  const auto parsed = meili::parse_filter(*filter, "invalid_document_filter");
  if (!parsed) return std::unexpected(parsed.error());
  if (parsed->kind == meili::Filter::Kind::kAll) {
    return std::unexpected(
        meili::api_error("invalid_document_filter", "Sending an empty filter is forbidden."));
  }
  Json details = Json::object(
      {{"providedIds", 0}, {"deletedDocuments", Json()}, {"originalFilter", to_text(*filter)}});
  return enqueue_deletion(engine, call, Json::object({{"filter", *filter}}), std::move(details));
}

}  // namespace

void add_document_write_routes(Router& router, Engine& engine) {
  const auto add = [&](const char* method, const char* path, const char* action, auto function) {
    router.add(method, path, action,
               [&engine, function](const Call& call) { return function(engine, call); });
  };
  add("POST", "/indexes/{index_uid}/documents", "documents.add",
      [](Engine& e, const Call& call) { return add_documents(e, call, "replace"); });
  add("PUT", "/indexes/{index_uid}/documents", "documents.add",
      [](Engine& e, const Call& call) { return add_documents(e, call, "update"); });
  add("DELETE", "/indexes/{index_uid}/documents", "documents.delete", delete_all);
  add("POST", "/indexes/{index_uid}/documents/delete-batch", "documents.delete", delete_batch);
  add("POST", "/indexes/{index_uid}/documents/delete", "documents.delete", delete_by_filter);
  add("DELETE", "/indexes/{index_uid}/documents/{document_id}", "documents.delete", delete_one);
}

}  // namespace miroir::node
