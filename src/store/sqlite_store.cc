#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <span>
#include <utility>

#include "store/sqlite_tables.h"
#include "store/work_thread.h"

namespace miroir {
namespace {

// Batches that share one transaction, at most.
constexpr std::size_t kGroupMax = 512;

// Held as long as the store is open; the kernel lets go of it when the process dies.
class FileLock {
 public:
  static Result<FileLock> take(const std::string& path) {
    const std::string name = path + ".lock";
    FileLock lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.file_ < 0) {
      return fail(ErrorCode::kUnavailable, "opening " + name + ": " + std::strerror(errno));
    }
    if (::flock(lock.file_, LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorCode::kUnavailable,
                  path + " is in use by another process: one Miroir at a time can open it");
    }
    return lock;
  }
  FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock() {
    if (file_ >= 0) ::close(file_);
  }

 private:
  explicit FileLock(int file) : file_(file) {}
  int file_;
};

struct Commit {
  Batch batch;
  std::function<void(Result<void>)> done;
};

Error in_words(Error error, const std::string& path) {
  if (error.code == ErrorCode::kCorrupt) error.message += " (the file is damaged)";
  return std::move(error).with_context("store " + path);
}

}  // namespace

struct SqliteStore::Threads {
  Threads(FileLock held, sqlite::Database write, sqlite::Database read)
      : lock(std::move(held)),
        writer(std::move(write)),
        reader(std::move(read)),
        reading([](std::vector<std::function<void()>> jobs) {
          for (auto& job : jobs) job();
        }),
        writing([this](std::vector<Commit> jobs) { commit_all(std::move(jobs)); }) {}

  void commit_all(std::vector<Commit> jobs) {
    for (std::size_t first = 0; first < jobs.size(); first += kGroupMax) {
      const std::size_t count = std::min(kGroupMax, jobs.size() - first);
      commit_group(std::span(jobs).subspan(first, count));
    }
  }

  void commit_group(std::span<Commit> group) {
    std::vector<Result<void>> results(group.size());
    Result<void> committed = commit_together(group, results);
    if (!committed && group.size() > 1) {
      // One that does not fit must not fail its neighbours.
      for (Commit& alone : group) commit_group(std::span(&alone, 1));
      return;
    }
    for (std::size_t i = 0; i < group.size(); ++i) {
      group[i].done(committed ? std::move(results[i]) : committed);
    }
  }

  // Each batch in a savepoint: a failed expectation undoes only its own.
  Result<void> commit_together(std::span<Commit> group, std::vector<Result<void>>& results) {
    MIROIR_TRY(sqlite::Transaction transaction, sqlite::Transaction::begin(writer));
    for (std::size_t i = 0; i < group.size(); ++i) {
      MIROIR_CHECK(writer.execute("SAVEPOINT batch"));
      results[i] = apply_batch(writer, group[i].batch);
      if (!results[i] && results[i].error().code != ErrorCode::kConflict) return results[i];
      if (!results[i]) MIROIR_CHECK(writer.execute("ROLLBACK TO batch"));
      MIROIR_CHECK(writer.execute("RELEASE batch"));
    }
    MIROIR_CHECK(transaction.commit());
    ++transactions;
    return {};
  }

  FileLock lock;
  sqlite::Database writer;
  sqlite::Database reader;
  std::atomic<std::uint64_t> transactions = 0;
  WorkThread<std::function<void()>> reading;
  WorkThread<Commit> writing;
};

SqliteStore::SqliteStore(std::unique_ptr<Threads> threads) : threads_(std::move(threads)) {}
SqliteStore::~SqliteStore() = default;

std::uint64_t SqliteStore::transactions() const { return threads_->transactions; }

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(std::string path, std::uint64_t bytes_max) {
  const auto refuse = [&](Error error) {
    return std::unexpected(in_words(std::move(error), path));
  };
  MIROIR_TRY(FileLock lock, FileLock::take(path));
  auto writer = sqlite::Database::open(path, {});
  if (!writer) return refuse(std::move(writer).error());
  if (auto prepared = prepare_tables(*writer); !prepared) return refuse(prepared.error());
  if (bytes_max != 0) MIROIR_CHECK(writer->limit_bytes(bytes_max));
  auto reader = sqlite::Database::open(path, {.read_only = true});
  if (!reader) return refuse(std::move(reader).error());
  return std::unique_ptr<SqliteStore>(new SqliteStore(
      std::make_unique<Threads>(std::move(lock), std::move(*writer), std::move(*reader))));
}

Async<Result<void>> SqliteStore::commit(Batch batch) {
  co_return co_await await_from_thread<Result<void>>(
      [&](auto done) { threads_->writing.add({std::move(batch), std::move(done)}); });
}

Async<Result<std::optional<std::string>>> SqliteStore::get(Table table, std::string key) {
  co_return co_await await_from_thread<Result<std::optional<std::string>>>([&](auto done) {
    threads_->reading.add([this, table, key, done = std::move(done)]() mutable {
      done(get_row(threads_->reader, table, key));
    });
  });
}

Async<Result<std::vector<Row>>> SqliteStore::scan(Table table, std::string first, std::string end,
                                                  std::size_t limit, bool reverse) {
  co_return co_await await_from_thread<Result<std::vector<Row>>>([&](auto done) {
    threads_->reading.add(
        [this, table, first, end, limit, reverse, done = std::move(done)]() mutable {
          done(scan_rows(threads_->reader, table, first, end, limit, reverse));
        });
  });
}

Async<Result<std::uint64_t>> SqliteStore::bytes() {
  co_return co_await await_from_thread<Result<std::uint64_t>>([&](auto done) {
    threads_->reading.add(
        [this, done = std::move(done)]() mutable { done(threads_->reader.bytes()); });
  });
}

}  // namespace miroir
