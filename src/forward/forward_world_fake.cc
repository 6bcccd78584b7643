#include "forward/forward_world_fake.h"

#include <algorithm>
#include <set>

#include "base/content_hash.h"
#include "forward/plan.h"

namespace miroir {
namespace {

Topology make_topology(const ForwardWorld::Options& options) {
  std::vector<NodeConfig> nodes;
  for (int group = 0; group < options.groups; ++group) {
    for (int i = 0; i < options.nodes_per_group; ++i) {
      const std::string id = std::string(1, static_cast<char>('a' + group)) + std::to_string(i);
      nodes.push_back({id, "http://" + id, group});
    }
  }
  return *Topology::make(std::move(nodes), options.shards);
}

// A read that is under way.
class Reading {
 public:
  explicit Reading(ForwardWorld::Reads& reads) : reads_(reads) {
    reads_.most = std::max(reads_.most, ++reads_.now);
  }
  ~Reading() { --reads_.now; }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  ForwardWorld::Reads& reads_;
};

class RefusingClient final : public SimulatedNodeClient {
 public:
  RefusingClient(ForwardWorld& world, SimulatedNode& node, Random& random,
                 const SimulatedNetwork& network)
      : SimulatedNodeClient(node, world.clock, random, network),
        world_(world),
        id_(node.options().id) {}

  Async<Result<Enqueued>> enqueue(NodeWrite write, TaskUid uid, std::string metadata,
                                  Instant deadline) override {
    std::optional<Error> refused;
    if (world_.refuse) refused = world_.refuse(id_, write);
    if (refused) co_return std::unexpected(std::move(*refused));
    co_return co_await SimulatedNodeClient::enqueue(std::move(write), uid, std::move(metadata),
                                                    deadline);
  }

  Async<Result<std::vector<NodeIndex>>> indexes(Instant deadline) override {
    std::optional<Error> refused;
    if (world_.refuse_indexes) refused = world_.refuse_indexes(id_);
    if (refused) co_return std::unexpected(std::move(*refused));
    co_return co_await SimulatedNodeClient::indexes(deadline);
  }

  Async<Result<DocumentPage>> documents(DocumentQuery query, Instant deadline) override {
    const Reading reading(world_.reads);
    if (world_.before_documents) world_.before_documents(id_, query);
    if (world_.answer_documents) {
      // It is there while it travels, beside those of other nodes.
      auto page = world_.answer_documents(id_, query);
      co_await world_.clock.sleep_for(world_.answer_time);
      co_return page;
    }
    co_return co_await SimulatedNodeClient::documents(std::move(query), deadline);
  }

  Async<Result<std::vector<DigestCounts>>> digests(std::string index, std::vector<SlotRange> ranges,
                                                   Instant deadline) override {
    const Reading reading(world_.reads);
    if (world_.before_digests) world_.before_digests(index);
    if (world_.answer_digests) {
      co_await world_.clock.sleep_for(world_.answer_time);
      co_return world_.answer_digests(id_, index, ranges);
    }
    co_return co_await SimulatedNodeClient::digests(std::move(index), std::move(ranges), deadline);
  }

  Async<Result<http::Response>> read(http::ClientRequest request, Instant deadline) override {
    std::optional<Result<http::Response>> answer;
    if (world_.answer_read) answer = world_.answer_read(id_, request);
    if (answer) co_return std::move(*answer);
    co_return co_await SimulatedNodeClient::read(std::move(request), deadline);
  }

  Async<Result<http::Response>> dry_run(http::ClientRequest request, Instant deadline) override {
    std::optional<Result<http::Response>> answer;
    if (world_.answer_dry_run) answer = world_.answer_dry_run(id_, request);
    if (answer) co_return std::move(*answer);
    co_return co_await SimulatedNodeClient::dry_run(std::move(request), deadline);
  }

