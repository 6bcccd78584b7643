#include "node_api/simulated_node_client_fake.h"

#include <algorithm>
#include <utility>

#include "meili/settings.h"
#include "node_api/simulated_reads_fake.h"

namespace miroir {
namespace {

class Reads {
 public:
  explicit Reads(ReadJournal* journal) : reading_(journal == nullptr ? nullptr : journal->reading) {
    if (reading_ != nullptr) reading_->most = std::max(reading_->most, ++reading_->now);
  }
  Reads(const Reads&) = delete;
  Reads& operator=(const Reads&) = delete;
  ~Reads() {
    if (reading_ != nullptr) --reading_->now;
  }

 private:
  ReadJournal::Reading* reading_;
};

// Writers, recovery and what resolves filters ask by a filter, or for one field, or how many.
bool is_of_the_background(const DocumentQuery& query) {
  if (std::ranges::count(query.fields, kBaseField) > 0) return true;  // a sweep
  return !query.filter && query.fields.size() != 1 && query.limit > 1;
}

}  // namespace

SimulatedNodeClient::SimulatedNodeClient(SimulatedNode& node, Clock& clock, Random& random,
                                         const SimulatedNetwork& network, ReadJournal* journal)
    : node_(node),
      clock_(clock),
      random_(random),
      network_(network),
      journal_(journal),
      restarts_(node.restarts()) {}

Microseconds SimulatedNodeClient::draw(Microseconds min, Microseconds max) {
  return min + Microseconds(static_cast<std::int64_t>(random_.unit() *
                                                      static_cast<double>((max - min).count())));
}

Async<Error> SimulatedNodeClient::lost(Instant deadline) {
  co_await clock_.sleep_until(deadline);
  co_return Error{ErrorCode::kTimeout, "node " + node_.options().id + ": no answer in time"};
}

Async<Result<SimulatedNodeClient::Fate>> SimulatedNodeClient::travel(Instant deadline) {
  const Instant arrival = clock_.now() + draw(network_.latency_min, network_.latency_max);
  const bool refused = random_.chance(network_.refuse);
  const bool request_lost = random_.chance(network_.lose_request);
  const bool answer_lost = random_.chance(network_.lose_answer);
  if (request_lost || arrival >= deadline) {
    co_return std::unexpected(co_await lost(deadline));
  }
  const std::uint64_t restarts = node_.restarts();
  co_await clock_.sleep_until(arrival);
  // What was on its way to the process before is lost with the connection.
  if (refused || network_.cut || node_.options().down || restarts != node_.restarts())
    co_return fail(ErrorCode::kUnavailable, "node " + node_.options().id + ": connection refused");
  const bool is_new = std::exchange(restarts_, restarts) != restarts;
  if (is_new || !node_.options().keeps_connections) ++connections_;
  node_.catch_up();
  co_return answer_lost ? Fate::kAnswerLost : Fate::kDelivered;
}

Async<Result<void>> SimulatedNodeClient::come_back(Fate fate, Instant deadline) {
  const Instant back = clock_.now() + draw(network_.latency_min, network_.latency_max);
  if (fate == Fate::kAnswerLost || back >= deadline)
    co_return std::unexpected(co_await lost(deadline));
  co_await clock_.sleep_until(back);
  co_return Result<void>();
}

template <class T, class Ask>
Async<Result<T>> SimulatedNodeClient::call(Instant deadline, Ask ask) {
  MIROIR_CO_TRY(const Fate fate, co_await travel(deadline));
  Result<T> answer = ask(node_);
  MIROIR_CO_CHECK(co_await come_back(fate, deadline));
  co_return answer;
}

Async<Result<Enqueued>> SimulatedNodeClient::enqueue(NodeWrite write, TaskUid uid,
                                                     std::string metadata, Instant deadline) {
  const bool delayed = random_.chance(network_.delay_request);
  const bool doubled = random_.chance(network_.duplicate);
  const Microseconds late = draw(Microseconds(1), network_.late_max);
  if (delayed && !network_.cut) {
    node_.arrive_later(deadline + late, std::move(write), uid, std::move(metadata));
    co_return std::unexpected(co_await lost(deadline));
  }
  MIROIR_CO_TRY(const Fate fate, co_await travel(deadline));
  if (doubled) node_.arrive_later(clock_.now() + late, write, uid, metadata);
  Result<Enqueued> answer = node_.enqueue(std::move(write), uid, std::move(metadata));
  MIROIR_CO_CHECK(co_await come_back(fate, deadline));
  if (answer && answer->uid != uid)
    co_return fail(ErrorCode::kCorrupt, "node " + node_.options().id + " ignores TaskId");
  co_return answer;
}

Async<Result<void>> SimulatedNodeClient::put_key(Json key, Instant deadline) {
  MIROIR_CO_TRY(const Fate fate, co_await travel(deadline));
  const bool full = node_.options().full;
  const Result<void> put = full ? Result<void>() : node_.put_key(key);
  MIROIR_CO_CHECK(co_await come_back(fate, deadline));
  if (full) co_return fail(ErrorCode::kUnavailable, "no space left on device");
  co_return put;
}

Async<Result<void>> SimulatedNodeClient::delete_key(std::string uid, Instant deadline) {
  MIROIR_CO_TRY(const Fate fate, co_await travel(deadline));
  const bool full = node_.options().full;
  if (!full) node_.delete_key(uid);
  MIROIR_CO_CHECK(co_await come_back(fate, deadline));
  if (full) co_return fail(ErrorCode::kUnavailable, "no space left on device");
  co_return Result<void>();
}

Async<Result<std::optional<NodeTask>>> SimulatedNodeClient::newest_task(Instant deadline) {
  using Answer = std::optional<NodeTask>;
  co_return co_await call<Answer>(deadline, [](const SimulatedNode& node) -> Result<Answer> {
    const auto& tasks = node.disk().tasks;
    if (tasks.empty()) return std::nullopt;
    return tasks.rbegin()->second.task;
  });
}

Async<Result<std::optional<NodeTask>>> SimulatedNodeClient::task(TaskUid uid, Instant deadline) {
  using Answer = std::optional<NodeTask>;
  co_return co_await call<Answer>(deadline, [&uid](const SimulatedNode& node) -> Result<Answer> {
    const auto found = node.disk().tasks.find(uid);
    if (found == node.disk().tasks.end()) return std::nullopt;
    return found->second.task;
  });
}

Async<Result<std::vector<NodeTask>>> SimulatedNodeClient::tasks(TaskUid first, TaskUid last,
                                                                std::size_t limit,
                                                                Instant deadline) {
  using Answer = std::vector<NodeTask>;
  co_return co_await call<Answer>(deadline, [&](const SimulatedNode& node) -> Result<Answer> {
    Answer found;
    const auto& tasks = node.disk().tasks;
    for (auto task = tasks.lower_bound(first);
         task != tasks.end() && task->first <= last && found.size() < limit; ++task)
      found.push_back(task->second.task);
    return found;
  });
}

Async<Result<std::vector<NodeIndex>>> SimulatedNodeClient::indexes(Instant deadline) {
  using Answer = std::vector<NodeIndex>;
  co_return co_await call<Answer>(deadline, [](const SimulatedNode& node) -> Result<Answer> {
    Answer found;
    for (const auto& [uid, index] : node.disk().indexes)
      found.push_back({uid, index.primary_key, index.created_at});
    return found;
  });
}

Async<Result<NodeIndex>> SimulatedNodeClient::index(std::string uid, Instant deadline) {
  co_return co_await call<NodeIndex>(deadline, [&](const SimulatedNode& node) -> Result<NodeIndex> {
    MIROIR_TRY(const SimulatedNode::Index* index, simulated_index(node, uid));
    return NodeIndex{uid, index->primary_key, index->created_at};
  });
}

Async<Result<Json>> SimulatedNodeClient::settings(std::string index_uid, Instant deadline) {
  co_return co_await call<Json>(deadline, [&](const SimulatedNode& node) -> Result<Json> {
    MIROIR_TRY(const SimulatedNode::Index* index, simulated_index(node, index_uid));
    // In one order, whatever the history of their changes.
    std::map<std::string, Json> sorted;
    for (const auto& [name, value] : index->settings.as_object()) sorted.emplace(name, value);
    Json settings = Json::object();
    for (auto& [name, value] : sorted) settings.set(name, std::move(value));
    return meili::without_secrets(std::move(settings));
  });
}

Async<Result<std::vector<Json>>> SimulatedNodeClient::keys(Instant deadline) {
  using Answer = std::vector<Json>;
  co_return co_await call<Answer>(deadline, [](const SimulatedNode& node) -> Result<Answer> {
    Answer found;
    for (const auto& [uid, key] : node.disk().keys) found.push_back(key);
    return found;
  });
}

Async<Result<DocumentPage>> SimulatedNodeClient::documents(DocumentQuery query, Instant deadline) {
  std::map<std::string, std::optional<Json>> told;
  std::optional<Reads> reads;
  if (is_of_the_background(query)) reads.emplace(journal_);
  if (journal_ != nullptr && !query.slots.empty() && query.fields.empty())
    journal_->scans.push_back({clock_.now(), query.index_uid, query.slots});
  auto page = co_await call<DocumentPage>(deadline, [&](const SimulatedNode& node) {
    if (journal_ != nullptr) told = simulated_answers(node, query);
    return simulated_documents(node, query);
  });
  if (!page) co_return page;
  for (auto& [id, document] : told)
    journal_->documents[{query.index_uid, id}] = {clock_.now(), std::move(document)};
  co_return page;
}

Async<Result<std::vector<DigestCounts>>> SimulatedNodeClient::digests(std::string index_uid,
                                                                      std::vector<SlotRange> ranges,
                                                                      Instant deadline) {
  const Reads reads(journal_);
  auto counts = co_await call<std::vector<DigestCounts>>(deadline, [&](const SimulatedNode& node) {
    return simulated_digests(node, index_uid, ranges);
  });
  if (counts && journal_ != nullptr) journal_->digests[index_uid] = clock_.now();
  co_return counts;
}

Async<Result<void>> SimulatedNodeClient::probe(Instant deadline) {
  MIROIR_CO_TRY(const Fate fate, co_await travel(deadline));
  const bool speaks = node_.options().speaks_task_ids;
  MIROIR_CO_CHECK(co_await come_back(fate, deadline));
  if (!speaks)
    co_return fail(ErrorCode::kUnsupported, "start it with --experimental-replication-parameters");
  co_return Result<void>();
}

Async<Result<http::Response>> SimulatedNodeClient::dry_run(http::ClientRequest request,
                                                           Instant deadline) {
  co_return co_await call<http::Response>(
      deadline, [&request](const SimulatedNode&) -> Result<http::Response> {
        return http::json_response(request.method == "GET" ? 200 : 202, "{}");
      });
}

Async<Result<http::Response>> SimulatedNodeClient::read(http::ClientRequest request,
                                                        Instant deadline) {
  co_return co_await call<http::Response>(deadline,
                                          [&](const SimulatedNode& node) -> Result<http::Response> {
                                            return simulated_read(node, request);
                                          });
}

}  // namespace miroir
