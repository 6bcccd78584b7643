#include "write/document_writer.h"

#include "forward/filter_slice.h"
#include "meili/filter.h"
#include "meili/index_uid.h"
#include "meili/parameters.h"
#include "meili/payload.h"
#include "meili/primary_key.h"
#include "write/delete_slices.h"

namespace miroir {
namespace {

// An append races with the index's drop or re-creation; more often than this somebody recreates it
// in a loop.
constexpr int kAttemptsMax = 5;
// At most what a lane adds to a document.
constexpr std::uint64_t kStoredFieldsBytes = 256;

using Query = meili::Parameters;

std::string text_of(const std::string* parameter) {
  return parameter == nullptr ? std::string() : *parameter;
}

bool has_geo(const IndexState* index) {
  if (index == nullptr) return false;
  for (std::string_view name : {"filterableAttributes", "sortableAttributes"}) {
    const Json* value = index->settings.find(name);
    if (value != nullptr && to_text(*value).find("\"_geo\"") != std::string::npos) return true;
  }
  return false;
}

// The index's identity as a request saw it when it was prepared, against how it stands now.
bool same_index(const IndexState* now, Position incarnation,
                const std::optional<std::string>& primary_key) {
  if (now == nullptr) return incarnation == 0;
  return now->incarnation == incarnation && now->primary_key == primary_key;
}

Json addition_details(std::size_t received, bool failed) {
  return Json::object({{"receivedDocuments", std::uint64_t{received}},
                       {"indexedDocuments", failed ? Json(0) : Json()}});
}

Json deletion_details(std::size_t provided, Json filter, bool failed) {
  return Json::object({{"providedIds", std::uint64_t{provided}},
                       {"deletedDocuments", failed ? Json(0) : Json()},
                       {"originalFilter", std::move(filter)}});
}

// The member `filter` of a delete by filter, checked as far as that goes without the index.
Answer<Json> delete_filter_of(const Json& body) {
  constexpr std::string_view kCode = "invalid_document_filter";
  if (auto error = meili::check_fields(body, {"filter"})) return std::unexpected(*error);
  const Json* filter = body.find("filter");
  if (filter == nullptr) {
    return std::unexpected(meili::api_error("missing_document_filter", "Missing field `filter`"));
  }
  auto parsed = meili::parse_filter(*filter, kCode);
  if (!parsed) return std::unexpected(parsed.error());
  if (meili::is_empty_filter(*filter)) {
    return std::unexpected(meili::api_error(kCode, "Sending an empty filter is forbidden."));
  }
  return *filter;
}

const meili::FilterWord* find_reserved_attribute(const meili::Filter& filter) {
  if (filter.kind == meili::Filter::Kind::kCondition)
    return filter.field.text.starts_with(kReservedPrefix) ? &filter.field : nullptr;
  for (const meili::Filter& child : filter.children) {
    if (const meili::FilterWord* found = find_reserved_attribute(child)) return found;
  }
  return nullptr;
}

// The attributes that the client made filterable, as errors list them.
std::set<std::string> filterable_patterns(const IndexState& index) {
  std::set<std::string> patterns;
  const Json* rules = index.settings.find("filterableAttributes");
  for (const Json& rule :
       rules == nullptr || !rules->is_array() ? Json::Array{} : rules->as_array()) {
    const Json* its = rule.is_string() ? &rule : rule.find("attributePatterns");
    if (its == nullptr) continue;
    for (const Json& pattern : its->is_array() ? its->as_array() : Json::Array{*its}) {
      if (pattern.is_string()) patterns.insert(pattern.as_string());
    }
  }
  return patterns;
}

// A stored field in a delete's filter: what a node finds, when its turn comes, of a field that does
// not exist.
std::optional<meili::ApiError> judge_filter(const Json& filter, const IndexState& index) {
  const auto parsed = meili::parse_filter(filter, "invalid_document_filter");
  const meili::FilterWord* reserved = parsed ? find_reserved_attribute(*parsed) : nullptr;
  if (reserved == nullptr) return std::nullopt;
  std::string available;
  for (const std::string& pattern : filterable_patterns(index))
    available += (available.empty() ? "`" : ", `") + pattern + "`";
  return meili::api_error(
      "invalid_document_filter",
      "Index `" + index.uid + "`: " +
          meili::message_at(
              *reserved,
              "Attribute `" + reserved->text + "` is not filterable. " +
                  (available.empty()
                       ? "This index does not have configured filterable attributes."
                       : "Available filterable attribute patterns are: " + available + ".")));
}

// A deletion of an index that does not exist is accepted and fails.
Entry failed_on_missing_index(Entry entry) {
  entry.born_failed = meili::index_not_found(entry.index_uid);
  if (Json* deleted = entry.task_details.find("deletedDocuments")) *deleted = Json(0);
  return entry;
}

}  // namespace

// One POST or PUT of documents, after what can be judged without the index.
struct DocumentWriter::Addition {
  std::string index_uid;
  bool merge = false;
  std::optional<std::string> primary_key;  // the parameter
  std::string metadata;
  Payload payload;
};

// Its documents in the log's form, for the index as it stood then.
struct DocumentWriter::Prepared {
  Position incarnation = 0;
  std::optional<std::string> index_primary_key;
  std::string primary_key;
  std::vector<Part> parts;
  std::optional<meili::ApiError> failed;
};

Async<Result<DocumentWriter::Prepared>> DocumentWriter::prepare(const Addition& addition,
                                                                const IndexState* index) {
  Prepared prepared;
  if (index != nullptr) {
    prepared.incarnation = index->incarnation;
    prepared.index_primary_key = index->primary_key;
  }
  if (prepared.index_primary_key) {
    prepared.primary_key = *prepared.index_primary_key;
    if (addition.primary_key && *addition.primary_key != prepared.primary_key) {
      prepared.failed =
          meili::api_error("index_primary_key_already_exists",
                           "Index already has a primary key: `" + prepared.primary_key + "`.");
      co_return prepared;
    }
  } else if (addition.primary_key) {
    prepared.primary_key = *addition.primary_key;
  } else if (!addition.payload.documents.empty()) {
    auto inferred = meili::infer_primary_key(addition.payload.documents.front());
    if (!inferred) {
      prepared.failed = std::move(inferred).error();
      co_return prepared;
    }
    prepared.primary_key = std::move(*inferred);
  }

  const DocumentRules rules{prepared.primary_key, context_.options.names, has_geo(index),
                            !addition.merge};
  std::size_t next = 0;
  MIROIR_CO_TRY(prepared.parts, co_await write_parts([&]() -> std::optional<BodyRecord> {
                  if (next == addition.payload.documents.size()) return std::nullopt;
                  auto record = make_record(addition.payload.documents[next++], rules);
                  if (record) return std::move(*record);
                  prepared.failed = std::move(record).error();
                  return std::nullopt;
                }));
  co_return prepared;
}

Async<Result<DocumentWriter::Parts>> DocumentWriter::write_parts(
    std::function<std::optional<BodyRecord>()> next) {
  const Topology& topology = context_.cluster.topology();
  Parts parts;
  std::optional<BodyRecord> ahead = next();
  while (ahead) {
    std::set<std::uint32_t> shards;
    std::uint64_t bytes = 0;
    auto body = co_await context_.log.write_body([&]() -> Result<std::optional<BodyRecord>> {
      if (!ahead || bytes >= context_.options.entry_bytes_max) return std::nullopt;
      bytes += ahead->id.size() + ahead->document.size() + kStoredFieldsBytes;
      shards.insert(topology.shard_of(ahead->slot));
      return std::exchange(ahead, next());
    });
    if (!body) {
      discard(parts);
      co_return std::unexpected(std::move(body).error());
    }
    parts.push_back({*body, {shards.begin(), shards.end()}});
  }
  co_return parts;
}

// Once they were appended it does nothing.
void DocumentWriter::discard(const Parts& parts) {
  for (const Part& part : parts) context_.log.discard(part.body);
}

std::vector<Entry> DocumentWriter::entries_of(Entry entry, const Parts& parts, Position first) {
  entry.shard_count = context_.cluster.topology().shard_count();
  if (parts.empty()) return {std::move(entry)};
  entry.task = first + parts.size() - 1;
  std::vector<Entry> entries;
  for (const Part& part : parts) {
    entry.body = part.body.id;
    entry.body_pieces = part.body.pieces;
    entry.body_bytes = part.body.bytes;
    entry.records = part.body.records;
    entry.shards = part.shards;
    entries.push_back(entry);
  }
  return entries;
}

Async<http::Response> DocumentWriter::add(std::string index_uid, bool merge, http::Request request,
                                          MissingIndex missing) {
  const Query query = http::parse_query(request.query);
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  if (auto error = meili::check_parameters(
          query, {"primaryKey", "csvDelimiter", "customMetadata", "skipCreation"})) {
    co_return error_answer(*error);
  }
  if (const std::string* skip = meili::find_parameter(query, "skipCreation");
      skip != nullptr && *skip == "true") {
    co_return error_answer(meili::api_error(
        "miroir_not_supported",
        "`skipCreation` makes the result depend on what a replica holds: it is not supported."));
  }
  const std::string* delimiter = meili::find_parameter(query, "csvDelimiter");
  auto format = meili::payload_format(request.headers.find("Content-Type"), delimiter);
  if (!format) co_return error_answer(format.error());
  if (request.body.empty()) co_return error_answer(meili::missing_payload(*format));
  if (*format == meili::PayloadFormat::kCsv) {
    auto separator = meili::csv_delimiter_of(delimiter);
    if (!separator) co_return error_answer(separator.error());
    auto converted = meili::csv_to_ndjson(request.body, *separator);
    if (!converted) co_return error_answer(converted.error());
    request.body = std::move(*converted);
  }

  Addition addition{
      .index_uid = index_uid, .merge = merge, .primary_key = {}, .metadata = {}, .payload = {}};
  if (const std::string* key = meili::find_parameter(query, "primaryKey"))
    addition.primary_key = *key;
  addition.metadata = text_of(meili::find_parameter(query, "customMetadata"));
  auto payload =
      cut_documents(request.body, *format == meili::PayloadFormat::kJson ? BodyFormat::kJson
                                                                         : BodyFormat::kNdjson);
  if (!payload) co_return error_answer(payload.error());
  addition.payload = std::move(*payload);
  if (auto error = find_reserved_field(addition.payload, context_.options.names))
    co_return error_answer(*error);

  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const IndexState* seen = context_.log.catalogue().index(index_uid);
    std::optional<IndexState> index;
    if (seen != nullptr) index = *seen;
    auto prepared = co_await prepare(addition, index ? &*index : nullptr);
    if (!prepared)
      co_return error_answer(to_api_error(prepared.error(), "miroir_store_unavailable"));

    auto appended = co_await append_for_client(
        context_, [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
          const IndexState* now = catalogue.index(index_uid);
          if (!same_index(now, prepared->incarnation, prepared->index_primary_key)) {
            return fail(ErrorCode::kConflict, "the index changed meanwhile");
          }
          if (now == nullptr && missing == MissingIndex::kFails) {
            Entry entry =
                client_entry(merge ? EntryKind::kMergeDocuments : EntryKind::kWriteDocuments,
                             "documentAdditionOrUpdate", index_uid, nullptr);
            entry.task_details = addition_details(addition.payload.documents.size(), true);
            entry.custom_metadata = addition.metadata;
            return std::vector{failed_on_missing_index(std::move(entry))};
          }
          std::vector<Entry> entries;
          Position incarnation = prepared->incarnation;
          const bool learns_key =
              !prepared->failed && !prepared->index_primary_key && !prepared->primary_key.empty();
          if (now == nullptr) {
            entries = index_birth(next, index_uid,
                                  learns_key ? std::optional(prepared->primary_key) : std::nullopt);
            incarnation = next;
          } else if (learns_key) {
            entries.push_back(primary_key_settings(*now, incarnation, prepared->primary_key));
          }
          Entry entry =
              client_entry(merge ? EntryKind::kMergeDocuments : EntryKind::kWriteDocuments,
                           "documentAdditionOrUpdate", index_uid, now);
          entry.incarnation = incarnation;
          entry.primary_key =
              prepared->failed ? prepared->index_primary_key.value_or("") : prepared->primary_key;
          entry.task_details =
              addition_details(addition.payload.documents.size(), prepared->failed.has_value());
          entry.custom_metadata = addition.metadata;
          entry.born_failed = prepared->failed;
          for (Entry& part :
               entries_of(std::move(entry), prepared->failed ? Parts() : prepared->parts,
                          next + entries.size()))
            entries.push_back(std::move(part));
          return entries;
        });
    discard(prepared->parts);
    if (!appended && appended.error().code == ErrorCode::kConflict) continue;
    co_return append_answer(context_, appended);
  }
  co_return error_answer(meili::api_error(
      "miroir_store_unavailable", "the index is created and dropped again and again: try later"));
}