 private:
  ForwardWorld& world_;
  std::string id_;
};

}  // namespace

ForwardWorld::ForwardWorld(std::uint64_t seed, Options chosen)
    : random(seed), options(std::move(chosen)), topology_(make_topology(options)) {
  make_nodes();
}

void ForwardWorld::make_nodes() {
  for (const NodeConfig& config : topology_.nodes()) {
    if (nodes.contains(config.id)) continue;
    SimulatedNode::Options node;
    node.id = config.id;
    node.task_delay_max = options.task_delay_max;
    nodes[config.id] = std::make_unique<SimulatedNode>(clock, random.next(), node);
    networks[config.id] = options.network;
  }
}

ForwardWorld::~ForwardWorld() { crash(); }

void ForwardWorld::add_group() {
  MIROIR_ASSERT(!process);
  ++options.groups;
  topology_ = make_topology(options);
  make_nodes();
}

void ForwardWorld::remove_group() {
  MIROIR_ASSERT(!process);
  --options.groups;
  topology_ = make_topology(options);
}

bool ForwardWorld::set_down(const std::string& node, bool down) {
  nodes.at(node)->options().down = down;
  return run_until([&] { return cluster().status(node).healthy == !down; });
}

void ForwardWorld::spawn(Async<void> coroutine) {
  boost::asio::co_spawn(*process->io, std::move(coroutine), [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  });
}

void ForwardWorld::start() {
  process = std::make_unique<Process>(random.next());
  const Executor executor = process->io->get_executor();
  auto opened = await(Log::open(store, clock, process->metrics, executor, options.log));
  MIROIR_ASSERT(opened);
  process->log = std::move(*opened);
  std::map<std::string, std::unique_ptr<NodeClient>> clients;
  for (auto& [id, node] : nodes) {
    clients[id] = std::make_unique<RefusingClient>(*this, *node, process->random, networks[id]);
  }
  process->cluster = std::make_unique<Cluster>(topology_, std::move(clients), *process->log, clock,
                                               process->metrics, executor);
  process->forwarders =
      std::make_unique<Forwarders>(*process->log, *process->cluster, clock, process->random,
                                   process->metrics, executor, options.forward);
  process->health =
      std::make_unique<HealthMonitor>(*process->cluster, clock, executor, HealthOptions{});
  spawn(process->forwarders->run());
  spawn(process->health->run());
}

void ForwardWorld::crash() {
  if (!process) return;
  process->io.reset();  // with all that was under way; then what it worked on
  process->health.reset();
  process->forwarders.reset();
  process->cluster.reset();
  process->log.reset();
  process.reset();
}

void ForwardWorld::step(Instant at_most) {
  process->io->restart();
  if (process->io->poll() > 0) return;
  const std::optional<Instant> next = clock.next_wake();
  clock.advance_to(next ? std::min(*next, at_most) : at_most);
}

bool ForwardWorld::run_until(const std::function<bool()>& until, Microseconds at_most) {
  const Instant give_up = clock.now() + at_most;
  while (!until()) {
    if (clock.now() >= give_up) return false;
    step(give_up);
  }
  return true;
}

void ForwardWorld::run_for(Microseconds time) {
  const Instant end = clock.now() + time;
  while (clock.now() < end) step(end);
}

Position ForwardWorld::append(Entry entry) {
  auto appended = await(
      log().append([&](const Catalogue& catalogue, Position next) -> Result<std::vector<Entry>> {
        if (const IndexState* index = catalogue.index(entry.index_uid)) {
          entry.incarnation = index->incarnation;
          entry.primary_key = index->primary_key.value_or(entry.records > 0 ? "id" : "");
        } else if (entry.kind == EntryKind::kCreateIndex) {
          entry.incarnation = next;
        }
        return std::vector{entry};
      }));
  MIROIR_ASSERT(appended);
  return appended->back().position;
}

Position ForwardWorld::append_records(Entry entry, std::vector<BodyRecord> records) {
  std::size_t next = 0;
  std::set<ShardId> shards;
  auto body = await(log().write_body([&]() -> Result<std::optional<BodyRecord>> {
    if (next == records.size()) return std::nullopt;
    shards.insert(topology_.shard_of(records[next].slot));
    return records[next++];
  }));
  MIROIR_ASSERT(body);
  entry.body = body->id;
  entry.body_pieces = body->pieces;
  entry.body_bytes = body->bytes;
  entry.records = body->records;
  entry.shards.assign(shards.begin(), shards.end());
  entry.shard_count = topology_.shard_count();
  return append(std::move(entry));
}

Position ForwardWorld::create_index(const std::string& uid) {
  Entry entry;
  entry.kind = EntryKind::kCreateIndex;
  entry.index_uid = uid;
  entry.primary_key = "id";
  entry.arguments = Json::object({{"primaryKey", "id"}});
  entry.task_type = "indexCreation";
  return append(std::move(entry));
}

Position ForwardWorld::take_over_index(const std::string& uid) {
  Entry entry;
  entry.kind = EntryKind::kAdoptIndex;
  entry.index_uid = uid;
  entry.primary_key = "id";
  entry.arguments = Json::object({{"primaryKey", "id"},
                                  {"settings", Json::object()},
                                  {"clientSettings", Json::object()},
                                  {"replaces", log().catalogue().index(uid)->incarnation}});
  const auto judge = [&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
    return std::vector{entry};
  };
  MIROIR_ASSERT(await(log().take_back(judge)));
  return log().head();
}

Position ForwardWorld::clear(const std::string& uid) {
  Entry entry;
  entry.kind = EntryKind::kClearDocuments;
  entry.index_uid = uid;
  entry.task_type = "documentDeletion";
  entry.task_details = Json::object();
  return append(std::move(entry));
}

Position ForwardWorld::drop_index(const std::string& uid) {
  Entry entry;
  entry.kind = EntryKind::kDropIndex;
  entry.index_uid = uid;
  entry.task_type = "indexDeletion";
  return append(std::move(entry));
}

Async<Result<Position>> ForwardWorld::append_cancelation(Voided voided) {
  Entry entry;
  entry.kind = EntryKind::kTaskOperation;
  entry.task_type = "taskCancelation";
  MIROIR_CO_TRY(
      const auto appended,
      co_await log().append([&](const Catalogue&, Position) { return std::vector{entry}; },
                            WhenFull::kRefuse, std::move(voided)));
  co_return appended.front().position;
}

Position ForwardWorld::swap_indexes(const std::string& one, const std::string& other) {
  Entry entry;
  entry.kind = EntryKind::kSwapIndexes;
  entry.task_type = "indexSwap";
  entry.arguments =
      Json::array({Json::object({{"indexes", Json::array({one, other})}, {"rename", false}})});
  return append(std::move(entry));
}

Position ForwardWorld::write(const std::string& uid, const std::vector<std::string>& ids,
                             const std::string& value, EntryKind kind) {
  Entry entry;
  entry.kind = kind;
  entry.index_uid = uid;
  entry.task_type = "documentAdditionOrUpdate";
  entry.task_details = Json::object(
      {{"receivedDocuments", std::uint64_t{ids.size()}}, {"indexedDocuments", Json()}});
  std::vector<BodyRecord> records;
  for (const std::string& id : ids) {
    const std::string text = R"({"id":")" + id + R"(",")" +
                             (kind == EntryKind::kMergeDocuments ? "m" : "v") + R"(":")" + value +
                             R"("})";
    const Hash128 content =
        *content_hash(text, DecimalReading::kNode, [](std::string_view) { return false; });
    records.push_back({slot_of(id), checksum_of(content), id, text});
  }
  return append_records(std::move(entry), std::move(records));
}

