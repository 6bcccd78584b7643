#include "node_api/node_answer.h"

#include <limits>

#include "base/document.h"
#include "node_api/document_filter.h"

namespace miroir {
namespace {

std::string text_or(const Json& object, std::string_view key, std::string otherwise = "") {
  const Json* value = object.find(key);
  if (value != nullptr && value->is_string()) return value->as_string();
  return otherwise;
}

std::optional<std::uint64_t> number_at(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_integer()) return std::nullopt;
  if (value->is_int64() && value->as_int64() < 0) return std::nullopt;
  return value->as_uint64();
}

std::optional<TaskUid> uid_at(const Json& object, std::string_view key) {
  const auto uid = number_at(object, key);
  if (!uid || *uid > std::numeric_limits<TaskUid>::max()) return std::nullopt;
  return static_cast<TaskUid>(*uid);
}

Result<const Json::Array*> results_of(const Json& page) {
  const Json* results = page.find("results");
  if (results == nullptr || !results->is_array())
    return fail(ErrorCode::kCorrupt, "an answer without results");
  return &results->as_array();
}

bool is_overload(int status) {
  return status == 401 || status == 403 || status == 408 || status == 429 || status >= 500;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? "" : text.substr(first);
}

}  // namespace

Error error_of(const http::Response& response) {
  const std::string status = "status " + std::to_string(response.status);
  const Result<Json> body = parse_json(response.body);
  const std::string code = body ? text_or(*body, "code") : "";
  const std::string message = status + ": " + (code.empty() ? "" : code + ": ") +
                              (body ? text_or(*body, "message", "no message") : "no JSON");
  if (is_overload(response.status)) return {ErrorCode::kUnavailable, message};
  if (response.status < 400 || code.empty()) return {ErrorCode::kCorrupt, message};
  // A full disk or too many open files come as a 422 of this type.
  const std::string type = text_or(*body, "type");
  if (type == "system" || type == "internal") return {ErrorCode::kUnavailable, message};
  if (code == "index_not_found") return {ErrorCode::kNotFound, message};
  if (code == "bad_request" && message.find("Received bad task id") != std::string::npos)
    return {ErrorCode::kConflict, message};
  return {ErrorCode::kInvalid, message};
}

Result<Json> json_of(const http::Response& response) {
  if (response.status < 200 || response.status >= 300) return std::unexpected(error_of(response));
  Result<Json> body = parse_json(response.body);
  if (!body) return fail(ErrorCode::kCorrupt, "an answer that is no JSON: " + body.error().message);
  return body;
}

Result<Enqueued> enqueued_of(const http::Response& response) {
  MIROIR_TRY(const Json body, json_of(response));
  const auto uid = uid_at(body, "taskUid");
  if (!uid) return fail(ErrorCode::kCorrupt, "an accepted write without a taskUid");
  return Enqueued{*uid, text_or(body, "enqueuedAt")};
}

Result<NodeTask> task_of(const Json& task) {
  const auto uid = uid_at(task, "uid");
  if (!uid) return fail(ErrorCode::kCorrupt, "a task without a uid");
  NodeTask out{.uid = *uid,
               .status = text_or(task, "status"),
               .type = text_or(task, "type"),
               .index_uid = text_or(task, "indexUid"),
               .enqueued_at = text_or(task, "enqueuedAt"),
               .started_at = text_or(task, "startedAt"),
               .finished_at = text_or(task, "finishedAt"),
               .custom_metadata = text_or(task, "customMetadata"),
               .details = {},
               .error = {}};
  if (out.status.empty() || out.type.empty())
    return fail(ErrorCode::kCorrupt, "a task without status or type");
  if (const Json* details = task.find("details")) out.details = *details;
  if (const Json* error = task.find("error")) out.error = *error;
  return out;
}

