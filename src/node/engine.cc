#include "node/engine.h"

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <thread>

#include "base/logging.h"
#include "meili/index_uid.h"
#include "node/node_state.h"
#include "node/worker.h"

namespace miroir::node {
namespace {

constexpr std::chrono::milliseconds kRetryDelay{500};
constexpr std::size_t kIdleReadersMax = 16;

}  // namespace

struct Engine::State {
  std::string data_path;
  sqlite::Database writer;
  std::unique_ptr<NodeState> values;
  Catalogue catalogue;

  // Readers hold `catalogue_lock` shared; the worker takes it for a commit. It holds the turnstile
  // meanwhile, so that readers who come later wait behind it instead of keeping it out.
  std::mutex turnstile;
  std::shared_mutex catalogue_lock;

  std::mutex readers_mutex;
  std::vector<std::unique_ptr<sqlite::Database>> readers;  // idle connections

  std::mutex worker_mutex;
  std::condition_variable wake;
  bool work = true;
  bool stopping = false;
  std::optional<std::string> indexing;
  std::thread worker;

  explicit State(sqlite::Database database) : writer(std::move(database)) {}
};

Snapshot::Snapshot(Engine& engine) : engine_(engine) {
  Engine::State& state = *engine.state_;
  {
    const std::scoped_lock turn(state.turnstile);
    lock_ = std::shared_lock(state.catalogue_lock);
  }
  {
    const std::scoped_lock lock(state.readers_mutex);
    if (!state.readers.empty()) {
      database_ = std::move(state.readers.back());
      state.readers.pop_back();
    }
  }
  if (!database_) {
    auto opened =
        sqlite::Database::open(state.data_path, {.read_only = true, .mmap_bytes = 1LL << 30});
    if (opened) database_ = std::make_unique<sqlite::Database>(std::move(*opened));
  }
  // The read transaction begins with the first statement; asking for something begins it now.
  if (database_ && !(database_->execute("BEGIN") && database_->execute("SELECT 1 FROM indexes")))
    database_.reset();
}

Snapshot::~Snapshot() {
  if (!database_) return;
  Engine::State& state = *engine_.state_;
  if (database_->in_transaction() && !database_->execute("ROLLBACK")) return;
  const std::scoped_lock lock(state.readers_mutex);
  if (state.readers.size() < kIdleReadersMax) state.readers.push_back(std::move(database_));
}

const Index* Snapshot::find(std::string_view uid) const {
  const auto found = engine_.state_->catalogue.find(uid);
  return found == engine_.state_->catalogue.end() ? nullptr : found->second.get();
}

std::expected<const Index*, meili::ApiError> Snapshot::index(std::string_view uid) const {
  const Index* found = find(uid);
  if (found == nullptr) return std::unexpected(meili::index_not_found(uid));
  return found;
}

const std::map<std::string, std::unique_ptr<Index>, std::less<>>& Snapshot::indexes() const {
  return engine_.state_->catalogue;
}

Result<std::string> Snapshot::document(const Index& index, DocumentNumber number) const {
  MIROIR_TRY(auto text, read_document(*database_, index, number));
  if (!text) return fail(ErrorCode::kCorrupt, "a document's text is missing");
  return std::move(*text);
}

Engine::Engine(Clock& clock, std::unique_ptr<State> state)
    : clock_(clock), state_(std::move(state)) {}

Result<std::unique_ptr<Engine>> Engine::open(const std::string& data_dir, Clock& clock,
                                             Faults& faults) {
  std::error_code error;
  std::filesystem::create_directories(data_dir, error);
  if (error) return fail(ErrorCode::kUnavailable, data_dir + ": " + error.message());
  const std::string data_path = data_dir + "/data.db";
  MIROIR_TRY(sqlite::Database writer, sqlite::Database::open(data_path, {.cache_bytes = 64 << 20}));
  // The worker moves the log into the file itself, between batches and without keeping readers
  // waiting.
  MIROIR_CHECK(writer.execute("PRAGMA wal_autocheckpoint=0"));
  MIROIR_CHECK(create_data_schema(writer));
  auto state = std::make_unique<State>(std::move(writer));
  state->data_path = data_path;
  MIROIR_TRY(state->values, NodeState::open(data_dir + "/state.db"));
  MIROIR_TRY(state->catalogue, load_catalogue(state->writer));
  std::unique_ptr<Engine> engine(new Engine(clock, std::move(state)));
  MIROIR_TRY(engine->tasks_, TaskStore::open(data_dir + "/tasks.db"));
  MIROIR_CHECK(engine->recover());
  engine->faults_ = &faults;
  engine->state_->worker = std::thread([raw = engine.get()] { raw->work(); });
  return engine;
}

// A batch that was committed in data.db, but whose end did not reach the queue, ends now.
Result<void> Engine::recover() {
  {
    MIROIR_TRY(sqlite::Statement row, state_->writer.prepare("SELECT result FROM last_batch"));
    MIROIR_TRY(const bool found, row.step());
    if (found) {
      MIROIR_TRY(const Json json, parse_json(row.text(0)));
      MIROIR_TRY(const BatchResult result, parse_batch_result(json));
      bool unfinished = false;
      for (const TaskOutcome& outcome : result.outcomes) {
        MIROIR_TRY(const auto task, tasks_->find(outcome.uid));
        unfinished |=
            task && task->status == meili::TaskStatus::kProcessing && task->batch_uid == result.uid;
      }
      if (unfinished) MIROIR_CHECK(tasks_->finish(result));
    }
  }
  return tasks_->reset_processing();
}

Engine::~Engine() {
  if (state_->worker.joinable()) {
    {
      const std::scoped_lock lock(state_->worker_mutex);
      state_->stopping = true;
    }
    state_->wake.notify_all();
    state_->worker.join();
  }
}

void Engine::work() {
  State& state = *state_;
  const auto publish = [&](const std::function<Result<void>()>& change) -> Result<void> {
    const std::scoped_lock turn(state.turnstile);
    const std::unique_lock lock(state.catalogue_lock);
    return change();
  };
  const auto busy = [&](std::optional<std::string> index_uid) {
    const std::scoped_lock lock(state.worker_mutex);
    state.indexing = std::move(index_uid);
  };
  Worker worker(state.writer, state.catalogue, *tasks_, clock_, *faults_, publish,
                [this] { return feature("containsFilter"); });
  while (true) {
    {
      std::unique_lock lock(state.worker_mutex);
      state.wake.wait(lock, [&] { return state.work || state.stopping; });
      if (state.stopping) return;
      state.work = false;
    }
    bool more = true;
    while (more) {
      auto ran = worker.run_next(busy);
      {
        std::unique_lock lock(state.worker_mutex);
        if (!ran) {
          log_warning("batch failed, will be tried again", {{"reason", ran.error().message}});
          state.wake.wait_for(lock, kRetryDelay, [&] { return state.stopping; });
        }
        if (state.stopping) return;
      }
      more = !ran || *ran;
      if (ran && *ran && !state.writer.execute("PRAGMA wal_checkpoint(PASSIVE)")) {
        log_warning("checkpoint failed");
      }
    }
  }
}

std::unique_ptr<Snapshot> Engine::snapshot() {
  std::unique_ptr<Snapshot> snapshot(new Snapshot(*this));
  return snapshot->database_ ? std::move(snapshot) : nullptr;
}

std::expected<Task, meili::ApiError> Engine::enqueue(NewTask task, const TaskHeaders& headers) {
  tasks_->set_full(faults_->disk_full);
  auto added = tasks_->add(std::move(task), headers, clock_.wall_now());
  if (added && !headers.dry_run) {
    {
      const std::scoped_lock lock(state_->worker_mutex);
      state_->work = true;
    }
    state_->wake.notify_all();
  }
  return added;
}

std::optional<Json> Engine::setting(std::string_view name) const {
  return state_->values->get(name);
}

Result<void> Engine::set_setting(std::string_view name, const Json& value) {
  return state_->values->set(name, value);
}

bool Engine::feature(std::string_view name) const {
  const auto features = setting("features");
  const Json* value = features ? features->find(name) : nullptr;
  return value != nullptr && value->is_bool() && value->as_bool();
}

std::optional<std::string> Engine::indexing() const {
  const std::scoped_lock lock(state_->worker_mutex);
  return state_->indexing;
}

Result<std::pair<std::uint64_t, std::uint64_t>> Engine::database_bytes() {
  auto opened = snapshot();
  if (!opened) return fail(ErrorCode::kUnavailable, "the database cannot be read");
  MIROIR_TRY(const std::uint64_t total, opened->database().bytes());
  MIROIR_TRY(const std::uint64_t used, opened->database().used_bytes());
  MIROIR_TRY(const std::uint64_t tasks, tasks_->bytes());
  return std::pair(total + tasks, used + tasks);
}

}  // namespace miroir::node
