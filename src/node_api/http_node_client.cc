#include "node_api/http_node_client.h"

#include <algorithm>
#include <iterator>
#include <limits>

#include "node_api/document_filter.h"
#include "node_api/node_answer.h"
#include "node_api/node_transport.h"
#include "node_api/write_request.h"

namespace miroir {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr std::size_t kPagesMax = 1'000;
constexpr std::size_t kDigestsPerRequest = 256;
// Never created: the probe's request is refused whatever the node.
constexpr const char* kProbeIndex = "miroir-probe";

http::ClientRequest json_request(std::string method, std::string target, const Json& body) {
  return {
      std::move(method), std::move(target), {{"Content-Type", "application/json"}}, to_text(body)};
}

Json fetch_body(const DocumentQuery& query) {
  Json body = Json::object({{"limit", std::uint64_t{query.limit}},
                            {"offset", std::uint64_t{query.offset}},
                            {"retrieveVectors", query.vectors}});
  if (!query.ids.empty()) {
    Json ids = Json::array();
    for (const std::string& id : query.ids) ids.push_back(id);
    body.set("ids", std::move(ids));
  }
  if (!query.fields.empty()) {
    Json fields = Json::array();
    for (const std::string& field : query.fields) fields.push_back(field);
    body.set("fields", std::move(fields));
  }
  if (auto filter = document_filter(query)) body.set("filter", std::move(*filter));
  return body;
}

// What POST /keys takes of what GET /keys answers.
Json key_to_create(const Json& key) {
  Json out = Json::object();
  for (const char* member : {"uid", "name", "description", "actions", "indexes", "expiresAt"}) {
    const Json* value = key.find(member);
    out.set(member, value == nullptr ? Json() : *value);
  }
  return out;
}

bool has_error_code(const http::Response& response, std::string_view code) {
  const Result<Json> body = parse_json(response.body);
  const Json* found = body ? body->find("code") : nullptr;
  return found != nullptr && found->is_string() && found->as_string() == code;
}

bool is_success(const http::Response& response) {
  return response.status >= 200 && response.status < 300;
}

}  // namespace

HttpNodeClient::HttpNodeClient(std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)) {}
HttpNodeClient::~HttpNodeClient() = default;

Result<std::unique_ptr<HttpNodeClient>> HttpNodeClient::create(Executor executor, Clock& clock,
                                                               Random& random,
                                                               HttpNodeOptions options,
                                                               Metrics& metrics) {
  http::ClientOptions client_options;
  client_options.address = options.address;
  client_options.connections_max = options.connections_max;
  client_options.response_bytes_max = options.response_bytes_max;
  MIROIR_TRY(auto reads, http::Client::create(executor, clock, client_options));
  client_options.connections_max = options.own_connections_max;
  MIROIR_TRY(auto own, http::Client::create(std::move(executor), clock, client_options));
  return std::unique_ptr<HttpNodeClient>(new HttpNodeClient(std::make_unique<Transport>(
      std::move(reads), std::move(own), clock, random, std::move(options), metrics)));
}

Async<Result<Enqueued>> HttpNodeClient::enqueue(NodeWrite write, TaskUid uid, std::string metadata,
                                                Instant deadline) {
  http::ClientRequest request = write_request(write, uid, metadata, transport_->options().names);
  MIROIR_CO_TRY(const http::Response answer,
                co_await transport_->send(std::move(request), NodeOperation::kWrite, deadline));
  MIROIR_CO_TRY(Enqueued enqueued, enqueued_of(answer));
  if (enqueued.uid != uid) {
    co_return fail(ErrorCode::kCorrupt, "node " + transport_->options().id + " numbered task " +
                                            std::to_string(uid) + " as " +
                                            std::to_string(enqueued.uid) + ": it ignores TaskId");
  }
  co_return enqueued;
}

Async<Result<void>> HttpNodeClient::put_key(Json key, Instant deadline) {
  http::ClientRequest create = json_request("POST", "/keys", key_to_create(key));
  MIROIR_CO_TRY(const http::Response created,
                co_await transport_->send(std::move(create), NodeOperation::kKey, deadline));
  if (is_success(created)) co_return Result<void>();
  const Json* uid = key.find("uid");
  if (!has_error_code(created, "api_key_already_exists") || uid == nullptr || !uid->is_string())
    co_return std::unexpected(error_of(created));
  const Json created_key = key_to_create(key);
  const Json change = Json::object(
      {{"name", *created_key.find("name")}, {"description", *created_key.find("description")}});
  http::ClientRequest update =
      json_request("PATCH", "/keys/" + http::percent_encode(uid->as_string()), change);
  MIROIR_CO_TRY(const http::Response updated,
                co_await transport_->send(std::move(update), NodeOperation::kKey, deadline));
  if (!is_success(updated)) co_return std::unexpected(error_of(updated));
  co_return Result<void>();
}

