#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "store/store.h"

namespace miroir {

// A disk in memory, for simulations: it belongs to the simulation and outlives the processes that
// use it. Calls let others run before and after they act, so that a process may die on either side.
// Commits are durable at once, unless they are told to take their time.
class MemoryStore final : public Store {
 public:
  using Tables = std::array<std::map<std::string, std::string>, kTableCount>;

  MemoryStore();

  Async<Result<void>> commit(Batch batch) override;
  Async<Result<std::optional<std::string>>> get(Table table, std::string key) override;
  Async<Result<std::vector<Row>>> scan(Table table, std::string first, std::string end,
                                       std::size_t limit, bool reverse) override;
  Async<Result<std::uint64_t>> bytes() override;

  // Asked before every commit; true fails it as a full disk does.
  void fail_commits(std::function<bool(const Batch&)> full);
  void fill_disk(bool full);
  // The same for what is read: the key, or the first of a scan.
  void fail_reads(std::function<bool(Table, const std::string& key)> fails);
  // Shown every batch that was committed, as it happens.
  void observe(std::function<void(const Batch&)> observer);
  // From now on the disk writes one group of commits after another, in up to so much time each,
  // drawn from the seed: what comes meanwhile shares the next group. The clock outlives the disk.
  void take_time(Clock& clock, Microseconds group_max, std::uint64_t seed);
  // As a store that one process at a time has open.
  void be_exclusive() { exclusive_ = true; }
  bool exclusive() const override { return exclusive_; }

  Tables snapshot() const;
  void restore(Tables tables);
  // Batches that were committed.
  std::uint64_t commits() const;

 private:
  struct Disk;
  std::shared_ptr<Disk> disk_;
  bool exclusive_ = false;
};

}  // namespace miroir
