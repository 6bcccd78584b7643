#include "log/bodies.h"

#include <algorithm>

#include "base/hash.h"
#include "log/body_codec.h"
#include "log/rows.h"

namespace miroir {
namespace {

constexpr std::size_t kRememberedIdsMax = 2'000'000;
constexpr Microseconds kWaitMax = std::chrono::hours(1);

std::string piece_row(std::uint64_t body, std::uint64_t piece) {
  return key_of(body) + key_of(piece);
}

std::shared_ptr<const std::vector<std::uint64_t>> sorted(std::vector<std::uint64_t> hashes) {
  std::ranges::sort(hashes);
  return std::make_shared<const std::vector<std::uint64_t>>(std::move(hashes));
}

}  // namespace

void Bodies::erase(std::uint64_t body, Batch& batch) {
  batch.erase_range(Table::kBody, key_of(body), key_of(body + 1));
}

Async<Result<std::unique_ptr<Bodies>>> Bodies::open(Store& store, Clock& clock) {
  Batch sweep;
  MIROIR_CO_TRY(std::uint64_t newest,
                co_await load_number(store, Table::kMeta, std::string(kNewestBodyRow)));
  MIROIR_CO_CHECK(co_await for_each_row(
      store, Table::kMeta, std::string(kPendingBodyPrefix), [&](const Row& row) -> Result<void> {
        const std::uint64_t body =
            number_of(std::string_view(row.key).substr(kPendingBodyPrefix.size()));
        erase(body, sweep);
        sweep.erase(Table::kMeta, row.key);
        return {};
      }));
  if (!sweep.empty()) MIROIR_CO_CHECK(co_await store.commit(std::move(sweep)));
  co_return std::unique_ptr<Bodies>(new Bodies(store, clock, newest));
}

Async<Result<Body>> Bodies::write(std::function<Result<std::optional<BodyRecord>>()> next) {
  Body body{.id = ++newest_, .pieces = 0, .bytes = 0, .records = 0};
  const auto give_up = [&](Error error) {
    discard(body.id);
    return std::unexpected(std::move(error));
  };
  PendingBody pending;
  std::vector<std::uint64_t> hashes;
  std::string piece;
  for (bool more = true; more;) {
    const Result<std::optional<BodyRecord>> taken = next();
    if (!taken) co_return give_up(taken.error());
    const std::optional<BodyRecord>& record = *taken;
    more = record.has_value();
    if (record) {
      append_record(piece, *record);
      ++body.records;
      body.bytes += record->id.size() + record->document.size();
      if (record->document.empty())
        pending.deletes.push_back({record->id, record->slot, record->checksum});
      hashes.push_back(xxh3_64(record->id));
    }
    if (piece.size() < kPieceBytes && (more || piece.empty())) continue;
    std::string stored = close_piece(piece);
    piece.clear();
    pending.stored += stored.size();
    Batch batch;
    if (body.pieces == 0) batch.put(Table::kMeta, pending_body_row(body.id), "");
    // Swept like any other, should the rest never come.
    pending_[body.id].waits_since = clock_.now();
    batch.put(Table::kBody, piece_row(body.id, body.pieces++), std::move(stored));
    const Result<void> committed = co_await store_.commit(std::move(batch));
    if (!committed) co_return give_up(committed.error());
  }
  pending.waits_since = clock_.now();
  pending_.insert_or_assign(body.id, std::move(pending));
  remember(body.id, sorted(std::move(hashes)));
  co_return body;
}

Async<Result<void>> Bodies::read(const Entry& entry, std::function<Result<void>(BodyRecord)> each) {
  const std::uint64_t body = entry.body;
  const std::uint64_t pieces = entry.body_pieces;
  for (std::uint64_t piece = 0; piece < pieces; ++piece) {
    MIROIR_CO_TRY(const auto stored, co_await store_.get(Table::kBody, piece_row(body, piece)));
    if (!stored) co_return fail(ErrorCode::kNotFound, "the body was trimmed");
    MIROIR_CO_CHECK(read_piece(*stored, each));
  }
  co_return Result<void>();
}

Async<Result<bool>> Bodies::holds(std::shared_ptr<const Entry> entry, std::string id) {
  MIROIR_CO_TRY(const Hashes hashes, co_await hashes_of(*entry));
  co_return std::ranges::binary_search(*hashes, xxh3_64(id));
}

Async<Result<Bodies::Hashes>> Bodies::hashes_of(const Entry& entry) {
  if (const auto found = hashes_.find(entry.body); found != hashes_.end()) co_return found->second;
  std::vector<std::uint64_t> hashes;
  const std::uint64_t body = entry.body;
  MIROIR_CO_CHECK(co_await read(entry, [&](BodyRecord record) -> Result<void> {
    hashes.push_back(xxh3_64(record.id));
    return {};
  }));
  Hashes result = sorted(std::move(hashes));
  remember(body, result);
  co_return result;
}

void Bodies::remember(std::uint64_t body, Hashes hashes) {
  const std::size_t size = hashes->size() + 1;
  if (!hashes_.emplace(body, std::move(hashes)).second) return;
  remembered_.push_back(body);
  remembered_ids_ += size;
  while (remembered_ids_ > kRememberedIdsMax && remembered_.size() > 1) {
    const auto oldest = hashes_.find(remembered_.front());
    remembered_ids_ -= oldest->second->size() + 1;
    hashes_.erase(oldest);
    remembered_.pop_front();
  }
}

const PendingBody* Bodies::pending(std::uint64_t body) const {
  const auto found = pending_.find(body);
  return found == pending_.end() ? nullptr : &found->second;
}

void Bodies::adopt(std::uint64_t body, Batch& batch) {
  pending_.at(body).waits_since.reset();
  batch.erase(Table::kMeta, pending_body_row(body));
  // The newest id that is in use: ids are never given twice.
  batch.put(Table::kMeta, std::string(kNewestBodyRow), key_of(newest_));
}

void Bodies::adopted(std::uint64_t body, bool durable) {
  if (durable) pending_.erase(body);
  if (const auto waits = pending_.find(body); waits != pending_.end())
    waits->second.waits_since = clock_.now();
}

void Bodies::discard(std::uint64_t body) {
  const auto found = pending_.find(body);
  if (found != pending_.end() && found->second.waits_since)
    found->second.waits_since = clock_.now() - kWaitMax;
}

Async<Result<void>> Bodies::sweep() {
  Batch batch;
  for (auto it = pending_.begin(); it != pending_.end();) {
    const std::optional<Instant> since = it->second.waits_since;
    if (!since || clock_.now() < *since + kWaitMax) {
      ++it;
      continue;
    }
    erase(it->first, batch);
    batch.erase(Table::kMeta, pending_body_row(it->first));
    it = pending_.erase(it);
  }
  if (batch.empty()) co_return Result<void>();
  co_return co_await store_.commit(std::move(batch));
}

}  // namespace miroir