Async<Result<void>> HttpNodeClient::delete_key(std::string uid, Instant deadline) {
  http::ClientRequest request{"DELETE", "/keys/" + http::percent_encode(uid), {}, {}};
  MIROIR_CO_TRY(const http::Response answer,
                co_await transport_->send(std::move(request), NodeOperation::kKey, deadline));
  if (is_success(answer) || has_error_code(answer, "api_key_not_found")) co_return Result<void>();
  co_return std::unexpected(error_of(answer));
}

Async<Result<std::optional<NodeTask>>> HttpNodeClient::newest_task(Instant deadline) {
  MIROIR_CO_TRY(const Json page,
                co_await transport_->get("/tasks?limit=1", NodeOperation::kTasks, deadline));
  MIROIR_CO_TRY(std::vector<NodeTask> tasks, tasks_of(page));
  if (tasks.empty()) co_return std::nullopt;
  co_return std::move(tasks.front());
}

Async<Result<std::optional<NodeTask>>> HttpNodeClient::task(TaskUid uid, Instant deadline) {
  http::ClientRequest request{"GET", "/tasks/" + std::to_string(uid), {}, {}};
  MIROIR_CO_TRY(
      const http::Response answer,
      co_await transport_->send_read(std::move(request), NodeOperation::kTasks, deadline));
  if (has_error_code(answer, "task_not_found")) co_return std::nullopt;
  MIROIR_CO_TRY(const Json body, json_of(answer));
  MIROIR_CO_TRY(NodeTask task, task_of(body));
  co_return std::move(task);
}

Async<Result<std::vector<NodeTask>>> HttpNodeClient::tasks(TaskUid first, TaskUid last,
                                                           std::size_t limit, Instant deadline) {
  std::vector<NodeTask> found;
  std::uint64_t from = first;
  while (found.size() < limit && from <= last) {
    const std::size_t asked = std::min(limit - found.size(), kPage);
    MIROIR_CO_TRY(const Json page,
                  co_await transport_->get("/tasks?reverse=true&from=" + std::to_string(from) +
                                               "&limit=" + std::to_string(asked),
                                           NodeOperation::kTasks, deadline));
    MIROIR_CO_TRY(std::vector<NodeTask> tasks, tasks_of(page));
    for (NodeTask& task : tasks) {
      if (task.uid < from) co_return fail(ErrorCode::kCorrupt, "tasks that do not rise");
      if (task.uid > last) co_return found;
      from = std::uint64_t{task.uid} + 1;
      found.push_back(std::move(task));
    }
    if (tasks.size() < asked) break;
  }
  co_return found;
}

Async<Result<std::vector<NodeIndex>>> HttpNodeClient::indexes(Instant deadline) {
  std::vector<NodeIndex> found;
  for (std::size_t page_number = 0; page_number < kPagesMax; ++page_number) {
    MIROIR_CO_TRY(const Json page,
                  co_await transport_->get("/indexes?limit=" + std::to_string(kPage) +
                                               "&offset=" + std::to_string(found.size()),
                                           NodeOperation::kState, deadline));
    MIROIR_CO_TRY(std::vector<NodeIndex> indexes, indexes_of(page));
    std::ranges::move(indexes, std::back_inserter(found));
    if (indexes.size() < kPage) co_return found;
  }
  co_return fail(ErrorCode::kTooLarge, "a node with more indexes than can be read");
}

Async<Result<NodeIndex>> HttpNodeClient::index(std::string uid, Instant deadline) {
  MIROIR_CO_TRY(const Json index,
                co_await transport_->get(index_path(uid), NodeOperation::kState, deadline));
  co_return index_of(index);
}

Async<Result<Json>> HttpNodeClient::settings(std::string index_uid, Instant deadline) {
  co_return co_await transport_->get(index_path(index_uid) + "/settings", NodeOperation::kState,
                                     deadline);
}

Async<Result<std::vector<Json>>> HttpNodeClient::keys(Instant deadline) {
  std::vector<Json> found;
  for (std::size_t page_number = 0; page_number < kPagesMax; ++page_number) {
    MIROIR_CO_TRY(const Json page,
                  co_await transport_->get("/keys?limit=" + std::to_string(kPage) +
                                               "&offset=" + std::to_string(found.size()),
                                           NodeOperation::kState, deadline));
    const Json* results = page.find("results");
    if (results == nullptr || !results->is_array())
      co_return fail(ErrorCode::kCorrupt, "a page of keys without results");
    std::ranges::copy(results->as_array(), std::back_inserter(found));
    if (results->size() < kPage) co_return found;
  }
  co_return fail(ErrorCode::kTooLarge, "a node with more keys than can be read");
}

