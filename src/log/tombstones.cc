#include "log/tombstones.h"

#include <algorithm>

#include "log/rows.h"

namespace miroir {
namespace {

constexpr std::size_t kCollectPage = 1'000;
constexpr std::size_t kFindPage = 8;

}  // namespace

Async<Result<void>> Tombstones::load(Store& store) {
  MIROIR_CO_CHECK(co_await for_each_row(
      store, Table::kMeta, std::string(kHorizonPrefix), [&](const Row& row) -> Result<void> {
        if (row.key.size() != kHorizonPrefix.size() + 8 || row.value.size() != 8)
          return fail(ErrorCode::kCorrupt, "the row of an index's horizon is malformed");
        horizons_[number_of(row.key.substr(kHorizonPrefix.size()))] = number_of(row.value);
        return {};
      }));
  co_return co_await for_each_row(store, Table::kTombstone, "",
                                  [&](const Row& row) -> Result<void> {
                                    MIROIR_TRY(const Tombstone tombstone, decode_tombstone(row));
                                    added(tombstone.incarnation, 1);
                                    return {};
                                  });
}

void Tombstones::add(const Tombstone& tombstone, Batch& batch) {
  batch.put(Table::kTombstone, tombstone_row(tombstone), encode(tombstone));
}

void Tombstones::added(Position incarnation, std::uint64_t rows) { counts_[incarnation] += rows; }

void Tombstones::taken(Position incarnation, std::uint64_t rows) {
  const auto count = counts_.find(incarnation);
  if (count != counts_.end()) count->second -= std::min(count->second, rows);
}

Async<Result<std::optional<Tombstone>>> Tombstones::find(Store& store, Position incarnation,
                                                         std::string id,
                                                         std::optional<EntryStamp> below) {
  const std::string rows = tombstone_rows(incarnation, id);
  std::string end = prefix_end(rows);
  std::optional<Tombstone> greatest;
  while (true) {
    MIROIR_CO_TRY(const auto page,
                  co_await store.scan(Table::kTombstone, rows, end, kFindPage, true));
    for (const Row& row : page) {
      MIROIR_CO_TRY(Tombstone tombstone, decode_tombstone(row));
      if (tombstone.id != id) continue;
      // An expiry's stamp may be older than a delete before it; a delete's is newer than all.
      const bool last = !tombstone.of_expiry;
      if (below && tombstone.stamp >= *below) continue;
      if (!greatest || greatest->stamp < tombstone.stamp) greatest = std::move(tombstone);
      if (last) co_return greatest;
    }
    if (page.size() < kFindPage) co_return greatest;
    end = page.back().key;
  }
}

Async<Result<std::vector<std::string>>> Tombstones::written_by(Store& store, Position incarnation,
                                                               Position position) {
  std::vector<std::string> ids;
  MIROIR_CO_CHECK(co_await for_each_row(store, Table::kTombstone, key_of(incarnation),
                                        [&](const Row& row) -> Result<void> {
                                          MIROIR_TRY(Tombstone tombstone, decode_tombstone(row));
                                          if (tombstone.position == position)
                                            ids.push_back(std::move(tombstone.id));
                                          return {};
                                        }));
  co_return ids;
}

std::uint64_t Tombstones::count(Position incarnation) const {
  const auto found = counts_.find(incarnation);
  return found == counts_.end() ? 0 : found->second;
}

Async<Result<void>> Tombstones::make_void(Store& store, Position incarnation, Position position,
                                          std::vector<std::string> ids) {
  Batch batch;
  std::uint64_t rows = 0;
  for (const std::string& id : ids) {
    std::string row = tombstone_row({.incarnation = incarnation, .id = id, .position = position});
    MIROIR_CO_TRY(const auto there, co_await store.get(Table::kTombstone, row));
    if (!there) continue;
    batch.erase(Table::kTombstone, std::move(row));
    ++rows;
  }
  if (rows == 0) co_return Result<void>();
  MIROIR_CO_CHECK(co_await store.commit(std::move(batch)));
  taken(incarnation, rows);
  co_return Result<void>();
}

Async<Result<void>> Tombstones::collect(Store& store, Position incarnation, Position before) {
  std::string first = key_of(incarnation);
  const std::string end = key_of(incarnation + 1);
  while (true) {
    MIROIR_CO_TRY(const auto rows,
                  co_await store.scan(Table::kTombstone, first, end, kCollectPage));
    Batch batch;
    std::uint64_t old = 0;
    EntryStamp newest = horizon(incarnation);
    for (const Row& row : rows) {
      MIROIR_CO_TRY(Tombstone tombstone, decode_tombstone(row));
      if (tombstone.position > before) continue;
      batch.erase(Table::kTombstone, row.key);
      newest = std::max(newest, tombstone.stamp);
      ++old;
    }
    if (!batch.empty()) {
      batch.put(Table::kMeta, horizon_row(incarnation), key_of(newest));
      MIROIR_CO_CHECK(co_await store.commit(std::move(batch)));
      horizons_[incarnation] = newest;
      taken(incarnation, old);
    }
    if (rows.size() < kCollectPage) co_return Result<void>();
    first = rows.back().key + '\0';
  }
}

Async<Result<Tombstones::Exchange>> Tombstones::exchange(Store& store, Position a, Position b,
                                                         Position before, Batch& batch) const {
  Exchange exchange;
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    MIROIR_CO_CHECK(co_await for_each_row(store, Table::kTombstone, key_of(from),
                                          [&, into = to](const Row& row) -> Result<void> {
                                            MIROIR_TRY(Tombstone tombstone, decode_tombstone(row));
                                            if (tombstone.position < before)
                                              exchange.emplace_back(std::move(tombstone), into);
                                            return {};
                                          }));
  }
  for (const auto& [tombstone, to] : exchange) {
    batch.erase(Table::kTombstone, tombstone_row(tombstone));
    Tombstone moved = tombstone;
    moved.incarnation = to;
    add(moved, batch);
  }
  const EntryStamp newest = std::max(horizon(a), horizon(b));
  if (newest == 0) co_return exchange;
  for (const Position incarnation : {a, b})
    batch.put(Table::kMeta, horizon_row(incarnation), key_of(newest));
  co_return exchange;
}

void Tombstones::exchanged(const Exchange& exchange, Position a, Position b) {
  for (const auto& [tombstone, to] : exchange) {
    taken(tombstone.incarnation, 1);
    added(to, 1);
  }
  const EntryStamp newest = std::max(horizon(a), horizon(b));
  if (newest != 0) horizons_[a] = horizons_[b] = newest;
}

void Tombstones::drop(Position incarnation, Batch& batch) {
  batch.erase_range(Table::kTombstone, key_of(incarnation), key_of(incarnation + 1));
  batch.erase(Table::kMeta, horizon_row(incarnation));
}

void Tombstones::dropped(Position incarnation) {
  counts_.erase(incarnation);
  horizons_.erase(incarnation);
}

EntryStamp Tombstones::horizon(Position incarnation) const {
  const auto found = horizons_.find(incarnation);
  return found == horizons_.end() ? 0 : found->second;
}

}  // namespace miroir
