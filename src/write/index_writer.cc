#include "write/index_writer.h"

#include <set>

#include "meili/index_uid.h"

namespace miroir {
namespace {

// Until what is in the log is applied, whether an index is empty is not known.
constexpr Microseconds kAppliedWait = Seconds(5);

std::optional<std::string> optional_string(const Json& body, std::string_view name) {
  const Json* value = body.find(name);
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return value->as_string();
}

meili::ApiError already_exists(const std::string& uid) {
  return meili::api_error("index_already_exists", "Index `" + uid + "` already exists.");
}

std::string list_of(const std::set<std::string>& uids) {
  std::string text;
  for (const std::string& uid : uids) text += (text.empty() ? "`" : ", `") + uid + "`";
  return text;
}

struct SwapPair {
  std::string first;
  std::string second;
  bool rename = false;
};

std::vector<SwapPair> parse_swaps(const Json& body) {
  std::vector<SwapPair> pairs;
  if (!body.is_array()) return pairs;
  for (const Json& swap : body.as_array()) {
    const Json* indexes = swap.find("indexes");
    const Json* rename = swap.find("rename");
    if (indexes == nullptr || !indexes->is_array() || indexes->size() != 2) continue;
    if (!indexes->as_array()[0].is_string() || !indexes->as_array()[1].is_string()) continue;
    pairs.push_back({indexes->as_array()[0].as_string(), indexes->as_array()[1].as_string(),
                     rename != nullptr && rename->is_bool() && rename->as_bool()});
  }
  return pairs;
}

// What Meilisearch finds when the swap's turn comes.
std::optional<meili::ApiError> judge_swaps(const std::vector<SwapPair>& pairs,
                                           const Catalogue& catalogue) {
  std::set<std::string> missing;
  std::set<std::string> taken;
  for (const SwapPair& pair : pairs) {
    if (catalogue.index(pair.first) == nullptr) missing.insert(pair.first);
    const bool second_exists = catalogue.index(pair.second) != nullptr;
    if (pair.rename && second_exists) taken.insert(pair.second);
    if (!pair.rename && !second_exists) missing.insert(pair.second);
  }
  if (missing.size() == 1) return meili::index_not_found(*missing.begin());
  if (!missing.empty())
    return meili::api_error("index_not_found", "Indexes " + list_of(missing) + " not found.");
  if (taken.empty()) return std::nullopt;
  return meili::api_error(
      "index_already_exists",
      "The following indexes are being renamed but cannot because their new name conflicts with an "
      "already existing index: " +
          list_of(taken) + ". Renaming doesn't overwrite the other index name.");
}

Answer<Json> parsed_body(const http::Request& request) {
  auto body = parse_json(request.body);
  if (!body)
    return std::unexpected(meili::api_error("malformed_payload", std::move(body).error().message));
  return std::move(*body);
}

}  // namespace

Async<http::Response> IndexWriter::create(http::Request request) {
  auto judged =
      co_await judge_at_node(context_, "POST", request.target, request.body, request.headers);
  if (!judged) co_return error_answer(judged.error());
  const auto parsed = parsed_body(request);
  if (!parsed) co_return error_answer(parsed.error());
  const Json& body = *parsed;
  const std::string uid = optional_string(body, "uid").value_or("");
  if (!meili::is_index_uid(uid)) co_return error_answer(meili::invalid_index_uid(uid));
  const std::optional<std::string> primary_key = optional_string(body, "primaryKey");

  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
        const bool exists = catalogue.index(uid) != nullptr;
        std::vector<Entry> entries = index_birth(next, uid, primary_key);
        Entry& creation = entries.front();
        creation.origin = Origin::kClient;
        creation.task_type = "indexCreation";
        creation.task_details = Json::object({{"primaryKey", or_null(primary_key)}});
        if (exists) {
          creation.incarnation = catalogue.index(uid)->incarnation;
          creation.born_failed = already_exists(uid);
          entries.resize(1);
        }
        return entries;
      });
  co_return append_answer(context_, appended);
}

// Whether the index may hold a document once everything up to the log's head is applied: unless
// owners of all shards have applied it, and say that they hold none.
Async<bool> IndexWriter::may_hold_documents(std::string index_uid) {
  const Instant deadline = context_.clock.now() + context_.options.request_timeout;
  const Position head = context_.log.head();
  const Topology& topology = context_.cluster.topology();
  std::set<ShardId> empty;
  for (const NodeConfig& node : topology.nodes()) {
    if (!context_.cluster.readable(node.id) ||
        !co_await context_.cluster.wait_done(node.id, head, context_.clock.now() + kAppliedWait))
      continue;
    DocumentQuery query;
    query.index_uid = index_uid;
    query.limit = 1;
    auto page = co_await context_.cluster.client(node.id).documents(std::move(query), deadline);
    if (page && page->total > 0) co_return true;
    if (page)
      for (ShardId shard : topology.shards_of(node.id)) empty.insert(shard);
  }
  co_return empty.size() < topology.shard_count();
}