Async<Result<DocumentPage>> HttpNodeClient::documents(DocumentQuery query, Instant deadline) {
  http::ClientRequest request =
      json_request("POST", index_path(query.index_uid) + "/documents/fetch", fetch_body(query));
  MIROIR_CO_TRY(
      const http::Response answer,
      co_await transport_->send_read(std::move(request), NodeOperation::kDocuments, deadline));
  co_return documents_of(answer);
}

Async<Result<std::vector<DigestCounts>>> HttpNodeClient::digests(std::string index_uid,
                                                                 std::vector<SlotRange> ranges,
                                                                 Instant deadline) {
  std::vector<DigestCounts> found;
  while (found.size() < ranges.size()) {
    const auto begin = ranges.begin() + static_cast<std::ptrdiff_t>(found.size());
    const std::size_t count = std::min(ranges.size() - found.size(), kDigestsPerRequest);
    const std::vector<SlotRange> asked(begin, begin + static_cast<std::ptrdiff_t>(count));
    http::ClientRequest request =
        json_request("POST", "/multi-search", digest_queries(index_uid, asked));
    MIROIR_CO_TRY(
        const http::Response answer,
        co_await transport_->send_read(std::move(request), NodeOperation::kDigests, deadline));
    MIROIR_CO_TRY(const Json body, json_of(answer));
    MIROIR_CO_TRY(std::vector<DigestCounts> digests, digests_of(body, count));
    std::ranges::move(digests, std::back_inserter(found));
  }
  co_return found;
}

Async<Result<void>> HttpNodeClient::probe(Instant deadline) {
  MIROIR_CO_TRY(const Json health,
                co_await transport_->get("/health", NodeOperation::kProbe, deadline));
  const Json* status = health.find("status");
  if (status == nullptr || *status != Json("available"))
    co_return fail(ErrorCode::kUnavailable,
                   "node " + transport_->options().id + " is not available");
  MIROIR_CO_CHECK(co_await probe_task_numbers(deadline));
  co_return co_await probe_network_feature(deadline);
}

// A document of an impossible type: a node that reads TaskId stumbles over the number first, any
// other over the type. Neither enqueues anything.
Async<Result<void>> HttpNodeClient::probe_task_numbers(Instant deadline) {
  http::ClientRequest request{
      "POST",
      index_path(kProbeIndex) + "/documents",
      {{"Content-Type", "text/plain"}, {"TaskId", "probe"}, {"DryRun", "true"}},
      "probe"};
  MIROIR_CO_TRY(
      const http::Response answer,
      co_await transport_->send_read(std::move(request), NodeOperation::kProbe, deadline));
  if (has_error_code(answer, "bad_request")) co_return Result<void>();
  if (has_error_code(answer, "invalid_content_type")) {
    co_return fail(ErrorCode::kUnsupported, "node " + transport_->options().id +
                                                " does not take task numbers: start it with "
                                                "--experimental-replication-parameters");
  }
  co_return std::unexpected(error_of(answer).with_context("node " + transport_->options().id));
}

Async<Result<void>> HttpNodeClient::probe_network_feature(Instant deadline) {
  MIROIR_CO_TRY(const Json features, co_await transport_->get("/experimental-features",
                                                              NodeOperation::kProbe, deadline));
  const Json* network = features.find("network");
  if (network != nullptr && *network == Json(true)) co_return Result<void>();
  http::ClientRequest request =
      json_request("PATCH", "/experimental-features", Json::object({{"network", true}}));
  MIROIR_CO_TRY(const http::Response answer,
                co_await transport_->send(std::move(request), NodeOperation::kProbe, deadline));
  if (!is_success(answer))
    co_return std::unexpected(error_of(answer).with_context("node " + transport_->options().id));
  co_return Result<void>();
}

Async<Result<http::Response>> HttpNodeClient::dry_run(http::ClientRequest request,
                                                      Instant deadline) {
  request.headers.set("DryRun", "true");
  request.headers.erase("TaskId");
  co_return co_await transport_->send(std::move(request), NodeOperation::kDryRun, deadline);
}

std::uint64_t HttpNodeClient::connections() const { return transport_->connections(); }

Async<Result<http::Response>> HttpNodeClient::read(http::ClientRequest request, Instant deadline) {
  co_return co_await transport_->send_read(std::move(request), NodeOperation::kSearch, deadline);
}

}  // namespace miroir
