#include "ttl/sweep.h"

#include <algorithm>
#include <set>

#include "base/logging.h"
#include "cluster/clears.h"
#include "cluster/present_taints.h"
#include "node_api/document_filter.h"
#include "node_api/exact_copies.h"
#include "ttl/agreement.h"

namespace miroir::ttl {
namespace {

constexpr std::size_t kBatch = 500;  // documents of one entry: a node judges its filter in one go
constexpr Milliseconds kReadTimeout{15'000};
constexpr Milliseconds kCatchUpTimeout{20'000};

// Shards that have the same owners in sync.
struct Part {
  std::vector<std::string> owners;
  std::vector<SlotRange> slots;
};

// A shard without an owner in sync has nobody to ask. Owners that are not in sync are no sources,
// and get the delete in the log's order, or are healed by comparison.
std::vector<Part> parts_of(const Cluster& cluster) {
  const Topology& topology = cluster.topology();
  std::map<std::vector<std::string>, std::vector<SlotRange>> slots;
  for (ShardId shard = 0; shard < topology.shard_count(); ++shard) {
    std::vector<std::string> owners = topology.owners(shard);
    std::erase_if(owners,
                  [&](const std::string& owner) { return !cluster.is_source(owner, shard); });
    if (owners.empty()) continue;
    std::vector<SlotRange>& its = slots[std::move(owners)];
    const SlotRange range = topology.slots_of(shard);
    if (!its.empty() && its.back().last + 1 == range.first) {
      its.back().last = range.last;
    } else {
      its.push_back(range);
    }
  }
  std::vector<Part> parts;
  for (auto& [owners, ranges] : slots) parts.push_back({owners, std::move(ranges)});
  return parts;
}

class Sweep {
 public:
  Sweep(const SweepTools& tools, IndexState index, std::uint64_t deletes_max, Counter expired)
      : tools_(tools), index_(std::move(index)), deletes_max_(deletes_max), expired_(expired) {}

  Async<Result<std::uint64_t>> run() {
    if (in_doubt()) co_return deleted_;
    for (const Part& part : parts_of(tools_.cluster)) MIROIR_CO_CHECK(co_await sweep_part(part));
    co_return deleted_;
  }

 private:
  // What lies under its name on one of the nodes may be another index.
  bool in_doubt() const {
    return std::ranges::any_of(tools_.cluster.topology().nodes(), [&](const NodeConfig& node) {
      return tools_.log.tainted(index_.incarnation, "", node.id);
    });
  }

  std::int64_t now() const {
    return std::chrono::duration_cast<Milliseconds>(tools_.clock.wall_now().time_since_epoch())
        .count();
  }

  // An owner that does not answer, or lags, is unknown: its shards wait for the next sweep.
  Async<Result<void>> sweep_part(const Part& part) {
    std::size_t left_alone = 0;
    while (deleted_ < deletes_max_ && tools_.may_go_on()) {
      const Position read_at = tools_.log.head();
      if (!co_await caught_up(part, read_at)) co_return Result<void>();
      const std::size_t limit = std::min<std::uint64_t>(kBatch, deletes_max_ - deleted_);
      const auto ids = co_await candidates(part, limit, left_alone);
      if (!ids || ids->empty()) co_return Result<void>();
      const auto copies = co_await copies_of(part, *ids);
      if (!copies) co_return Result<void>();
      std::vector<BodyRecord> records = agreed_to_have_expired(*ids, *copies, now());
      MIROIR_CO_TRY(records, co_await without_unsettled(std::move(records)));
      auto separable = co_await without_inseparable(part, std::move(records));
      if (!separable) co_return Result<void>();
      records = std::move(*separable);
      left_alone += ids->size() - records.size();
      if (!tools_.may_go_on()) co_return Result<void>();
      const std::uint64_t count = records.size();
      if (count > 0) MIROIR_CO_CHECK(co_await append(std::move(records), read_at));
      deleted_ += count;
      expired_.increment(static_cast<double>(count));
      if (ids->size() < limit) co_return Result<void>();
    }
    co_return Result<void>();
  }

  Async<bool> caught_up(const Part& part, Position position) {
    for (const std::string& owner : part.owners) {
      if (!tools_.cluster.readable(owner)) co_return false;
      const Instant deadline = tools_.clock.now() + kCatchUpTimeout;
      if (!co_await tools_.cluster.wait_done(owner, position, deadline)) co_return false;
    }
    co_return true;
  }

  DocumentQuery query_of_fields() const {
    DocumentQuery query;
    query.index_uid = index_.uid;
    query.fields = {*index_.primary_key, std::string(kSlotField), tools_.names.updated_at,
                    std::string(kBaseField), tools_.names.expires_at};
    for (const std::string_view field : kDigestFields) query.fields.emplace_back(field);
    return query;
  }

  Async<Result<OwnerCopies>> read(std::string owner, DocumentQuery query) {
    auto permit = co_await tools_.reads.acquire();
    const Instant deadline = tools_.clock.now() + kReadTimeout;
    MIROIR_CO_TRY(auto page,
                  co_await tools_.cluster.client(owner).documents(std::move(query), deadline));
    // A disk that was put back meanwhile does not speak for the log.
    MIROIR_CO_CHECK(co_await tools_.cluster.verify(owner, deadline));
    OwnerCopies copies;
    for (std::string& text : page.documents) {
      MIROIR_CO_TRY(auto copy, parse_copy(std::move(text), *index_.primary_key, tools_.names));
      copies.emplace(std::move(copy.id), copy.stored);
    }
    co_return copies;
  }

  Async<Result<std::vector<std::string>>> candidates(const Part& part, std::size_t limit,
                                                     std::size_t offset) {
    DocumentQuery query = query_of_fields();
    if (part.slots.size() != 1 || !part.slots.front().is_all()) query.slots = part.slots;
    query.filter = Json(tools_.names.expires_at +
                        " <= " + filter_quoted(encode_expiry(std::max<std::int64_t>(0, now()))));
    query.limit = limit;
    query.offset = offset;
    MIROIR_CO_TRY(const OwnerCopies found, co_await read(part.owners.front(), std::move(query)));
    std::vector<std::string> ids;
    for (const auto& [id, stored] : found) ids.push_back(id);
    co_return ids;
  }

  Async<Result<std::vector<OwnerCopies>>> copies_of(const Part& part,
                                                    std::vector<std::string> ids) {
    std::vector<Async<Result<OwnerCopies>>> reads;
    for (const std::string& owner : part.owners) {
      DocumentQuery query = query_of_fields();
      query.ids = ids;
      query.limit = ids.size();
      reads.push_back(read(owner, std::move(query)));
    }
    std::vector<OwnerCopies> copies;
    for (auto& its : co_await gather(std::move(reads))) {
      MIROIR_CO_TRY(OwnerCopies known, std::move(its));
      copies.push_back(std::move(known));
    }
    co_return copies;
  }

  // Copies that were dead before they expired, or whose entries failed somewhere, are the
  // reconciler's.
  Async<Result<std::vector<BodyRecord>>> without_unsettled(std::vector<BodyRecord> records) {
    std::set<std::string> tainted;
    const Topology& topology = tools_.cluster.topology();
    for (Taint& taint : present_taints(tools_.log, topology, index_.incarnation))
      tainted.insert(std::move(taint.id));
    MIROIR_CO_TRY(const Clears clears, co_await Clears::of(tools_.log, tools_.cluster, index_));
    std::vector<BodyRecord> settled;
    for (BodyRecord& record : records) {
      const EntryStamp stamp = record.checksum;
      if (stamp <= index_.born || stamp <= clears.newest_of(record.id)) continue;
      if (tainted.contains(record.id)) continue;
      MIROIR_CO_TRY(const auto tombstone,
                    co_await tools_.log.tombstone(index_.incarnation, record.id));
      if (tombstone && stamp <= tombstone->stamp) continue;
      settled.push_back(std::move(record));
    }
    co_return settled;
  }

  // What the delete's filter cannot tell from another document, on one of the owners, is kept.
  Async<Result<std::vector<BodyRecord>>> without_inseparable(const Part& part,
                                                             std::vector<BodyRecord> records) {
    DeleteExactCopies write{index_.uid, *index_.primary_key, {}};
    for (const BodyRecord& record : records)
      write.copies.push_back({record.id, record.slot, record.checksum});
    for (const std::string& owner : part.owners) {
      auto permit = co_await tools_.reads.acquire();
      const Instant deadline = tools_.clock.now() + kReadTimeout;
      MIROIR_CO_TRY(
          const std::set<std::string> inseparable,
          co_await inseparable_copies(tools_.cluster.client(owner), write, tools_.names, deadline));
      std::erase_if(records, [&](const BodyRecord& record) {
        if (!inseparable.contains(record.id)) return false;
        log_warning("an expired document is kept: the filter of its delete matches another too",
                    {{"index", index_.uid}, {"id", record.id}, {"node", owner}});
        return true;
      });
    }
    co_return records;
  }

  Async<Result<void>> append(std::vector<BodyRecord> records, Position read_at) {
    const Topology& topology = tools_.cluster.topology();
    Entry entry;
    entry.origin = Origin::kTtlExpire;
    entry.kind = EntryKind::kDeleteDocuments;
    entry.index_uid = index_.uid;
    entry.incarnation = index_.incarnation;
    entry.primary_key = *index_.primary_key;
    entry.arguments = Json::object({{"readAt", read_at}});
    std::set<std::uint32_t> shards;
    for (const BodyRecord& record : records) shards.insert(topology.shard_of(record.slot));
    entry.shards.assign(shards.begin(), shards.end());
    entry.shard_count = topology.shard_count();
    std::size_t next = 0;
    MIROIR_CO_TRY(const Body body,
                  co_await tools_.log.write_body([&]() -> Result<std::optional<BodyRecord>> {
                    if (next == records.size()) return std::nullopt;
                    return std::move(records[next++]);
                  }));
    entry.body = body.id;
    entry.body_pieces = body.pieces;
    entry.body_bytes = body.bytes;
    entry.records = body.records;
    MIROIR_CO_CHECK(co_await tools_.log.append(
        [&](const Catalogue& catalogue, Position) -> Result<std::vector<Entry>> {
          const IndexState* now = catalogue.by_incarnation(index_.incarnation);
          if (now == nullptr || !now->is_still(index_)) {
            return fail(ErrorCode::kConflict,
                        "index " + index_.uid + " was dropped, swapped or renamed");
          }
          return std::vector{entry};
        }));
    co_return Result<void>();
  }

  const SweepTools& tools_;
  const IndexState index_;
  const std::uint64_t deletes_max_;
  Counter expired_;
  std::uint64_t deleted_ = 0;
};

}  // namespace

Async<Result<std::uint64_t>> sweep(const SweepTools& tools, IndexState index,
                                   std::uint64_t deletes_max, Counter expired) {
  if (!index.primary_key) co_return std::uint64_t{0};
  Sweep its(tools, std::move(index), deletes_max, expired);
  co_return co_await its.run();
}

}  // namespace miroir::ttl