// A new key and a new name are two entries of one task: a Meilisearch that refuses the key has
// renamed the index all the same. The key first, for that is of this index, whoever has the new
// name on the nodes; the settings that go with it before it, so that the task's entries are
// neighbours.
Async<http::Response> IndexWriter::update(std::string index_uid, http::Request request) {
  auto judged =
      co_await judge_at_node(context_, "PATCH", request.target, request.body, request.headers);
  if (!judged) co_return error_answer(judged.error());
  const auto parsed = parsed_body(request);
  if (!parsed) co_return error_answer(parsed.error());
  const Json& body = *parsed;
  const std::optional<std::string> primary_key = optional_string(body, "primaryKey");
  const std::optional<std::string> new_uid = optional_string(body, "uid");
  const IndexState* before = context_.log.catalogue().index(index_uid);
  const EntryStamp changed_at = before == nullptr ? 0 : before->updated_at;
  const bool other_key = primary_key.has_value() && before != nullptr && before->primary_key &&
                         *before->primary_key != *primary_key;
  const bool may_hold = other_key && co_await may_hold_documents(index_uid);

  const bool renames = new_uid && *new_uid != index_uid;
  Json details = Json::object({{"primaryKey", or_null(primary_key)}});
  if (new_uid) {
    details.set("oldIndexUid", index_uid);
    details.set("newIndexUid", *new_uid);
  }

  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
        const IndexState* index = catalogue.index(index_uid);
        Entry rename = client_entry(EntryKind::kUpdateIndex, "indexUpdate", index_uid, index);
        rename.arguments = Json::object({{"primaryKey", Json()}, {"newUid", or_null(new_uid)}});
        rename.task_details = details;
        if (renames && catalogue.index(*new_uid) != nullptr)
          rename.born_failed = already_exists(*new_uid);
        if (index == nullptr) rename.born_failed = meili::index_not_found(index_uid);
        if (rename.born_failed || !primary_key) return std::vector{std::move(rename)};

        std::vector<Entry> entries;
        Entry change = rename;
        change.arguments = Json::object({{"primaryKey", *primary_key}, {"newUid", Json()}});
        if (index->primary_key && *primary_key != *index->primary_key &&
            (may_hold || index->updated_at != changed_at)) {
          change.born_failed = meili::api_error("index_primary_key_already_exists",
                                                "Index `" + new_uid.value_or(index_uid) +
                                                    "`: Index already has a primary key: `" +
                                                    *index->primary_key + "`.");
        } else if (primary_key != index->primary_key) {
          entries.push_back(primary_key_settings(*index, index->incarnation, *primary_key));
          entries.back().primary_key = index->primary_key.value_or("");
        }
        const std::size_t parts = renames ? 2 : 1;
        change.task = rename.task = next + entries.size() + parts - 1;
        entries.push_back(std::move(change));
        if (renames) entries.push_back(std::move(rename));
        return entries;
      });
  co_return append_answer(context_, appended);
}

Async<http::Response> IndexWriter::drop(std::string index_uid, http::Request) {
  if (!meili::is_index_uid(index_uid)) co_return error_answer(meili::invalid_index_uid(index_uid));
  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        const IndexState* index = catalogue.index(index_uid);
        Entry entry = client_entry(EntryKind::kDropIndex, "indexDeletion", index_uid, index);
        entry.task_details =
            Json::object({{"deletedDocuments", index == nullptr ? Json(0) : Json()}});
        if (index == nullptr) entry.born_failed = meili::index_not_found(index_uid);
        return std::vector{std::move(entry)};
      });
  co_return append_answer(context_, appended);
}

Async<http::Response> IndexWriter::swap(http::Request request) {
  auto judged =
      co_await judge_at_node(context_, "POST", request.target, request.body, request.headers);
  if (!judged) co_return error_answer(judged.error());
  const auto parsed = parsed_body(request);
  if (!parsed) co_return error_answer(parsed.error());
  const Json& body = *parsed;
  const std::vector<SwapPair> pairs = parse_swaps(body);

  auto appended = co_await append_for_client(
      context_, [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
        Entry entry = client_entry(EntryKind::kSwapIndexes, "indexSwap", "", nullptr);
        entry.arguments = Json::array();
        for (const SwapPair& pair : pairs) {
          entry.arguments.push_back(Json::object(
              {{"indexes", Json::array({pair.first, pair.second})}, {"rename", pair.rename}}));
        }
        entry.task_details = Json::object({{"swaps", entry.arguments}});
        entry.born_failed = judge_swaps(pairs, catalogue);
        return std::vector{std::move(entry)};
      });
  co_return append_answer(context_, appended);
}

}  // namespace miroir
