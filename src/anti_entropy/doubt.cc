#include "anti_entropy/doubt.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/entry_failures.h"
#include "cluster/present_taints.h"

namespace miroir::anti_entropy {
namespace {

bool has_trusted_peer(const Tools& tools, const Roster& roster, const Taint& doubt, ShardId shard) {
  return std::ranges::any_of(tools.cluster.topology().owners(shard), [&](const std::string& owner) {
    return owner != doubt.node && roster.in_sync(owner) &&
           !tools.log.tainted(doubt.incarnation, "", owner);
  });
}

}  // namespace

std::vector<Taint> indexes_in_doubt(const Tools& tools, const Roster& roster,
                                    Position incarnation) {
  std::vector<Taint> taints = present_taints(tools.log, tools.cluster.topology(), incarnation);
  std::erase_if(taints, [&](const Taint& taint) {
    return !taint.id.empty() || !roster.readable(taint.node);
  });
  return taints;
}

bool has_trusted_peers(const Tools& tools, const Roster& roster, const Taint& doubt) {
  return std::ranges::all_of(tools.cluster.topology().shards_of(doubt.node), [&](ShardId shard) {
    return has_trusted_peer(tools, roster, doubt, shard);
  });
}

Async<Result<std::set<ShardId>>> shards_in_doubt(const Tools& tools, Taint doubt) {
  const std::vector<ShardId>& all = tools.cluster.topology().shards_of(doubt.node);
  std::set<ShardId> in_doubt;
  for (const Position position : doubt.failed) {
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools.log, position));
    if (entry == nullptr || entry->kind != EntryKind::kClearDocuments)
      co_return std::set<ShardId>(all.begin(), all.end());
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(tools.log, tools.cluster, position));
    std::ranges::copy_if(all, std::inserter(in_doubt, in_doubt.end()),
                         [&](ShardId shard) { return !failures.on_all(shard); });
  }
  co_return in_doubt;
}

Async<Result<bool>> is_comparable(const Tools& tools, const Roster& roster, Taint doubt) {
  MIROIR_CO_TRY(const auto shards, co_await shards_in_doubt(tools, doubt));
  co_return std::ranges::all_of(
      shards, [&](ShardId shard) { return has_trusted_peer(tools, roster, doubt, shard); });
}

Async<Result<void>> end_doubts(const Tools& tools, const Roster& roster, const IndexReport& its,
                               std::vector<Taint> doubts) {
  const bool any_unlisted =
      std::ranges::any_of(its.notes, [](const auto& note) { return !note.second.doubt.empty(); });
  if (any_unlisted || its.moving > 0) co_return Result<void>{};
  std::vector<Taint> over;
  for (Taint& taint : doubts) {
    if (!roster.readable(taint.node) || its.unequal.contains(taint.node) ||
        its.dubious.contains(taint.node))
      continue;
    MIROIR_CO_TRY(const bool compared, co_await is_comparable(tools, roster, taint));
    if (compared) over.push_back(std::move(taint));
  }
  for (const Taint& taint : over) {
    const auto since = std::ranges::upper_bound(taint.failed, Taint::kUnnamed);
    MIROIR_CO_CHECK(co_await tools.cluster.end_doubt(
        taint.node, since == taint.failed.end() ? taint.newest() : *since));
  }
  if (over.empty()) co_return Result<void>{};
  co_return co_await tools.log.clear_taints(std::move(over));
}

}  // namespace miroir::anti_entropy
