#include "log/tombstones.h"

#include <algorithm>

#include "log/rows.h"

namespace miroir {
namespace {

constexpr std::size_t kCollectPage = 1'000;

}  // namespace

Position Tombstones::newest(const std::map<Position, Positions>& all, Position incarnation,
                            const Hash128& id) {
  const auto positions = all.find(incarnation);
  if (positions == all.end()) return 0;
  const auto found = positions->second.find(id);
  return found == positions->second.end() ? 0 : found->second;
}

Async<Result<void>> Tombstones::load(Store& store) {
  co_return co_await for_each_row(
      store, Table::kTombstone, "", [&](const Row& row) -> Result<void> {
        MIROIR_TRY(const Tombstone tombstone, decode_tombstone(row));
        durable_[tombstone.incarnation][xxh3_128(tombstone.id)] = tombstone.position;
        return {};
      });
}

void Tombstones::propose(const Tombstone& tombstone, Batch& batch) {
  const Hash128 id = xxh3_128(tombstone.id);
  Position& in_line = in_line_[tombstone.incarnation][id];
  const Position known = std::max(in_line, newest(durable_, tombstone.incarnation, id));
  if (known > tombstone.position) return;
  in_line = tombstone.position;
  batch.put(Table::kTombstone, tombstone_row(tombstone.incarnation, tombstone.id),
            encode(tombstone));
}

void Tombstones::settle(const Tombstone& tombstone, bool durable) {
  const Hash128 id = xxh3_128(tombstone.id);
  if (durable) {
    Position& position = durable_[tombstone.incarnation][id];
    position = std::max(position, tombstone.position);
  }
  const auto positions = in_line_.find(tombstone.incarnation);
  if (positions == in_line_.end()) return;
  const auto found = positions->second.find(id);
  if (found != positions->second.end() && found->second <= tombstone.position)
    positions->second.erase(found);
  if (positions->second.empty()) in_line_.erase(positions);
}

Async<Result<std::optional<Tombstone>>> Tombstones::find(Store& store, Position incarnation,
                                                         std::string id) {
  if (newest(durable_, incarnation, xxh3_128(id)) == 0) co_return std::optional<Tombstone>();
  const std::string key = tombstone_row(incarnation, id);
  MIROIR_CO_TRY(auto value, co_await store.get(Table::kTombstone, key));
  if (!value) co_return std::optional<Tombstone>();
  MIROIR_CO_TRY(Tombstone tombstone, decode_tombstone({key, std::move(*value)}));
  co_return tombstone;
}

std::uint64_t Tombstones::count(Position incarnation) const {
  const auto positions = durable_.find(incarnation);
  return positions == durable_.end() ? 0 : positions->second.size();
}

Async<Result<void>> Tombstones::collect(Store& store, Position incarnation, Position before) {
  std::string first = key_of(incarnation);
  const std::string end = key_of(incarnation + 1);
  while (true) {
    MIROIR_CO_TRY(const auto rows,
                  co_await store.scan(Table::kTombstone, first, end, kCollectPage));
    Batch batch;
    std::vector<Tombstone> old;
    for (const Row& row : rows) {
      MIROIR_CO_TRY(Tombstone tombstone, decode_tombstone(row));
      if (tombstone.position > before) continue;
      batch.expect(Table::kTombstone, row.key, row.value).erase(Table::kTombstone, row.key);
      old.push_back(std::move(tombstone));
    }
    if (!batch.empty()) {
      auto committed = co_await store.commit(std::move(batch));
      // One of them was renewed meanwhile: read again.
      if (!committed && committed.error().code == ErrorCode::kConflict) continue;
      MIROIR_CO_CHECK(committed);
    }
    for (const Tombstone& tombstone : old) {
      const auto positions = durable_.find(incarnation);
      if (positions == durable_.end()) break;
      const auto found = positions->second.find(xxh3_128(tombstone.id));
      if (found != positions->second.end() && found->second == tombstone.position)
        positions->second.erase(found);
      if (positions->second.empty()) durable_.erase(positions);
    }
    if (rows.size() < kCollectPage) co_return Result<void>();
    first = rows.back().key + '\0';
  }
}

void Tombstones::drop(Position incarnation, Batch& batch) {
  batch.erase_range(Table::kTombstone, key_of(incarnation), key_of(incarnation + 1));
}

}  // namespace miroir