Async<http::Response> DocumentWriter::remove_ids(std::string index_uid,
                                                 std::vector<std::string> ids, std::size_t provided,
                                                 std::string metadata) {
  std::size_t next = 0;
  auto parts = co_await write_parts([&]() -> std::optional<BodyRecord> {
    if (next == ids.size()) return std::nullopt;
    const std::string& id = ids[next++];
    return BodyRecord{.slot = slot_of(id), .checksum = 0, .id = id, .document = {}};
  });
  if (!parts) co_return error_answer(to_api_error(parts.error(), "miroir_store_unavailable"));

  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position first) -> Result<std::vector<Entry>> {
        const IndexState* index = catalogue.index(index_uid);
        Entry entry =
            client_entry(EntryKind::kDeleteDocuments, "documentDeletion", index_uid, index);
        entry.task_details = deletion_details(provided, Json(), false);
        entry.custom_metadata = metadata;
        if (index == nullptr) return std::vector{failed_on_missing_index(std::move(entry))};
        return entries_of(std::move(entry), *parts, first);
      });
  discard(*parts);
  co_return append_answer(context_, appended);
}

Async<http::Response> DocumentWriter::remove(std::string index_uid, std::string id,
                                             http::Request request) {
  const Query query = http::parse_query(request.query);
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  if (auto error = meili::check_parameters(query, {"customMetadata"}))
    co_return error_answer(*error);
  co_return co_await remove_ids(std::move(index_uid), {std::move(id)}, 1,
                                text_of(meili::find_parameter(query, "customMetadata")));
}

