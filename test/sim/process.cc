#include "sim/process.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>

#include "sim/model.h"
#include "write/document_writer.h"
#include "write/index_writer.h"
#include "write/key_writer.h"
#include "write/settings_writer.h"

namespace miroir::sim {
namespace {

constexpr Milliseconds kRequestTimeout{3'000};
constexpr Milliseconds kFirstLook{5'000};

http::Request http_request(const Request& request, int number) {
  http::Request out;
  const std::string index = "/indexes/" + request.index;
  const std::string documents = index + "/documents";
  Json body;
  switch (request.act) {
    case Act::kReplace:
    case Act::kMerge:
      out.method = request.act == Act::kMerge ? "PUT" : "POST";
      out.path = documents;
      body = Json::array();
      for (const std::string& id : request.ids) body.push_back(document_of(request, id));
      break;
    case Act::kDelete:
      out.method = "DELETE";
      out.path = documents + "/" + request.ids.front();
      break;
    case Act::kDeleteBatch:
      out.method = "POST";
      out.path = documents + "/delete-batch";
      body = Json::array();
      for (const std::string& id : request.ids) body.push_back(id);
      break;
    case Act::kDeleteFilter:
      out.method = "POST";
      out.path = documents + "/delete";
      body = Json::object({{"filter", "tag = " + request.value}});
      break;
    case Act::kClear:
      out.method = "DELETE";
      out.path = documents;
      break;
    case Act::kCreate:
      out.method = "POST";
      out.path = "/indexes";
      body = Json::object({{"uid", request.index}, {"primaryKey", "id"}});
      break;
    case Act::kDrop:
      out.method = "DELETE";
      out.path = index;
      break;
    case Act::kSwap:
      out.method = "POST";
      out.path = "/swap-indexes";
      body = Json::array({Json::object({{"indexes", Json::array({"books", "films"})}})});
      break;
    case Act::kRename:
      out.method = "PATCH";
      out.path = index;
      body = Json::object({{"uid", other_index(request.index)}});
      break;
    case Act::kSettings:
      out.method = "PATCH";
      out.path = index + "/settings";
      body = Json::object({{"stopWords", Json::array({request.value})},
                           {"sortableAttributes", Json::array({request.value})},
                           {"filterableAttributes", Json::array({request.value})},
                           {"synonyms", Json::object({{request.value, Json::array({"x"})}})}});
      break;
    case Act::kCreateKey:
      out.method = "POST";
      out.path = "/keys";
      body = Json::object({{"uid", request.ids.front()},
                           {"name", request.value},
                           {"actions", Json::array({"search"})},
                           {"indexes", Json::array({"*"})},
                           {"expiresAt", Json()}});
      break;
    case Act::kRenameKey:
      out.method = "PATCH";
      out.path = "/keys/" + request.ids.front();
      body = Json::object({{"name", request.value}});
      break;
    case Act::kDeleteKey:
      out.method = "DELETE";
      out.path = "/keys/" + request.ids.front();
      break;
  }
  if (out.path.starts_with(documents)) out.query = "customMetadata=op" + std::to_string(number);
  out.target = out.path + (out.query.empty() ? "" : "?" + out.query);
  if (!body.is_null()) {
    out.headers.set("Content-Type", "application/json");
    out.body = to_text(body);
  }
  return out;
}

// The way to the subscriber, who may be told and not be heard to say so.
class SimulatedWebhook final : public cdc::Webhook {
 public:
  SimulatedWebhook(Subscriber& subscriber, Clock& clock, Random& random)
      : subscriber_(subscriber), clock_(clock), random_(random) {}

  Async<Result<int>> post(http::Headers, std::string body, Instant deadline) override {
    co_await clock_.sleep_for(Milliseconds(1 + random_.below(20)));
    if (random_.chance(0.05)) co_return 503;
    subscriber_.take(body);
    if (!random_.chance(0.02)) co_return 200;
    co_await clock_.sleep_until(deadline);
    co_return fail(ErrorCode::kTimeout, "no answer");
  }

 private:
  Subscriber& subscriber_;
  Clock& clock_;
  Random& random_;
};

std::vector<Window> windows_of(const Plan& plan) {
  std::vector<Window> windows;
  for (std::uint32_t first = 0; plan.window_period > 0 && first < 1'440;
       first += plan.window_period) {
    const std::uint32_t end = first + plan.window_minutes;
    windows.push_back(*Window::parse(
        fmt::format("{:02}:{:02}-{:02}:{:02}", first / 60, first % 60, end / 60 % 24, end % 60)));
  }
  return windows;
}

}  // namespace

FieldNames names_of(const Plan& plan) {
  FieldNames names;
  names.expiry = plan.sweep_interval.has_value();
  return names;
}

Process::Process(Surroundings around, std::uint64_t seed)
    : around_(around), io_(std::make_unique<boost::asio::io_context>(1)), random_(seed) {
  spawn(open());
}

Process::~Process() { io_.reset(); }  // first the coroutines, then what they use

bool Process::step() {
  io_->restart();
  return io_->poll_one() > 0;
}

void Process::spawn(Async<void> coroutine) {
  boost::asio::co_spawn(*io_, std::move(coroutine), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

Async<void> Process::open() {
  const Executor executor = io_->get_executor();
  SimulatedClock& clock = around_.clock;
  LogOptions log;
  log.retention_age = around_.plan.retention;
  log.tasks_kept = around_.plan.entries_kept;
  auto opened = co_await Log::open(around_.store, clock, metrics_, executor, log);
  if (!opened) {
    failed_ = true;
    co_return;
  }
  log_ = std::move(*opened);
  opened_at_ = log_->head();
  std::map<std::string, std::unique_ptr<NodeClient>> clients;
  for (const auto& [id, node] : around_.nodes) {
    clients[id] = std::make_unique<SimulatedNodeClient>(*node, clock, random_, around_.networks[id],
                                                        &around_.journals[id]);
  }
  cluster_ = std::make_unique<Cluster>(around_.topology, std::move(clients), *log_, clock, metrics_,
                                       executor);
  ForwardOptions forward;
  forward.names = names_of(around_.plan);
  forward.request_timeout = kRequestTimeout;
  if (around_.plan.trims()) forward.trim_interval = Seconds(1);
  if (around_.plan.node_tasks_kept) {
    forward.node_tasks_kept = *around_.plan.node_tasks_kept;
    forward.tasks_forgotten_at_once = 5;
  }
  forwarders_ =
      std::make_unique<Forwarders>(*log_, *cluster_, clock, random_, metrics_, executor, forward);
  health_ = std::make_unique<HealthMonitor>(*cluster_, clock, executor, HealthOptions{});
  AntiEntropyOptions options;
  options.names = names_of(around_.plan);
  options.light_interval = around_.plan.light_interval;
  options.schedule = around_.plan.deep_interval;
  options.tombstone_age_min = around_.plan.tombstone_age_min;
  options.tombstone_retention = around_.plan.tombstone_retention;
  options.foreign_documents = around_.plan.foreign_documents;
  options.tie = around_.plan.tie;
  options.auto_repair = around_.plan.auto_repair;
  options.shards_per_pass = around_.plan.shards_per_pass;
  options.audit_retention = around_.plan.audit_retention;
  options.max_read_concurrency = around_.plan.max_read_concurrency;
  options.windows = windows_of(around_.plan);
  options.breaker.min_documents = around_.plan.deletes_max;
  reconciler_ = std::make_unique<Reconciler>(*log_, around_.store, *cluster_, *forwarders_, clock,
                                             random_, metrics_, executor, options);
  recovery_ = std::make_unique<Recovery>(*log_, *cluster_, clock, names_of(around_.plan));
  if (!co_await open_stream() || !co_await open_sweeper()) {
    failed_ = true;
    co_return;
  }
  spawn(forwarders_->run());
  spawn(health_->run());
  co_await forwarders_->look_at_all(clock.now() + kFirstLook);
  spawn(reconciler_->run());
  spawn(recovery_->run());
  if (stream_) spawn(stream_->run());
  if (sweeper_) spawn(sweeper_->run());
  ready_ = true;
}

Async<bool> Process::open_stream() {
  if (!around_.plan.has_subscriber) co_return true;
  CdcOptions options;
  options.enabled = true;
  options.emit_ttl_deletes = around_.plan.emit_ttl_deletes;
  options.emit_internal_writes = around_.plan.emit_internal_writes;
  options.sinks.push_back({"subscriber", "http://subscriber", "secret", true});
  auto opened = co_await ChangeStream::open(
      {*log_, around_.store, *cluster_, *forwarders_, around_.clock, random_, metrics_,
       io_->get_executor()},
      std::move(options), [this](const CdcSinkOptions&) -> Result<std::unique_ptr<cdc::Webhook>> {
        return std::make_unique<SimulatedWebhook>(around_.subscriber, around_.clock, random_);
      });
  if (opened) stream_ = std::move(*opened);
  co_return opened.has_value();
}

Async<bool> Process::open_sweeper() {
  if (!around_.plan.sweep_interval) co_return true;
  TtlOptions options;
  options.enabled = true;
  options.policy.sweep_interval = *around_.plan.sweep_interval;
  auto opened = co_await Sweeper::open({.log = *log_,
                                        .store = around_.store,
                                        .cluster = *cluster_,
                                        .clock = around_.clock,
                                        .random = random_,
                                        .metrics = metrics_,
                                        .executor = io_->get_executor(),
                                        .names = names_of(around_.plan),
                                        .reads = reconciler_->reads()},
                                       std::move(options));
  if (opened) sweeper_ = std::move(*opened);
  co_return opened.has_value();
}

double Process::suppressed(const std::string& origin) {
  return metrics_.counter("miroir_cdc_events_suppressed_total", "", {{"origin", origin}}).value();
}

void Process::serve(Request request, int number, std::function<void(http::Response)> answer) {
  spawn([](Process& self, Request its_request, int its_number,
           std::function<void(http::Response)> its_answer) -> Async<void> {
    its_answer(co_await self.handle(std::move(its_request), its_number));
  }(*this, std::move(request), number, std::move(answer)));
}

void Process::cancel(std::vector<Position> tasks) {
  spawn([](Process& self, std::vector<Position> its_tasks) -> Async<void> {
    const auto announce = [&](std::size_t, Voided voided) -> Async<Result<Position>> {
      Entry entry;
      entry.kind = EntryKind::kTaskOperation;
      entry.task_type = "taskCancelation";
      MIROIR_CO_TRY(const auto appended,
                    co_await self.log_->append(
                        [&](const Catalogue&, Position) -> Result<std::vector<Entry>> {
                          return std::vector{entry};
                        },
                        WhenFull::kRefuse, std::move(voided)));
      co_return appended.front().position;
    };
    (void)co_await self.forwarders_->cancel(std::move(its_tasks), announce);
  }(*this, std::move(tasks)));
}

void Process::set_policy(std::string index, TtlOverride change, std::function<void(bool)> answer) {
  spawn([](Process& self, std::string its_index, TtlOverride its_change,
           std::function<void(bool)> its_answer) -> Async<void> {
    const auto set = co_await self.sweeper_->set_policy(std::move(its_index), its_change);
    its_answer(set.has_value());
  }(*this, std::move(index), change, std::move(answer)));
}

void Process::set_paused(bool paused, std::function<void(bool)> answer) {
  spawn(
      [](Reconciler& reconciler, bool pauses, std::function<void(bool)> its_answer) -> Async<void> {
        const auto set = pauses ? co_await reconciler.pause() : co_await reconciler.resume();
        its_answer(set.has_value());
      }(*reconciler_, paused, std::move(answer)));
}

Async<http::Response> Process::handle_key(WriteContext context, Request request,
                                          http::Request message) {
  KeyWriter keys(std::move(context), random_);
  const std::string& uid = request.ids.front();
  if (request.act == Act::kDeleteKey) {
    const auto removed = co_await keys.remove(uid);
    co_return removed ? http::Response{204, {}, {}} : error_answer(removed.error());
  }
  const bool fresh = request.act == Act::kCreateKey;
  const auto key = fresh ? co_await keys.create(std::move(message))
                         : co_await keys.update(uid, std::move(message));
  co_return key ? json_answer(fresh ? 201 : 200, *key) : error_answer(key.error());
}

Async<http::Response> Process::handle(Request request, int number) {
  WriteContext context{*log_, *cluster_, around_.clock, WriteOptions{}};
  context.options.names = names_of(around_.plan);
  context.options.request_timeout = kRequestTimeout;
  const std::optional<std::uint64_t> sliced = around_.plan.deleted_per_entry;
  context.options.deleted_per_entry = sliced.value_or(1'000);
  context.options.slices_unknown = sliced ? kSlicesUnknown : 1;
  DocumentWriter documents(context);
  IndexWriter indexes(context);
  SettingsWriter settings(context);
  http::Request message = http_request(request, number);
  switch (request.act) {
    case Act::kReplace:
    case Act::kMerge:
      co_return co_await documents.add(request.index, request.act == Act::kMerge,
                                       std::move(message));
    case Act::kDelete:
      co_return co_await documents.remove(request.index, request.ids.front(), std::move(message));
    case Act::kDeleteBatch:
      co_return co_await documents.remove_batch(request.index, std::move(message));
    case Act::kDeleteFilter:
      co_return co_await documents.remove_by_filter(request.index, std::move(message));
    case Act::kClear:
      co_return co_await documents.clear(request.index, std::move(message));
    case Act::kCreate:
      co_return co_await indexes.create(std::move(message));
    case Act::kSwap:
      co_return co_await indexes.swap(std::move(message));
    case Act::kRename:
      co_return co_await indexes.update(request.index, std::move(message));
    case Act::kDrop:
      co_return co_await indexes.drop(request.index, std::move(message));
    case Act::kSettings:
      co_return co_await settings.change(request.index, "", std::move(message));
    case Act::kCreateKey:
    case Act::kRenameKey:
    case Act::kDeleteKey:
      co_return co_await handle_key(context, std::move(request), std::move(message));
  }
  co_return http::Response{};
}

}  // namespace miroir::sim
