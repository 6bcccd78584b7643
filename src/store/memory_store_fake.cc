#include "store/memory_store_fake.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <iterator>
#include <optional>

#include "base/random.h"

namespace miroir {
namespace {

Async<void> let_others_run() {
  co_await boost::asio::post(co_await boost::asio::this_coro::executor, boost::asio::use_awaitable);
}

using Rows = std::map<std::string, std::string>;

Rows::const_iterator end_of(const Rows& rows, const std::string& end) {
  return end.empty() ? rows.end() : rows.lower_bound(end);
}

}  // namespace

struct MemoryStore::Disk {
  struct Pace {
    Clock& clock;
    Microseconds group_max;
    Random random;
    // Of the group that is to be written last.
    Instant begins{};
    Instant ends{};
  };

  Tables tables;
  std::optional<Pace> pace;
  std::function<bool(const Batch&)> full;
  std::function<bool(Table, const std::string&)> unreadable;
  std::function<void(const Batch&)> observer;
  std::uint64_t commits = 0;

  // When a commit that comes now is durable.
  Instant durable_at() {
    const Instant now = pace->clock.now();
    if (now < pace->begins) return pace->ends;
    pace->begins = std::max(now, pace->ends);
    const auto most = static_cast<std::uint64_t>(pace->group_max.count());
    pace->ends = pace->begins + Microseconds(1 + pace->random.below(most));
    return pace->ends;
  }

  Rows& rows(Table table) { return tables[static_cast<std::size_t>(table)]; }

  // Expectations see what the batch did before them, as in a transaction.
  Result<void> commit(const Batch& batch) {
    if (full && full(batch)) return fail(ErrorCode::kUnavailable, "the disk is full");
    std::map<std::size_t, Rows> before;
    for (const Batch::Change& change : batch.changes()) {
      Rows& its = rows(change.table);
      if (change.kind == Batch::Change::Kind::kExpect) {
        const auto found = its.find(change.key);
        const bool as_expected =
            found == its.end() ? !change.expected : change.expected == found->second;
        if (as_expected) continue;
        for (auto& [table, old] : before) tables[table] = std::move(old);
        return fail(ErrorCode::kConflict, "a row is not as expected");
      }
      if (expects(batch)) before.try_emplace(static_cast<std::size_t>(change.table), its);
      change_rows(its, change);
    }
    ++commits;
    if (observer) observer(batch);
    return {};
  }

  static bool expects(const Batch& batch) {
    for (const Batch::Change& change : batch.changes())
      if (change.kind == Batch::Change::Kind::kExpect) return true;
    return false;
  }

  static void change_rows(Rows& rows, const Batch::Change& change) {
    if (change.kind == Batch::Change::Kind::kPut) rows[change.key] = change.value;
    if (change.kind == Batch::Change::Kind::kErase) rows.erase(change.key);
    if (change.kind == Batch::Change::Kind::kEraseRange && change.key < change.value)
      rows.erase(rows.lower_bound(change.key), rows.lower_bound(change.value));
  }
};

MemoryStore::MemoryStore() : disk_(std::make_shared<Disk>()) {}

Async<Result<void>> MemoryStore::commit(Batch batch) {
  const auto disk = disk_;
  co_await let_others_run();
  if (disk->pace) co_await disk->pace->clock.sleep_until(disk->durable_at());
  Result<void> result = disk->commit(batch);
  co_await let_others_run();
  co_return result;
}

Async<Result<std::optional<std::string>>> MemoryStore::get(Table table, std::string key) {
  const auto disk = disk_;
  co_await let_others_run();
  if (disk->unreadable && disk->unreadable(table, key))
    co_return fail(ErrorCode::kUnavailable, "the disk cannot be read");
  std::optional<std::string> value;
  const Rows& rows = disk->rows(table);
  if (const auto found = rows.find(key); found != rows.end()) value = found->second;
  co_await let_others_run();
  co_return value;
}

Async<Result<std::vector<Row>>> MemoryStore::scan(Table table, std::string first, std::string end,
                                                  std::size_t limit, bool reverse) {
  const auto disk = disk_;
  co_await let_others_run();
  if (disk->unreadable && disk->unreadable(table, first))
    co_return fail(ErrorCode::kUnavailable, "the disk cannot be read");
  std::vector<Row> found;
  const Rows& rows = disk->rows(table);
  if (end.empty() || first < end) {
    const auto begin = rows.lower_bound(first);
    const auto stop = end_of(rows, end);
    if (reverse) {
      for (auto at = stop; at != begin && found.size() < limit;) {
        --at;
        found.push_back({at->first, at->second});
      }
    } else {
      for (auto at = begin; at != stop && found.size() < limit; ++at)
        found.push_back({at->first, at->second});
    }
  }
  co_await let_others_run();
  co_return found;
}

Async<Result<std::uint64_t>> MemoryStore::bytes() {
  std::uint64_t bytes = 0;
  for (const Rows& rows : disk_->tables)
    for (const auto& [key, value] : rows) bytes += key.size() + value.size();
  co_return bytes;
}

void MemoryStore::fail_commits(std::function<bool(const Batch&)> full) {
  disk_->full = std::move(full);
}

void MemoryStore::fail_reads(std::function<bool(Table, const std::string&)> fails) {
  disk_->unreadable = std::move(fails);
}

void MemoryStore::fill_disk(bool full) {
  disk_->full = [full](const Batch&) { return full; };
}

void MemoryStore::take_time(Clock& clock, Microseconds group_max, std::uint64_t seed) {
  disk_->pace.emplace(Disk::Pace{.clock = clock, .group_max = group_max, .random = Random(seed)});
}

void MemoryStore::observe(std::function<void(const Batch&)> observer) {
  disk_->observer = std::move(observer);
}

MemoryStore::Tables MemoryStore::snapshot() const { return disk_->tables; }
void MemoryStore::restore(Tables tables) { disk_->tables = std::move(tables); }
std::uint64_t MemoryStore::commits() const { return disk_->commits; }

}  // namespace miroir