Async<http::Response> DocumentWriter::remove_batch(std::string index_uid, http::Request request) {
  const Query query = http::parse_query(request.query);
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  if (auto error = meili::check_parameters(query, {"customMetadata"}))
    co_return error_answer(*error);
  if (auto json = meili::expect_json(request.headers.find("Content-Type")); !json) {
    co_return error_answer(json.error());
  }
  auto list = meili::json_body(request.body);
  if (!list) co_return error_answer(list.error());
  if (!list->is_array()) {
    co_return error_answer(meili::api_error(
        "bad_request", "Json deserialize error: invalid type: " +
                           std::string(list->is_object() ? "map" : list->type_name()) +
                           ", expected a sequence at line 1 column 0"));
  }
  std::vector<std::string> ids;
  for (const Json& id : list->as_array()) {
    // As Meilisearch: anything else is no document's id, and deletes nothing.
    if (id.is_string()) ids.push_back(id.as_string());
    if (id.is_integer()) ids.push_back(to_text(id));
  }
  const std::size_t provided = list->size();
  co_return co_await remove_ids(std::move(index_uid), std::move(ids), provided,
                                text_of(meili::find_parameter(query, "customMetadata")));
}

Async<http::Response> DocumentWriter::remove_by_filter(std::string index_uid,
                                                       http::Request request) {
  const Query query = http::parse_query(request.query);
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  if (auto error = meili::check_parameters(query, {"customMetadata"}))
    co_return error_answer(*error);
  if (auto json = meili::expect_json(request.headers.find("Content-Type")); !json) {
    co_return error_answer(json.error());
  }
  auto body = meili::json_body(request.body);
  if (!body) co_return error_answer(body.error());
  auto filter = delete_filter_of(*body);
  if (!filter) co_return error_answer(filter.error());

  const IndexState* seen = context_.log.catalogue().index(index_uid);
  std::size_t slices = 1;
  if (seen != nullptr) slices = co_await slices_of_delete(context_, *seen, *filter);
  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position first) -> Result<std::vector<Entry>> {
        const IndexState* index = catalogue.index(index_uid);
        Entry entry =
            client_entry(EntryKind::kDeleteByFilter, "documentDeletion", index_uid, index);
        entry.task_details = deletion_details(0, to_text(*filter), false);
        entry.custom_metadata = text_of(meili::find_parameter(query, "customMetadata"));
        if (index == nullptr) return std::vector{failed_on_missing_index(std::move(entry))};
        entry.born_failed = judge_filter(*filter, *index);
        if (entry.born_failed) {
          entry.task_details.set("deletedDocuments", 0);
          return std::vector{std::move(entry)};
        }
        entry.task = first + slices - 1;
        std::vector<Entry> entries(slices, entry);
        for (std::size_t slice = 0; slice < slices; ++slice)
          entries[slice].arguments = slice_arguments(*filter, slice, slices);
        return entries;
      });
  co_return append_answer(context_, appended);
}

Async<http::Response> DocumentWriter::clear(std::string index_uid, http::Request request) {
  const Query query = http::parse_query(request.query);
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  if (auto error = meili::check_parameters(query, {"customMetadata"}))
    co_return error_answer(*error);
  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        const IndexState* index = catalogue.index(index_uid);
        Entry entry =
            client_entry(EntryKind::kClearDocuments, "documentDeletion", index_uid, index);
        entry.task_details = Json::object({{"deletedDocuments", Json()}});
        entry.custom_metadata = text_of(meili::find_parameter(query, "customMetadata"));
        if (index == nullptr) return std::vector{failed_on_missing_index(std::move(entry))};
        return std::vector{std::move(entry)};
      });
  co_return append_answer(context_, appended);
}

}  // namespace miroir
