#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "store/store.h"

namespace miroir {

// The embedded store: one SQLite file (WAL, synchronous=FULL), written by one thread and read by
// another; commits that wait for the writer share its next transaction. Must be destroyed before
// the io_contexts of its callers.
class SqliteStore final : public Store {
 public:
  // kUnavailable: another process has it open; kUnsupported: a newer Miroir wrote it, or it is
  // another program's; kCorrupt: damaged.
  // Past `bytes_max` bytes commits fail as on a full disk; 0: the disk's own limit.
  static Result<std::unique_ptr<SqliteStore>> open(std::string path, std::uint64_t bytes_max = 0);
  ~SqliteStore() override;

  Async<Result<void>> commit(Batch batch) override;
  Async<Result<std::optional<std::string>>> get(Table table, std::string key) override;
  Async<Result<std::vector<Row>>> scan(Table table, std::string first, std::string end,
                                       std::size_t limit, bool reverse) override;
  Async<Result<std::uint64_t>> bytes() override;
  bool exclusive() const override { return true; }

  // That were made durable: as many fsyncs. From any thread.
  std::uint64_t transactions() const;

 private:
  struct Threads;
  explicit SqliteStore(std::unique_ptr<Threads> threads);
  std::unique_ptr<Threads> threads_;
};

}  // namespace miroir
