#include "write/delete_slices.h"

#include <algorithm>

namespace miroir {
namespace {

constexpr std::uint64_t kSlicesMax = 1'000;
constexpr Microseconds kAskedFor = Seconds(2);
constexpr std::size_t kReadAtOnce = 512;
constexpr Position kLookedThroughMax = 20'000;

// Documents that are written behind `done`; from some point on as many again as before it.
Async<Result<std::uint64_t>> on_their_way(Log& log, Position incarnation, Position done) {
  std::uint64_t documents = 0;
  Position last = done;
  while (last < log.head() && last - done < kLookedThroughMax) {
    MIROIR_CO_TRY(const auto entries, co_await log.entries(last + 1, kReadAtOnce));
    if (entries.empty()) co_return documents;
    for (const std::shared_ptr<const Entry>& entry : entries) {
      const bool writes =
          entry->kind == EntryKind::kWriteDocuments || entry->kind == EntryKind::kMergeDocuments;
      if (writes && entry->incarnation == incarnation) documents += entry->records;
    }
    last = entries.back()->position;
  }
  if (last > done && last < log.head()) documents = documents * (log.head() - done) / (last - done);
  co_return documents;
}

// In the whole index, as far as one of its nodes can say.
Async<Result<std::uint64_t>> matching(WriteContext context, std::string node, IndexState index,
                                      Json filter, Instant deadline) {
  const Topology& topology = context.cluster.topology();
  const Position done = context.cluster.status(node).done;
  DocumentQuery query;
  query.index_uid = index.uid;
  query.filter = std::move(filter);
  query.fields = {*index.primary_key};
  query.limit = 0;
  auto page = co_await context.cluster.client(node).documents(query, deadline);
  if (!page && page.error().code == ErrorCode::kInvalid) {
    query.filter.reset();  // what makes it filterable may be on its way too
    page = co_await context.cluster.client(node).documents(query, deadline);
  }
  std::uint64_t here = 0;
  if (page) {
    here = page->total;
  } else if (page.error().code != ErrorCode::kNotFound) {
    co_return std::unexpected(std::move(page).error());
  }
  MIROIR_CO_TRY(const std::uint64_t later,
                co_await on_their_way(context.log, index.incarnation, done));
  co_return here* topology.shard_count() / topology.shards_of(node).size() + later;
}

}  // namespace

Async<std::size_t> slices_of_delete(WriteContext context, IndexState index, Json filter) {
  if (!index.primary_key) co_return 1;  // nothing was ever written to it
  const Instant deadline =
      context.clock.now() + std::min<Microseconds>(kAskedFor, context.options.request_timeout);
  const Topology& topology = context.cluster.topology();
  for (const NodeConfig& node : topology.nodes()) {
    const NodeStatus status = context.cluster.status(node.id);
    if (!status.healthy || status.state != ReplicaState::kInSync ||
        topology.shards_of(node.id).empty())
      continue;
    const auto documents = co_await matching(context, node.id, index, filter, deadline);
    if (documents)
      co_return std::min(kSlicesMax, *documents / context.options.deleted_per_entry + 1);
  }
  co_return context.options.slices_unknown;
}

}  // namespace miroir