Position ForwardWorld::remove(const std::string& uid, const std::vector<std::string>& ids) {
  Entry entry;
  entry.kind = EntryKind::kDeleteDocuments;
  entry.index_uid = uid;
  entry.task_type = "documentDeletion";
  entry.task_details =
      Json::object({{"providedIds", std::uint64_t{ids.size()}}, {"deletedDocuments", Json()}});
  std::vector<BodyRecord> records;
  for (const std::string& id : ids) records.push_back({slot_of(id), 0, id, ""});
  return append_records(std::move(entry), std::move(records));
}

Position ForwardWorld::remove_by_filter(const std::string& uid, Json filter) {
  Entry entry;
  entry.kind = EntryKind::kDeleteByFilter;
  entry.index_uid = uid;
  entry.task_type = "documentDeletion";
  entry.arguments = Json::object({{"filter", std::move(filter)}});
  entry.task_details = Json::object({{"providedIds", 0}, {"deletedDocuments", Json()}});
  return append(std::move(entry));
}

void ForwardWorld::fail_tasks(std::set<std::string> types, std::optional<std::string> only) {
  for (auto& [name, node] : nodes) {
    if (only && *only != name) continue;
    node->fail_tasks([types](const NodeTask& task) {
      return types.contains(task.type) ? std::optional<std::string>("internal") : std::nullopt;
    });
  }
}

bool ForwardWorld::all_done() const {
  return std::ranges::all_of(topology_.nodes(), [this](const NodeConfig& node) {
    return process->cluster->status(node.id).done >= process->log->head();
  });
}

std::optional<TaskEnd> ForwardWorld::task_end(Position task) {
  auto end = await(log().task_end(task));
  MIROIR_ASSERT(end);
  return std::move(*end);
}

TaskEnd ForwardWorld::await_task(Position task) {
  const Instant give_up = clock.now() + Seconds(600);
  for (;;) {
    if (auto end = task_end(task)) return std::move(*end);
    if (clock.now() >= give_up) return {"never ended", 0, 0, {}, {}};
    run_for(Milliseconds(20));
  }
}

std::string ForwardWorld::unlike_the_log() {
  std::string wrong;
  for (const NodeConfig& config : topology().nodes()) {
    std::set<TaskUid> expected;
    for (Position position = 1; position <= log().head(); ++position) {
      const std::shared_ptr<const Entry> entry = *await(log().entry(position));
      if (is_key(entry->kind) || !concerns(*entry, config.id, topology())) continue;
      expected.insert(static_cast<TaskUid>(position));
    }
    std::set<TaskUid> found;
    for (const auto& [uid, queued] : nodes.at(config.id)->disk().tasks) found.insert(uid);
    if (found != expected) wrong += config.id + " ";
  }
  return wrong;
}

std::map<std::string, std::string> ForwardWorld::documents_of_group(int group,
                                                                    const std::string& uid) const {
  std::map<std::string, std::string> all;
  for (const std::string& node : topology_.nodes_of(group)) {
    for (auto& [id, text] : nodes.at(node)->documents(uid)) {
      MIROIR_ASSERT(all.emplace(id, text).second);
    }
  }
  return all;
}

}  // namespace miroir
