#include "anti_entropy/doubt.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/entry_failures.h"
#include "cluster/present_taints.h"
#include "node_api/document_filter.h"

namespace miroir::anti_entropy {
namespace {

bool has_trusted_peer(const Tools& tools, const Roster& roster, const Taint& doubt, ShardId shard) {
  return std::ranges::any_of(tools.cluster.topology().owners(shard), [&](const std::string& owner) {
    return owner != doubt.node && roster.is_source(owner, shard) &&
           !tools.log.tainted(doubt.incarnation, "", owner);
  });
}

// Whether what stood in the way of a creation may be an index that is, or may be again, and that
// the node should have dropped or renamed.
Async<Result<bool>> may_hold_others(const Tools& tools, Taint doubt) {
  for (const Taint& taint : present_index_taints(tools.log, tools.cluster.topology())) {
    if (taint.node != doubt.node || taint.incarnation == doubt.incarnation) continue;
    MIROIR_CO_TRY(const auto names, co_await names_not_taken_away(tools.log, taint));
    if (!names.empty()) co_return true;
  }
  co_return false;
}

bool is_comparable(const Tools& tools, const Roster& roster, const Taint& doubt,
                   const InDoubt& its) {
  return std::ranges::all_of(
      its.shards, [&](ShardId shard) { return has_trusted_peer(tools, roster, doubt, shard); });
}

// Whether the node has documents that are older than the index, or nobody can say that it has none.
Async<bool> holds_older(const Tools& tools, Taint doubt, bool may_hold) {
  const IndexState* index = tools.log.catalogue().by_incarnation(doubt.incarnation);
  if (index == nullptr) co_return true;
  if (!may_hold) co_return false;
  DocumentQuery query = older_documents(*index, tools.options.names);
  query.fields = {tools.options.names.updated_at};
  query.limit = 0;
  const auto found = co_await tools.cluster.client(doubt.node)
                         .documents(std::move(query), tools.clock.now() + kReadTimeout);
  co_return !found || found->total > 0;
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

bool is_read_back(const Entry& entry) {
  return entry.kind == EntryKind::kUpdateSettings ||
         (entry.kind == EntryKind::kUpdateIndex && names_taken_away(entry).empty());
}

Async<Result<InDoubt>> what_is_in_doubt(const Tools& tools, Taint doubt) {
  const std::vector<ShardId>& shards = tools.cluster.topology().shards_of(doubt.node);
  const InDoubt all{.shards = {shards.begin(), shards.end()}};
  InDoubt its;
  for (const Position position : doubt.failed) {
    MIROIR_CO_TRY(const auto entry, co_await kept_entry(tools.log, position));
    if (entry == nullptr) co_return all;
    if (is_read_back(*entry)) continue;
    const bool creation = entry->kind == EntryKind::kCreateIndex;
    if (!creation && entry->kind != EntryKind::kClearDocuments) co_return all;
    if (creation) {
      MIROIR_CO_TRY(const bool others, co_await may_hold_others(tools, doubt));
      if (others) co_return all;
    }
    MIROIR_CO_TRY(const auto failures,
                  co_await EntryFailures::of(tools.log, tools.cluster, position));
    const auto failed_on = [&](const std::string& owner) { return failures.on(owner) != nullptr; };
    std::ranges::copy_if(shards, std::inserter(its.shards, its.shards.end()), [&](ShardId shard) {
      // A creation stands: who was away when its client was told that it failed there makes it.
      return !(creation ? std::ranges::all_of(tools.cluster.topology().owners(shard), failed_on)
                        : failures.on_all(shard));
    });
    its.older |= creation;
  }
  co_return its;
}

Async<Result<bool>> is_comparable(const Tools& tools, const Roster& roster, Taint doubt) {
  MIROIR_CO_TRY(const InDoubt its, co_await what_is_in_doubt(tools, doubt));
  co_return is_comparable(tools, roster, doubt, its);
}

DocumentQuery older_documents(const IndexState& index, const FieldNames& names) {
  const std::string birth = filter_quoted(encode_stamp(index.born));
  DocumentQuery query;
  query.index_uid = index.uid;
  query.filter = Json(filter_quoted(names.updated_at) + " <= " + birth + " OR " +
                      std::string(kBaseField) + " <= " + birth);
  return query;
}

Async<Result<void>> end_doubts(const Tools& tools, const Roster& roster, const IndexReport& its,
                               std::vector<Taint> doubts, Position head) {
  const bool any_unlisted =
      std::ranges::any_of(its.notes, [](const auto& note) { return !note.second.doubt.empty(); });
  if (any_unlisted || its.moving > 0) co_return Result<void>{};
  std::vector<Taint> over;
  for (Taint& taint : doubts) {
    if (!roster.readable(taint.node) || its.unequal.contains(taint.node) ||
        its.dubious.contains(taint.node) || taint.newest() > head)
      continue;
    MIROIR_CO_TRY(const InDoubt doubt, co_await what_is_in_doubt(tools, taint));
    const bool compared = is_comparable(tools, roster, taint, doubt);
    const bool older = compared && co_await holds_older(tools, taint, doubt.older);
    if (compared && !older) over.push_back(std::move(taint));
  }
  co_return co_await tools.cluster.end_doubts(std::move(over));
}

}  // namespace miroir::anti_entropy
