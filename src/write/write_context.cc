#include "write/write_context.h"

#include <algorithm>
#include <optional>

#include "cluster/state_reasons.h"
#include "forward/voiding.h"
#include "node_api/node_settings.h"

namespace miroir {
namespace {

// Groups that lag more entries than this are named in X-Miroir-Degraded.
constexpr Position kLagTolerated = 1'000;
// Entries that a node has yet to do, and that are looked through for a key.
constexpr Position kKeyLookedForMax = 10'000;
constexpr std::size_t kEntriesPage = 1'000;

WallTime wall_time(EntryStamp stamp) {
  return WallTime(Microseconds(static_cast<std::int64_t>(stamp)));
}

// Nodes that are known to answer before those of which nothing is known yet, or nothing good.
std::vector<NodeConfig> likeliest_first(const Cluster& cluster) {
  std::vector<NodeConfig> nodes = cluster.topology().nodes();
  std::ranges::stable_partition(
      nodes, [&](const NodeConfig& node) { return cluster.status(node.id).healthy; });
  return nodes;
}

// Whether the log has a key that a node which has done so much of it was not given yet.
Async<Result<bool>> lacks_a_key(Log& log, Position done) {
  if (log.head() > done + kKeyLookedForMax) co_return true;
  for (Position next = done + 1; next <= log.head();) {
    MIROIR_CO_TRY(const auto entries, co_await log.entries(next, kEntriesPage));
    if (entries.empty()) break;
    for (const std::shared_ptr<const Entry>& entry : entries)
      if (entry->kind == EntryKind::kPutKey) co_return true;
    next = entries.back()->position + 1;
  }
  co_return false;
}

Answer<Json> judgement(const http::Response& answer) {
  auto json = answer.body.empty() ? Result<Json>(Json()) : parse_json(answer.body);
  if (answer.status >= 200 && answer.status < 300) return json ? std::move(*json) : Json();
  auto error =
      json ? meili::parse_api_error(*json) : Result<meili::ApiError>(fail(ErrorCode::kCorrupt, ""));
  if (!error) {
    return std::unexpected(
        meili::api_error("bad_request", "the node refused the request: " + answer.body));
  }
  error->status = answer.status;
  return std::unexpected(std::move(*error));
}

}  // namespace

http::Response accepted_answer(const WriteContext& context, const Entry& entry) {
  Json body = Json::object({{"taskUid", entry.task},
                            {"indexUid", entry.index_uid.empty() ? Json() : Json(entry.index_uid)},
                            {"status", "enqueued"},
                            {"type", entry.task_type},
                            {"enqueuedAt", to_rfc3339(wall_time(entry.stamp))}});
  if (!entry.custom_metadata.empty()) body.set("customMetadata", entry.custom_metadata);
  http::Response response = json_answer(202, body);
  if (std::string groups = context.cluster.degraded(kLagTolerated); !groups.empty()) {
    response.headers.set("X-Miroir-Degraded", std::move(groups));
  }
  return response;
}

Async<Result<std::vector<Entry>>> append_for_client(WriteContext context, Log::Judge judge) {
  co_return co_await context.log.append([&](const Catalogue& catalogue,
                                            Position next) -> Result<std::vector<Entry>> {
    MIROIR_TRY(std::vector<Entry> entries, judge(catalogue, next));
    const bool of_documents = std::ranges::all_of(entries, [](const Entry& entry) {
      return entry.born_failed || only_changes_documents(entry.kind);
    });
    if (!of_documents && !awaiting_recovery(context.cluster).empty()) {
      return fail(ErrorCode::kUnavailable,
                  "the log was lost or an older copy of it put back, and the nodes are taken as "
                  "they are once all of them answer: until then only documents of indexes that "
                  "the log knows are taken");
    }
    return entries;
  });
}

http::Response append_answer(const WriteContext& context,
                             const Result<std::vector<Entry>>& appended) {
  if (!appended) return error_answer(to_api_error(appended.error(), "miroir_store_unavailable"));
  for (const Entry& entry : *appended) {
    if (entry.task == entry.position && !entry.task_type.empty())
      return accepted_answer(context, entry);
  }
  return error_answer(meili::api_error("internal", "the request made no task"));
}

Entry client_entry(EntryKind kind, std::string_view task_type, std::string index_uid,
                   const IndexState* index) {
  Entry entry;
  entry.kind = kind;
  entry.task_type = task_type;
  entry.index_uid = std::move(index_uid);
  if (index != nullptr) {
    entry.incarnation = index->incarnation;
    entry.primary_key = index->primary_key.value_or("");
  }
  return entry;
}

std::vector<Entry> index_birth(Position next, const std::string& index_uid,
                               std::optional<std::string> primary_key) {
  Entry creation = client_entry(EntryKind::kCreateIndex, "", index_uid, nullptr);
  creation.origin = Origin::kSystem;
  creation.incarnation = next;
  creation.primary_key = primary_key.value_or("");
  creation.arguments = Json::object({{"primaryKey", primary_key ? Json(*primary_key) : Json()}});

  Entry settings = client_entry(EntryKind::kUpdateSettings, "", index_uid, nullptr);
  settings.origin = Origin::kSystem;
  settings.incarnation = next;
  settings.primary_key = creation.primary_key;
  settings.arguments = Json::object(
      {{"clientSettings", Json::object()},
       {"settings", settings_for_node(Json::object(), Json::object(), creation.primary_key)}});
  return {std::move(creation), std::move(settings)};
}

Entry primary_key_settings(const IndexState& index, Position incarnation,
                           const std::string& primary_key) {
  Entry entry = client_entry(EntryKind::kUpdateSettings, "", index.uid, &index);
  entry.origin = Origin::kSystem;
  entry.incarnation = incarnation;
  entry.primary_key = primary_key;
  entry.arguments =
      Json::object({{"clientSettings", index.settings},
                    {"previous", index.settings_version},
                    {"settings", settings_for_node(index.settings, index.settings, primary_key)}});
  return entry;
}

Async<Answer<Json>> judge_at_node(WriteContext context, std::string method, std::string target,
                                  std::string body, http::Headers clients) {
  // Only what the node must know: Miroir reads the body and the answer as they are.
  http::Headers headers;
  for (const char* name : {"Authorization", "Content-Type"}) {
    if (const std::string* value = clients.find(name)) headers.set(name, *value);
  }
  const Instant deadline = context.clock.now() + context.options.request_timeout;
  const bool clients_key = headers.find("Authorization") != nullptr;
  // A node that does not take a client's key, which Miroir admitted, may lack it. That the key does
  // not allow the indexes which the body names, all nodes say.
  std::optional<http::Response> refusal;  // of one that was given all keys
  bool refused = false;
  Position refused_at = 0;  // done by those in sync that refuse the key
  Position silent_at = 0;   // …and by those that say nothing
  Error last{ErrorCode::kUnavailable, "no node answers"};
  for (const NodeConfig& node : likeliest_first(context.cluster)) {
    const NodeStatus status = context.cluster.status(node.id);
    const bool in_sync = context.cluster.readable(node.id);
    const auto is_silent = [&](Error error) {
      last = std::move(error);
      silent_at = std::max(silent_at, status.done);
    };
    if (refused && !status.healthy) {
      is_silent({ErrorCode::kUnavailable, "node " + node.id + " is away"});
      continue;
    }
    http::ClientRequest request{method, target, headers, body};
    auto answer = co_await context.cluster.client(node.id).dry_run(std::move(request), deadline);
    const bool key_refused = answer && (answer->status == 401 || answer->status == 403);
    if (!answer) {
      is_silent(std::move(answer).error().with_context("node " + node.id));
    } else if (answer->status >= 500 || answer->status == 429 || (key_refused && !clients_key)) {
      is_silent({ErrorCode::kUnavailable,
                 "node " + node.id + " answered " + std::to_string(answer->status)});
    } else if (key_refused) {
      refused = true;
      const auto lacks = co_await lacks_a_key(context.log, status.done);
      if (!lacks || *lacks) {
        is_silent({ErrorCode::kUnavailable, "node " + node.id + " has yet to be given a key"});
        continue;
      }
      refusal = std::move(*answer);
      if (in_sync) refused_at = std::max(refused_at, status.done);
    } else {
      co_return judgement(*answer);
    }
  }
  // Whoever is silent may hold a key that those which refuse it do not have yet.
  if (refusal && refused_at >= silent_at) co_return judgement(*refusal);
  co_return std::unexpected(to_api_error(last));
}

}  // namespace miroir