Result<std::vector<NodeTask>> tasks_of(const Json& page) {
  MIROIR_TRY(const Json::Array* results, results_of(page));
  std::vector<NodeTask> tasks;
  for (const Json& result : *results) {
    MIROIR_TRY(NodeTask task, task_of(result));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

Result<NodeIndex> index_of(const Json& index) {
  NodeIndex out{text_or(index, "uid"), std::nullopt, text_or(index, "createdAt")};
  if (out.uid.empty()) return fail(ErrorCode::kCorrupt, "an index without a uid");
  const Json* key = index.find("primaryKey");
  if (key != nullptr && key->is_string()) out.primary_key = key->as_string();
  return out;
}

Result<std::vector<NodeIndex>> indexes_of(const Json& page) {
  MIROIR_TRY(const Json::Array* results, results_of(page));
  std::vector<NodeIndex> indexes;
  for (const Json& result : *results) {
    MIROIR_TRY(NodeIndex index, index_of(result));
    indexes.push_back(std::move(index));
  }
  return indexes;
}

Result<DocumentPage> documents_of(const http::Response& response) {
  if (response.status < 200 || response.status >= 300) return std::unexpected(error_of(response));
  const auto corrupt = [](const Error& error) {
    return fail(ErrorCode::kCorrupt, "a page of documents: " + error.message);
  };
  const auto fields = top_level_fields(response.body);
  if (!fields) return corrupt(fields.error());
  DocumentPage page;
  page.bytes = response.body.size();
  bool has_results = false;
  bool has_total = false;
  for (const FieldView& field : *fields) {
    if (field.key == "results" && trimmed(field.value).starts_with('[')) {
      const auto each = [&](std::string_view document) -> Result<void> {
        page.documents.emplace_back(document);
        return {};
      };
      if (auto read = for_each_document(field.value, BodyFormat::kJson, each); !read)
        return corrupt(read.error());
      has_results = true;
    } else if (field.key == "total") {
      const auto total = parse_json(field.value);
      has_total = total && total->is_int64() && total->as_int64() >= 0;
      if (has_total) page.total = total->as_uint64();
    }
  }
  if (!has_results || !has_total)
    return fail(ErrorCode::kCorrupt, "a page of documents without results or total");
  return page;
}

Json digest_queries(const std::string& index_uid, const std::vector<SlotRange>& ranges) {
  Json facets = Json::array();
  for (const std::string_view field : kDigestFields) facets.push_back(field);
  Json queries = Json::array();
  for (const SlotRange& range : ranges) {
    Json query =
        Json::object({{"indexUid", index_uid}, {"q", ""}, {"limit", 0}, {"facets", facets}});
    if (!range.is_all()) query.set("filter", slot_condition(range));
    queries.push_back(std::move(query));
  }
  return Json::object({{"queries", std::move(queries)}});
}

Result<std::vector<DigestCounts>> digests_of(const Json& answer, std::size_t ranges) {
  MIROIR_TRY(const Json::Array* results, results_of(answer));
  if (results->size() != ranges)
    return fail(ErrorCode::kCorrupt, "another number of digests than asked for");
  std::vector<DigestCounts> digests(ranges);
  for (std::size_t i = 0; i < ranges; ++i) {
    const Json* distribution = (*results)[i].find("facetDistribution");
    if (distribution == nullptr || !distribution->is_object())
      return fail(ErrorCode::kCorrupt, "a digest without facetDistribution");
    for (std::size_t position = 0; position < kDigestPositions; ++position) {
      const Json* counts = distribution->find(kDigestFields[position]);
      if (counts == nullptr || !counts->is_object()) continue;  // no document has the field
      for (const auto& [text, count] : counts->as_object()) {
        const auto symbol = decode_symbol(text);
        // A value that is no symbol was written by somebody else: unmarked documents show it.
        if (!symbol || !count.is_int64() || count.as_int64() < 0) continue;
        digests[i].counts[position][*symbol] += count.as_uint64();
      }
    }
  }
  return digests;
}

DigestCounts& DigestCounts::operator+=(const DigestCounts& other) {
  for (std::size_t i = 0; i < counts.size(); ++i) {
    for (std::size_t symbol = 0; symbol < counts[i].size(); ++symbol)
      counts[i][symbol] += other.counts[i][symbol];
  }
  return *this;
}

std::uint64_t DigestCounts::documents() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : counts[0]) sum += count;
  return sum;
}

}  // namespace miroir
